"""The map of blind spots: what of each VLAN the sensor sees."""

from __future__ import annotations

from typing import Any

from collector.lake import Lake
from detector.hospital import Hospital
from detector.store import Store

_DAY_NS = 86_400_000_000_000


def coverage(store: Store, lake: Lake, hospital: Hospital, days: int = 1) -> list[dict[str, Any]]:
    """One row a VLAN of the plan or of the traffic, over the last days of event time.

    `vlan name broadcast unicast flow hosts`: counts of flows to broadcast and multicast addresses,
    of flows between two hosts seen by packets, of flows told by exporters, and of hosts.
    """
    until_ns = int(store.note("collector_health").get("event_ns", 0))
    rows = lake.coverage(until_ns - days * _DAY_NS, until_ns)
    named = {segment.vlan: segment.name for segment in hospital.segments}
    found = {row["vlan"]: row for row in rows}
    for vlan in named:
        found.setdefault(vlan, {"vlan": vlan, "broadcast": 0, "unicast": 0, "flow": 0, "hosts": 0})
    return [{**row, "name": named.get(vlan, "")} for vlan, row in sorted(found.items())]
