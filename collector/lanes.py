"""The lanes behind the fast lane, for replayed and for live input alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.data import read_reference
from collector.deep.lane import Cut, DeepLane
from collector.exports.lane import ExportLane
from collector.fastlane.lane import FastLane, FastLaneCounters
from collector.flows import FlowBatch
from collector.identify.names import name_table
from collector.observations import CollectorHealth, Observations
from collector.settings import CollectorSettings
from collector.sighting_lane import SightingLane
from collector.sightings import Sighting
from collector.told import Telling, Told

#: A packet's turn of the last kind: where times are the same, what others told comes last.
_BEHIND_ALL: Final = 1 << 50


def new_fast_lane(settings: CollectorSettings) -> FastLane:
    """A fast lane that knows the remote tools' names."""
    names = name_table(read_reference(settings.data_dir).name_suffixes())
    return FastLane(settings.fast_lane, settings.sensor, names)


@dataclass(frozen=True)
class Stretch:
    """What the lanes took in a stretch of event time; only tshark may still have words to add."""

    flows: FlowBatch
    told: list[Told]
    deep: Cut
    watermark_ns: int
    counters: Sequence[FastLaneCounters]


class Lanes:
    """Sighting, deep and export lanes, and what all lanes gave since it was last asked for."""

    def __init__(self, settings: CollectorSettings, health: CollectorHealth) -> None:
        self._sighting = SightingLane(settings.sensor)
        self._deep = DeepLane(
            settings.deep_lane, settings.sensor, bulk_bytes=settings.fast_lane.bulk_bytes
        )
        self._exports = ExportLane(settings.exports, settings.sensor)
        self._health = health
        self._watermark_ns = 0
        self._flows: list[FlowBatch] = []
        self._sightings: list[Told] = []
        self._others = Telling(_BEHIND_ALL)

    def take(
        self, buffer: NDArray[np.uint8], picks: NDArray[Any], flows: FlowBatch, watermark_ns: int
    ) -> None:
        """Flows and picks of the fast lane; tshark works while Python decodes the rest."""
        self._deep.feed(buffer, picks)
        self._sightings.append(self._sighting.decode(buffer, picks))
        self._watermark_ns = max(self._watermark_ns, watermark_ns)
        self._flows.append(self._exports.with_exported(buffer, picks, flows, self._watermark_ns))

    def add(self, flows: FlowBatch, sightings: Sequence[Sighting], watermark_ns: int) -> None:
        """What another source had ready, as other monitors' events and flow listeners do."""
        self._watermark_ns = max(self._watermark_ns, watermark_ns)
        if len(flows):
            self._flows.append(flows)
        self._others.tell(self._others.turn(), sightings)

    def give(self, counters: Sequence[FastLaneCounters]) -> Observations:
        """What was taken since the last time; `counters` are those of all fast lanes."""
        return self.complete(self.cut(counters))

    def cut(self, counters: Sequence[FastLaneCounters]) -> Stretch:
        """What was taken since the last time, for `complete`; tshark goes on with it meanwhile."""
        told = [*self._sightings, self._others.take()]
        stretch = Stretch(
            FlowBatch.join(self._flows), told, self._deep.cut(), self._watermark_ns, counters
        )
        self._flows, self._sightings = [], []
        return stretch

    def complete(self, stretch: Stretch) -> Observations:
        """Wait for tshark, and tell the stretch; stretches are completed in the order of cuts."""
        sightings = Told.join([*stretch.told, self._deep.drain(stretch.deep)])
        return self._observe(stretch, sightings)

    def finish(self, flows: FlowBatch, counters: Sequence[FastLaneCounters]) -> Observations:
        """The last of it: `flows` are those that were still open."""
        flows = self._exports.finish(flows)
        if self._exports.note:
            self._health.notes.append(self._exports.note)
        if len(flows):
            self._watermark_ns = max(self._watermark_ns, int(flows.reported_ns[-1]))
        self._flows.append(flows)
        return self.give(counters)

    def close(self) -> None:
        self._deep.close()

    def _observe(self, stretch: Stretch, sightings: Told) -> Observations:
        health, flows, counters = self._health, stretch.flows, stretch.counters
        health.packets = sum(c.packets for c in counters)
        health.bytes = sum(c.wire_bytes for c in counters)
        health.flows += len(flows)
        health.sightings += len(sightings)
        health.live_flows = sum(c.live_flows for c in counters)
        health.shed = self._deep.shed + self._exports.shed
        health.malformed = Counter()
        for counted in counters:
            health.shed.update(counted.shed)
            health.shed["flows"] += counted.evicted_flows
            health.malformed.update(counted.malformed)
        decoders = (self._sighting, self._deep, self._exports)
        for lane in (*(d.malformed for d in decoders), self._sighting.failed):
            health.malformed += lane
        health.blind.update(self._deep.blind)
        return Observations(flows, sightings, stretch.watermark_ns, health)
