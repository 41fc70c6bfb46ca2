"""The map of blind spots: what of each VLAN the sensor sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from collector.lake import Lake
from detector.hospital import Hospital
from detector.store import Store

_DAY_NS: Final = 86_400_000_000_000
#: What can be seen of a VLAN.
KINDS: Final = ("broadcast", "unicast", "flow")


def coverage(store: Store, lake: Lake, hospital: Hospital, days: int = 1) -> list[dict[str, Any]]:
    """One row a VLAN of the plan or of the traffic, over the last days of event time.

    `vlan name broadcast unicast flow hosts`: counts of flows to broadcast and multicast addresses,
    of flows between two hosts seen by packets, of flows told by exporters, and of hosts. `seen`
    and `blind` share out the kinds: a VLAN of which only ARP, DHCP or announcements are heard
    (`line_evidence`) has no broadcast flow, and its broadcasts are seen all the same.
    """
    until_ns = int(store.note("collector_health").get("event_ns", 0))
    rows = lake.coverage(until_ns - days * _DAY_NS, until_ns)
    named = {segment.vlan: segment.name for segment in hospital.segments}
    found = {row["vlan"]: row for row in rows}
    heard = _heard(store.note("line_evidence"), until_ns - days * _DAY_NS)
    for vlan in (*named, *heard):
        found.setdefault(vlan, {"vlan": vlan, "broadcast": 0, "unicast": 0, "flow": 0, "hosts": 0})
    return [
        {**row, "name": named.get(vlan, ""), **_shared_out(row, heard.get(vlan, {}))}
        for vlan, row in sorted(found.items())
    ]


def _heard(evidence: Mapping[str, Any], since_ns: int) -> dict[int, Mapping[str, Any]]:
    """What the detector saw of each VLAN in the day before its note, unless that is older."""
    if int(evidence.get("at_ns", 0)) < since_ns:
        return {}
    rows: Sequence[Mapping[str, Any]] = evidence.get("vlans", ())
    return {int(row["vlan"]): row for row in rows if any(row[kind] for kind in KINDS)}


def _shared_out(row: Mapping[str, Any], heard: Mapping[str, Any]) -> dict[str, list[str]]:
    seen = [kind for kind in KINDS if row[kind] or heard.get(kind)]
    return {"seen": seen, "blind": [kind for kind in KINDS if kind not in seen]}
