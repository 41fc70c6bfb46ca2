"""Replay: captures through the three lanes, as stretches of event time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.capture import Capture, CaptureError, open_capture
from collector.capture.ahead import read_ahead
from collector.capture.chunk import Chunk
from collector.fastlane.lane import FastLane, FastLaneCounters, FastLaneOutput
from collector.foreign.opening import is_log
from collector.lanes import Lanes, Stretch, new_fast_lane
from collector.observations import CollectorHealth, Observations
from collector.settings import CollectorSettings

#: Packets between two rounds of the detectors; event time alone decides what they find.
_PACKETS_A_ROUND = 65_536
#: Chunks that the fast lane may be ahead of the other lanes, which need the interpreter's lock.
_AHEAD = 3


def _fed(
    fast: FastLane, chunks: Iterable[Chunk]
) -> Generator[tuple[Chunk, FastLaneOutput, FastLaneCounters], None, None]:
    """Each chunk, what the fast lane made of it, and its counters at that moment."""
    for chunk in chunks:
        yield chunk, fast.feed(chunk), fast.counters


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

    def read(self, paths: Sequence[Path]) -> Generator[Observations, None, None]:
        """Yield observations; the last ones carry what was still open when the input ended."""
        sys.setswitchinterval(0.001)  # so that the fast lane seldom waits for Python's lock
        fast, lanes = new_fast_lane(self.settings), Lanes(self.settings, self.health)
        packets = 0
        held: Stretch | None = None  # tshark works on it while the next one is read
        try:
            logs = [path for path in paths if is_log(path)]
            if logs:
                yield from self._read_logs(logs)
            for path in paths:
                if path in logs:
                    continue
                try:
                    with open_capture(path) as capture:
                        for chunk, out, counters in read_ahead(_fed(fast, capture), _AHEAD):
                            lanes.take(chunk.buffer, out.picks, out.flows, out.watermark_ns)
                            packets += len(chunk)
                            if packets >= _PACKETS_A_ROUND:
                                packets = 0
                                cut = lanes.cut([counters])
                                if held is not None:
                                    yield lanes.complete(held)
                                    self._tell(path, capture)
                                held = cut
                        self.health.notes += capture.notes
                except CaptureError as fault:
                    self.faults.append(fault)
            if held is not None:
                yield lanes.complete(held)
            yield lanes.finish(fast.finish().flows, [fast.counters])
        finally:
            lanes.close()

    def _read_logs(self, paths: Sequence[Path]) -> Iterator[Observations]:
        """Other monitors' logs, all together: no packets."""
        from collector.foreign.together import LogFile, read_together

        logs = [LogFile(path, self.settings.sensor) for path in paths]

        def tell(log: LogFile) -> None:
            if self.on_progress is not None:
                self.on_progress(Progress(log.path, log.position, log.path.stat().st_size))

        yield from read_together(logs, self.health, tell, self.faults.append)
        for log in logs:
            self.health.notes += [
                f"{log.path}: {kind}: {n:,}" for kind, n in log.malformed.items() if n
            ]

    def _tell(self, path: Path, capture: Capture) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(path, capture.position, capture.size))
