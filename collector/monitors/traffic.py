"""A firewall's traffic records (FortiGate's type=traffic) as flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from collector.apps import APP_CODE
from collector.flows import STATE_CODE, FlowBatch, address_number
from collector.foreign.columns import name_by_port, new_rows, set_family
from collector.monitors.records import Record
from collector.monitors.times import Header

_S: Final = 1_000_000_000
_MOST: Final = (1 << 48) - 1
#: What became of a TCP session, in FortiGate's words.
_STATES: Final = {
    "close": "SF", "client-rst": "RSTO", "server-rst": "RSTR", "timeout": "S1", "deny": "S0",
    "accept": "SF", "start": "S1",
}  # fmt: skip


def is_traffic(record: Record) -> bool:
    return record.first("type") == "traffic" and bool(record.first("srcip"))


def flows_of_records(
    records: Sequence[tuple[Record, Header]], malformed: Counter[str]
) -> FlowBatch:
    """One row a traffic record; it is written when the session ends. Others are left out."""
    told = [(record, header) for record, header in records if is_traffic(record)]
    rows, count = new_rows(len(told)), 0
    for record, header in told:
        try:
            _fill(rows[count], record, header)
        except ValueError:
            malformed["fortigate: traffic record that cannot be read"] += 1
            continue
        count += 1
    rows = rows[:count]
    set_family(rows)
    name_by_port(rows)
    return FlowBatch(rows)


def _fill(row: Any, record: Record, header: Header) -> None:
    def number(name: str, most: int = _MOST) -> int:
        text = record.first(name)
        return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 20 else 0

    row["source"], row["destination"] = (
        address_number(record.first("srcip")), address_number(record.first("dstip")),
    )  # fmt: skip
    row["last_ns"] = row["reported_ns"] = header.time_ns
    row["first_ns"] = max(header.time_ns - number("duration", 10**7) * _S, 0)
    row["protocol"] = number("proto", 255)
    row["source_port"], row["destination_port"] = number("srcport", 65535), number("dstport", 65535)
    row["packets"], row["reply_packets"] = max(number("sentpkt"), 1), number("rcvdpkt")
    row["bytes"], row["reply_bytes"] = number("sentbyte"), number("rcvdbyte")
    row["vlan"] = number("vlanid", 4095)
    is_tcp = row["protocol"] == 6
    answered = "SF" if row["reply_packets"] else "S0"
    row["state"] = STATE_CODE[_STATES.get(record.first("action"), answered) if is_tcp else answered]
    app = APP_CODE.get(record.first("service").lower(), 0)
    row["app"], row["app_confidence"] = app, 60 if app else 0
