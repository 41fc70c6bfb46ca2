"""What the collector hands to the detector: flows, sightings, and how far event time has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collector.flows import FlowBatch
from collector.sightings import Sighting
from collector.words import Text


@dataclass
class CollectorHealth:
    """Counts since the collector started; what was shed and what was malformed, by cause."""

    packets: int = 0
    bytes: int = 0
    flows: int = 0
    sightings: int = 0
    live_flows: int = 0
    shed: Counter[str] = field(default_factory=Counter)
    malformed: Counter[str] = field(default_factory=Counter)
    blind: dict[str, Text] = field(default_factory=dict)  # lane → what it cannot see, and why
    notes: list[str] = field(default_factory=list)  # e.g. "x.pcap: cut off at byte 1234"
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)  # live source → its counts
    is_live: bool = False

    def to_json(self) -> dict[str, Any]:
        """A plain object, for the health page and the summary line."""
        told: dict[str, Any] = {
            "packets": self.packets,
            "bytes": self.bytes,
            "flows": self.flows,
            "sightings": self.sightings,
            "live_flows": self.live_flows,
            "shed": {k: v for k, v in self.shed.items() if v},
            "malformed": {k: v for k, v in self.malformed.items() if v},
            "blind": {lane: why.to_json() for lane, why in self.blind.items()},
            "notes": list(self.notes),
        }
        if self.is_live:
            told |= {"is_live": True, "sources": self.sources}
        return told

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> CollectorHealth:
        """Read what `to_json` wrote."""
        counters = {name: Counter(told[name]) for name in ("shed", "malformed")}
        blind = {lane: Text(**why) for lane, why in told["blind"].items()}
        return CollectorHealth(
            **{"is_live": False, "sources": {}, **told, **counters, "blind": blind}
        )


@dataclass(frozen=True)
class Observations:
    """A stretch of event time.

    Flows are ordered by `reported_ns` and sightings by `time_ns`; nothing that comes later is
    earlier than `watermark_ns`. How input is cut into stretches never changes what is found.
    """

    flows: FlowBatch
    sightings: Sequence[Sighting]
    watermark_ns: int
    health: CollectorHealth
