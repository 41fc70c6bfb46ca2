"""What the collector hands to the detector: flows, sightings, and how far event time has come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from collector.flows import FlowBatch
from collector.sightings import Sighting


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
    blind: dict[str, str] = field(default_factory=dict)  # lane → what it cannot see, and why
    notes: list[str] = field(default_factory=list)  # e.g. "x.pcap: cut off at byte 1234"


@dataclass(frozen=True)
class Observations:
    """A stretch of event time.

    Flows are ordered by `reported_ns` and sightings by `time_ns`; nothing that comes later is
    earlier than `watermark_ns`. How input is cut into stretches never changes what is found.
    """

    flows: FlowBatch
    sightings: tuple[Sighting, ...]
    watermark_ns: int
    health: CollectorHealth
