"""Flows as columns: the one table from which storage, the API and the documents derive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from socket import AF_INET, inet_pton
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.rows import join_rows, take_rows

#: Connection states as Zeek's conn.log names them; a flow stores the index.
STATES: Final = (
    "OTH", "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR",
)  # fmt: skip
STATE_CODE: Final[dict[str, int]] = {name: code for code, name in enumerate(STATES)}

#: Why a flow was reported (IPFIX flowEndReason, RFC 5102 §5.11.3); a flow stores the index.
END_REASONS: Final = ("", "idle", "active", "end", "forced", "resources")


@dataclass(frozen=True)
class Column:
    """One column of a flow: its numpy type, unit and meaning."""

    name: str
    dtype: str
    unit: str
    meaning: str
    shape: tuple[int, ...] = ()


FLOW_COLUMNS: Final[tuple[Column, ...]] = (
    Column("first_ns", "i8", "ns since 1970 UTC", "first packet"),
    Column("last_ns", "i8", "ns since 1970 UTC", "last packet"),
    Column("reported_ns", "i8", "ns since 1970 UTC", "event time at which the record was complete"),
    Column("sensor", "u2", "index", "where it was seen (FlowBatch.sensors)"),
    Column("vlan", "u2", "VLAN id", "innermost 802.1Q tag, 0 if none"),
    Column("family", "u1", "4 or 6", "IP version"),
    Column("protocol", "u1", "IANA number", "IP protocol"),
    Column("source", "u8", "(high, low) 64 bits", "originator; IPv4 as ::ffff:a.b.c.d", (2,)),
    Column("destination", "u8", "(high, low) 64 bits", "responder; IPv4 mapped", (2,)),
    Column("source_port", "u2", "port", "ICMP: type"),
    Column("destination_port", "u2", "port", "ICMP: code"),
    Column("source_mac", "u8", "48 bits", "MAC on the originator's side, 0 if not seen"),
    Column("destination_mac", "u8", "48 bits", "MAC on the responder's side, 0 if not seen"),
    Column("packets", "u8", "packets", "sent by the originator"),
    Column("bytes", "u8", "bytes of IP", "sent by the originator, IP headers counted"),
    Column("reply_packets", "u8", "packets", "sent by the responder"),
    Column("reply_bytes", "u8", "bytes of IP", "sent by the responder, IP headers counted"),
    Column("flags", "u1", "TCP flags", "union of the originator's"),
    Column("reply_flags", "u1", "TCP flags", "union of the responder's"),
    Column("state", "u1", "index into STATES", "connection state as Zeek names it"),
    Column("ttl_min", "u1", "hops", "originator's smallest TTL"),
    Column("ttl_max", "u1", "hops", "originator's largest TTL"),
    Column("reply_ttl_min", "u1", "hops", "responder's smallest TTL"),
    Column("reply_ttl_max", "u1", "hops", "responder's largest TTL"),
    Column("syn_window", "u2", "bytes", "window of the originator's SYN"),
    Column("syn_mss", "u2", "bytes", "MSS option of the originator's SYN, 0 if absent"),
    Column("syn_wscale", "u1", "shift", "window scale of the originator's SYN, 255 if absent"),
    Column("syn_layout", "u4", "hash", "order of the TCP options in the originator's SYN"),
    Column("app", "u2", "index into APPS", "application"),
    Column("app_confidence", "u1", "percent", "how sure the application is"),
    Column("sampling", "u4", "1 in N", "1 = every packet was seen"),
    Column(
        "one_way", "u1", "0 or 1", "1 = the input shows one direction only (NetFlow, half SPAN)"
    ),
    Column("end_reason", "u1", "index into END_REASONS", "why the record was written"),
    Column(
        "part", "u4", "count", "0 = first record of the connection, then 1, 2 … on active timeout"
    ),
)

FLOW_DTYPE: Final = np.dtype(
    [(c.name, c.dtype, c.shape) if c.shape else (c.name, c.dtype) for c in FLOW_COLUMNS]
)

_COLUMN_NAMES: Final = frozenset(FLOW_DTYPE.names or ())
_V4_MAPPED: Final = 0xFFFF_0000_0000


@dataclass(frozen=True)
class FlowBatch:
    """Some flows: `rows` is a structured array of `FLOW_DTYPE`, and each column an attribute.

    Rows stand in the order in which they were complete (`reported_ns`).
    """

    rows: NDArray[Any]
    sensors: tuple[str, ...] = ("local",)

    def __len__(self) -> int:
        return len(self.rows)

    def __getattr__(self, name: str) -> NDArray[Any]:
        if name not in _COLUMN_NAMES:
            raise AttributeError(name)
        column: NDArray[Any] = self.rows[name]
        # Kept: detectors ask for columns three hundred times a window, at two microseconds each.
        self.__dict__[name] = column
        return column

    def __reduce__(self) -> tuple[Any, ...]:
        return FlowBatch, (self.rows, self.sensors)  # without the columns that are kept

    def take(self, chosen: NDArray[Any] | slice) -> FlowBatch:
        """Return the rows that a boolean mask, an index array or a slice chooses."""
        if isinstance(chosen, slice):
            return FlowBatch(self.rows[chosen], self.sensors)
        return FlowBatch(take_rows(self.rows, chosen), self.sensors)

    @staticmethod
    def empty() -> FlowBatch:
        return FlowBatch(np.zeros(0, FLOW_DTYPE))

    @staticmethod
    def join(batches: Sequence[FlowBatch]) -> FlowBatch:
        """Concatenate batches; rows of batches with other sensors are numbered anew."""
        batches = [b for b in batches if len(b)] or batches[:1]
        if not batches:
            return FlowBatch.empty()
        rows = join_rows([b.rows for b in batches])
        if all(b.sensors == batches[0].sensors for b in batches):
            return FlowBatch(rows, batches[0].sensors)
        sensors = tuple(dict.fromkeys(name for b in batches for name in b.sensors))
        at = 0
        for batch in batches:
            numbers = np.array([sensors.index(name) for name in batch.sensors], "u2")
            rows["sensor"][at : at + len(batch)] = numbers[batch.sensor]
            at += len(batch)
        return FlowBatch(rows, sensors)


def address_text(high: int, low: int) -> str:
    """Write a 128-bit address; IPv4-mapped ones come out dotted (RFC 5952 for IPv6)."""
    high, low = int(high), int(low)
    if high == 0 and low >> 32 == 0xFFFF:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    from ipaddress import IPv6Address

    return str(IPv6Address(high << 64 | low))


def address_number(text: str) -> tuple[int, int]:
    """Read an IPv4 or IPv6 address into (high, low); ValueError if it is neither."""
    try:
        return 0, _V4_MAPPED | int.from_bytes(inet_pton(AF_INET, text), "big")
    except OSError:
        pass
    if ":" not in text:
        raise ValueError(f"{text!r} is no IPv4 or IPv6 address")
    from ipaddress import ip_address

    address = ip_address(text)
    if address.version == 4:
        return 0, _V4_MAPPED | int(address)
    return int(address) >> 64, int(address) & (1 << 64) - 1


def plain_address(text: str) -> str:
    """An address in its one spelling; ValueError if it is none, or has a zone (fe80::1%eth0).

    Python takes any words for a zone, blanks and line feeds too; no packet carries one.
    """
    from ipaddress import ip_address

    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    return str(ip_address(text))


def mac_text(mac: int) -> str:
    """Write a 48-bit MAC as aa:bb:cc:dd:ee:ff; empty for 0 (not seen)."""
    if not mac:
        return ""
    a = f"{mac & 0xFFFF_FFFF_FFFF:012x}"
    return f"{a[:2]}:{a[2:4]}:{a[4:6]}:{a[6:8]}:{a[8:10]}:{a[10:]}"
