"""Replay: captures through the three lanes, as stretches of event time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.capture import Capture, CaptureError, Chunk, open_capture
from collector.data import read_reference
from collector.deep import DeepLane
from collector.exports.lane import ExportLane
from collector.fastlane.lane import FastLane
from collector.flows import FlowBatch
from collector.foreign.opening import is_flow_log
from collector.identify.names import name_table
from collector.observations import CollectorHealth, Observations
from collector.settings import CollectorSettings
from collector.sighting_lane import SightingLane
from collector.sightings import Sighting

#: Packets between two rounds of the detectors; event time alone decides what they find.
_PACKETS_A_ROUND = 65_536


@dataclass
class Progress:
    """How far a replay has come, for a progress bar."""

    file: Path
    position: int
    size: int


@dataclass
class Replay:
    """Reads captures one after another; flows go on across files.

    A file that cannot be read is noted in `faults` and the next one is read.
    """

    settings: CollectorSettings
    on_progress: Callable[[Progress], None] | None = None
    faults: list[CaptureError] = field(default_factory=list)
    health: CollectorHealth = field(default_factory=CollectorHealth)

    def read(self, paths: Sequence[Path]) -> Iterator[Observations]:
        """Yield observations; the last ones carry what was still open when the input ended."""
        lanes = _Lanes(self.settings, self.health)
        try:
            for path in paths:
                try:
                    if is_flow_log(path):
                        yield from self._read_flow_log(path)
                        continue
                    with open_capture(path) as capture:
                        for chunk in capture:
                            lanes.take(chunk)
                            if lanes.is_full:
                                yield lanes.give()
                                self._tell(path, capture)
                        self.health.notes += capture.notes
                except CaptureError as fault:
                    self.faults.append(fault)
            yield lanes.finish()
        finally:
            lanes.close()

    def _read_flow_log(self, path: Path) -> Iterator[Observations]:
        """A log of another program's flows: no packets, no sightings."""
        from collector.foreign.reading import FlowLog

        log, size = FlowLog(path), path.stat().st_size
        try:
            for flows in log.read():
                self.health.flows += len(flows)
                yield Observations(flows, (), int(flows.reported_ns[-1]), self.health)
                if self.on_progress is not None:
                    self.on_progress(Progress(path, log.position, size))
        finally:
            self.health.notes += [
                f"{path}: {kind}: {n:,}" for kind, n in log.malformed.items() if n
            ]

    def _tell(self, path: Path, capture: Capture) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(path, capture.position, capture.size))


class _Lanes:
    """The fast lane and what hangs on it."""

    def __init__(self, settings: CollectorSettings, health: CollectorHealth) -> None:
        names = name_table(read_reference(settings.data_dir).name_suffixes())
        self._fast = FastLane(settings.fast_lane, settings.sensor, names)
        self._sighting = SightingLane(settings.sensor)
        self._deep = DeepLane(
            settings.deep_lane, settings.sensor, bulk_bytes=settings.fast_lane.bulk_bytes
        )
        self._exports = ExportLane(settings.exports, settings.sensor)
        self._health = health
        self._watermark_ns = 0
        self._packets = 0
        self._flows: list[FlowBatch] = []
        self._sightings: list[Sighting] = []

    @property
    def is_full(self) -> bool:
        """True when enough has gone through the lanes to be worth a round of the detectors."""
        return self._packets >= _PACKETS_A_ROUND

    def take(self, chunk: Chunk) -> None:
        """One chunk through all lanes; tshark works while Python decodes the rest."""
        out = self._fast.feed(chunk)
        self._deep.feed(chunk.buffer, out.picks)
        self._sightings += self._sighting.decode(chunk.buffer, out.picks)
        self._watermark_ns = max(self._watermark_ns, out.watermark_ns)
        self._flows.append(
            self._exports.with_exported(chunk, out.picks, out.flows, self._watermark_ns)
        )
        self._packets += len(chunk)

    def give(self) -> Observations:
        """What was taken since the last time."""
        flows, sightings = FlowBatch.join(self._flows), self._sightings
        self._flows, self._sightings, self._packets = [], [], 0
        return self._observe(flows, sightings + self._deep.drain())

    def finish(self) -> Observations:
        """Close every flow that is still open."""
        flows = self._exports.finish(self._fast.finish().flows)
        if self._exports.note:
            self._health.notes.append(self._exports.note)
        if len(flows):
            self._watermark_ns = max(self._watermark_ns, int(flows.reported_ns[-1]))
        self._flows.append(flows)
        return self.give()

    def close(self) -> None:
        self._deep.close()

    def _observe(self, flows: FlowBatch, sightings: list[Sighting]) -> Observations:
        sightings.sort(key=lambda sighting: sighting.time_ns)
        health, counters = self._health, self._fast.counters
        health.packets, health.bytes = counters.packets, counters.wire_bytes
        health.flows += len(flows)
        health.sightings += len(sightings)
        health.live_flows = counters.live_flows
        health.shed = Counter(counters.shed) + self._deep.shed + self._exports.shed
        health.shed["flows"] += counters.evicted_flows
        health.malformed = Counter(counters.malformed)
        decoders = (self._sighting, self._deep, self._exports)
        for lane in (*(d.malformed for d in decoders), self._sighting.failed):
            health.malformed += lane
        health.blind.update(self._deep.blind)
        return Observations(flows, tuple(sightings), self._watermark_ns, health)
