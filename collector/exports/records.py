"""Records of one template become flow rows, a column at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.exports import elements as e
from collector.exports.states import states_of
from collector.exports.times import record_times
from collector.flows import FLOW_DTYPE, STATE_CODE

Numbers = NDArray[np.uint64]
_V4_MAPPED: Final = np.uint64(0xFFFF_0000_0000)
_ICMP: Final = (1, 58)
_DENIED: Final = 3  # firewallEvent: the flow was refused


@dataclass(frozen=True, slots=True)
class Context:
    """What a data set takes from its datagram and its exporter."""

    order: int  # arrival, for the order of rows
    reported_ns: int  # when the datagram was captured
    export_ns: int  # when the exporter says it sent it
    uptime_ms: int = -1  # the exporter's, at export; -1 if the header has none
    boot_ms: int = -1  # since 1970, told by an option; -1 if not
    rate: int = 1  # 1 in N packets sampled, by header or option
    rates: dict[int, int] = field(default_factory=dict)  # sampler id → 1 in N


@dataclass(frozen=True)
class Records:
    """Records of one layout with the context of each; reads elements as unsigned numbers."""

    rows: NDArray[Any]
    contexts: Sequence[Context]
    counts: Sequence[int]  # records of each context

    def each(self, values: Iterable[int]) -> NDArray[np.int64]:
        """Spread one value a context over its records."""
        return np.repeat(np.fromiter(values, np.int64, len(self.contexts)), self.counts)

    def has(self, element: int, prefix: str = "") -> bool:
        return f"{prefix}{element}" in (self.rows.dtype.names or ())

    def number(self, element: int, prefix: str = "") -> Numbers:
        """The element as u64; the last eight bytes where it is longer."""
        return _folded(self.rows[f"{prefix}{element}"])

    def first_of(self, wanted: Iterable[int], prefix: str = "") -> Numbers | None:
        """The first element present of `wanted`."""
        for element in wanted:
            if self.has(element, prefix):
                return self.number(element, prefix)
        return None

    def address(self, v4: int, v6: int) -> NDArray[np.uint64] | None:
        """(n, 2) high and low 64 bits; where a template has both, the one that is not zero."""
        address = np.zeros((len(self.rows), 2), np.uint64)
        if self.has(v6):
            raw = np.ascontiguousarray(self.rows[str(v6)])
            if raw.ndim != 2 or raw.shape[1] != 16:
                return None
            address[:] = raw.view(">u8")
        elif not self.has(v4):
            return None
        if self.has(v4):
            number = self.number(v4)
            is_v4 = (number != 0) | (not self.has(v6))
            address[is_v4, 0] = 0
            address[is_v4, 1] = number[is_v4] & np.uint64(0xFFFF_FFFF) | _V4_MAPPED
        return address


def _folded(column: NDArray[Any]) -> Numbers:
    if column.ndim == 1:
        return column.astype(np.uint64)
    value = np.zeros(len(column), np.uint64)
    for byte in range(max(0, column.shape[1] - 8), column.shape[1]):
        value = value << np.uint64(8) | column[:, byte].astype(np.uint64)
    return value


def flow_rows(records: Records, scale_sampled: bool) -> NDArray[Any]:
    """Rows of FLOW_DTYPE in the records' order; none where the records carry no addresses."""
    source = records.address(e.SOURCE_V4, e.SOURCE_V6)
    destination = records.address(e.DESTINATION_V4, e.DESTINATION_V6)
    if source is None or destination is None:
        return np.zeros(0, FLOW_DTYPE)
    flows = np.zeros(len(records.rows), FLOW_DTYPE)
    flows["source"], flows["destination"] = source, destination
    is_v4 = (source[:, 0] == 0) & (source[:, 1] >> np.uint64(32) == 0xFFFF)
    flows["family"] = np.where(is_v4, 4, 6)
    flows["reported_ns"] = records.each(context.reported_ns for context in records.contexts)
    flows["first_ns"], flows["last_ns"] = record_times(records)
    _fill_tuple(flows, records)
    _fill_link(flows, records)
    _fill_counts(flows, records, scale_sampled)
    flows["syn_wscale"] = 255
    flows["state"] = states_of(flows)
    denied = records.first_of((e.FIREWALL_EVENT,))
    if denied is not None:
        flows["state"][denied == _DENIED] = STATE_CODE["REJ"]
    return flows


def _fill_tuple(flows: NDArray[Any], records: Records) -> None:
    protocol = records.first_of((e.PROTOCOL,))
    if protocol is not None:
        flows["protocol"] = protocol & np.uint64(0xFF)
    for column, wanted in (
        ("source_port", e.SOURCE_PORTS),
        ("destination_port", e.DESTINATION_PORTS),
    ):
        for element in wanted:  # NBAR sends both the plain and the protocol's own port
            if records.has(element):
                port = records.number(element) & np.uint64(0xFFFF)
                empty = flows[column] == 0
                flows[column][empty] = port[empty]
    _fill_icmp(flows, records)


