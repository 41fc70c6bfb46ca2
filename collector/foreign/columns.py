"""Text columns of a foreign flow log become rows of flows; faults of single rows are counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, address_number
from collector.identify.ports import tcp_port_app, udp_port_app

PROTOCOLS: Final = {
    "icmp": 1, "igmp": 2, "ipv4": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50,
    "ah": 51, "ipv6-icmp": 58, "icmp6": 58, "icmpv6": 58, "ospf": 89, "vrrp": 112, "sctp": 132,
    "rtp": 17, "rtcp": 17, "udt": 17,
}  # fmt: skip
_NUMBER: Final = r"^[0-9]{1,15}(\.[0-9]{1,9})?$"
_PORT_CONFIDENCE: Final = 40  # as for a packet whose bytes say nothing


@dataclass
class Rows:
    """Some lines of a log as text columns; missing columns and cells read as the default."""

    table: pa.Table
    malformed: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def text(self, name: str) -> pa.Array:
        """The column as text, null where the cell is empty."""
        if name not in self.table.column_names:
            return pa.nulls(len(self), pa.string())
        column = self.table.column(name)
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        return column if pa.types.is_string(column.type) else column.cast(pa.string())

    def number(self, name: str, default: float = 0.0) -> NDArray[np.float64]:
        """The column as numbers of at least 0; a cell that is none reads as `default`."""
        column = self.text(name)
        is_number = pc.match_substring_regex(column, _NUMBER)
        numbers = pc.if_else(is_number, column, pa.scalar(None, pa.string())).cast(pa.float64())
        values: NDArray[np.float64] = numbers.fill_null(default).to_numpy(zero_copy_only=False)
        return values

    def mapped(self, name: str, table: dict[str, int], default: int) -> NDArray[np.int64]:
        """The column's words as numbers of `table`."""
        words = self.text(name).fill_null("").dictionary_encode()
        codes = [table.get(word.lower(), default) for word in words.dictionary.to_pylist()]
        found: NDArray[np.int64] = np.array([*codes, default], np.int64)[words.indices.to_numpy()]
        return found

    def addresses(self, name: str) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """(n, 2) addresses, and which rows have one."""
        words = self.text(name).fill_null("").dictionary_encode()
        known = np.zeros((len(words.dictionary) + 1, 2), np.uint64)
        is_one = np.zeros(len(words.dictionary) + 1, bool)
        for at, word in enumerate(words.dictionary.to_pylist()):
            try:
                known[at], is_one[at] = address_number(word), True
            except ValueError:
                continue
        indices = words.indices.to_numpy()
        return known[indices], is_one[indices]

    def macs(self, name: str) -> NDArray[np.uint64]:
        """Hardware addresses as 48-bit numbers, 0 where there is none."""
        words = self.text(name).fill_null("").dictionary_encode()
        known = [_mac_number(word) for word in words.dictionary.to_pylist()]
        found: NDArray[np.uint64] = np.array([*known, 0], np.uint64)[words.indices.to_numpy()]
        return found


def new_rows(count: int) -> NDArray[Any]:
    """Rows of FLOW_DTYPE with what every log has in common."""
    rows = np.zeros(count, FLOW_DTYPE)
    rows["sampling"] = 1
    rows["syn_wscale"] = 255
    rows["end_reason"] = 3
    return rows


def set_family(rows: NDArray[Any]) -> None:
    is_v4 = (rows["source"][:, 0] == 0) & (rows["source"][:, 1] >> np.uint64(32) == 0xFFFF)
    rows["family"] = np.where(is_v4, 4, 6)


def name_by_port(rows: NDArray[Any]) -> None:
    """The application that a registered port suggests, where the log named none."""
    for protocol, look_up in ((6, tcp_port_app), (17, udp_port_app)):
        unnamed = (rows["protocol"] == protocol) & (rows["app"] == APP_CODE["unknown"])
        ports, back = np.unique(rows["destination_port"][unnamed], return_inverse=True)
        apps = np.array([look_up(int(port)) for port in ports.tolist()], np.uint16)
        rows["app"][unnamed] = apps[back] if len(apps) else 0
        rows["app_confidence"][unnamed] = np.where(rows["app"][unnamed] > 0, _PORT_CONFIDENCE, 0)
    icmp = (rows["protocol"] == 1) | (rows["protocol"] == 58)
    rows["app"][icmp], rows["app_confidence"][icmp] = APP_CODE["icmp"], 100


def ports_of(values: NDArray[np.float64]) -> NDArray[np.uint16]:
    return np.minimum(values, 65535).astype(np.uint16)


def _mac_number(text: str) -> int:
    digits = text.replace(":", "").replace("-", "")
    try:
        return int(digits, 16) if len(digits) == 12 else 0
    except ValueError:
        return 0