def _fill_icmp(flows: NDArray[Any], records: Records) -> None:
    """Type and code stand where ports would; many exporters put both into the second port."""
    is_icmp = np.isin(flows["protocol"], _ICMP)
    if not is_icmp.any():
        return
    both = flows["destination_port"].astype(np.uint64)
    for element in e.ICMP_TYPE_CODE:
        if records.has(element):
            value = records.number(element) & np.uint64(0xFFFF)
            both = np.where(value != 0, value, both)
    kind, code = both >> np.uint64(8), both & np.uint64(0xFF)
    for element in e.ICMP_TYPE:
        if records.has(element):
            kind = np.where(records.number(element) != 0, records.number(element), kind)
    for element in e.ICMP_CODE:
        if records.has(element):
            code = np.where(records.number(element) != 0, records.number(element), code)
    flows["source_port"][is_icmp] = kind[is_icmp]
    flows["destination_port"][is_icmp] = code[is_icmp]


def _fill_link(flows: NDArray[Any], records: Records) -> None:
    for column, wanted in (("source_mac", e.SOURCE_MACS), ("destination_mac", e.DESTINATION_MACS)):
        mac = records.first_of(wanted)
        if mac is not None:
            flows[column] = mac & np.uint64((1 << 48) - 1)
    for element in e.VLANS:
        if records.has(element):
            vlan = records.number(element) & np.uint64(0xFFF)
            flows["vlan"] = np.where(flows["vlan"] == 0, vlan, flows["vlan"])
    ttl = records.first_of((e.TTL,))
    for column, own in (("ttl_min", e.TTL_MIN), ("ttl_max", e.TTL_MAX)):
        value = records.first_of((own,))
        value = ttl if value is None else value
        if value is not None:
            flows[column] = value & np.uint64(0xFF)
    for column, own in (("reply_ttl_min", e.TTL_MIN), ("reply_ttl_max", e.TTL_MAX)):
        value = records.first_of((own, e.TTL), "r")
        if value is not None:
            flows[column] = value & np.uint64(0xFF)


def _fill_counts(flows: NDArray[Any], records: Records, scale_sampled: bool) -> None:
    flags = records.first_of((e.TCP_FLAGS,))
    if flags is not None:
        flows["flags"] = flags & np.uint64(0xFF)
    reply_flags = records.first_of((e.TCP_FLAGS,), "r")
    if reply_flags is not None:
        flows["reply_flags"] = reply_flags & np.uint64(0xFF)
    reason = records.first_of((e.END_REASON,))
    if reason is not None:
        flows["end_reason"] = np.where(reason <= 5, reason, 0)
    rate = sampling_of(records)
    flows["sampling"] = np.minimum(rate, 0xFFFF_FFFF)
    factor = rate if scale_sampled else np.ones_like(rate)
    columns = (
        ("bytes", records.first_of(e.BYTES)),
        ("packets", records.first_of(e.PACKETS)),
        ("reply_bytes", _reply(records, e.REPLY_BYTES, e.BYTES)),
        ("reply_packets", _reply(records, e.REPLY_PACKETS, e.PACKETS)),
    )
    for column, value in columns:
        if value is not None:
            flows[column] = value * factor
    is_biflow = columns[2][1] is not None or columns[3][1] is not None
    flows["one_way"] = 0 if is_biflow else 1


def _reply(records: Records, own: Sequence[int], forward: Sequence[int]) -> Numbers | None:
    reverse = records.first_of(forward, "r")
    return records.first_of(own) if reverse is None else reverse


def sampling_of(records: Records) -> Numbers:
    """1 in N for each record: its own field, its sampler's option, or the exporter's."""
    rate = records.each(context.rate for context in records.contexts).astype(np.uint64)
    sampler = records.first_of(e.SAMPLER)
    known = records.contexts[0].rates  # one table holds for all that is decoded together
    if sampler is not None and known:
        for key, n in known.items():
            rate[sampler == key] = n
    own = record_rate(records)
    if own is not None:
        rate = np.where(own > 0, own, rate)
    return np.maximum(rate, np.uint64(1))


def record_rate(records: Records) -> Numbers | None:
    """The sampling rate that a data or options record carries itself; 0 where it has none."""
    rate = records.first_of(e.RATE)
    if rate is not None:
        return rate
    taken = records.first_of((e.PACKET_INTERVAL,))
    if taken is not None:
        skipped = records.first_of((e.PACKET_SPACE,))
        if skipped is None:
            return taken  # old exporters put N of "1 in N" here
        return (taken + skipped) // np.maximum(taken, np.uint64(1))
    size, population = records.first_of((e.SAMPLE_SIZE,)), records.first_of((e.SAMPLE_POPULATION,))
    if size is not None and population is not None:
        return population // np.maximum(size, np.uint64(1))
    return None
