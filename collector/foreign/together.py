"""Several logs of other monitors, read together in one order of event time."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from collector.capture.chunk import CaptureError
from collector.flows import FlowBatch
from collector.foreign.log_lines import EveLines, LogLines, RecordLines, ZeekLines
from collector.foreign.opening import log_kind, open_log, zeek_log
from collector.foreign.reading import FlowLog
from collector.observations import CollectorHealth, Observations
from collector.ordering import Order
from collector.sightings import Sighting

_PIECE: Final = 4 << 20  # bytes of text
#: Monitors write a thing when it ends or they are sure: lines stand out of order by so much.
_LATE_NS: Final = 600_000_000_000


@dataclass
class LogFile:
    """One log; `position` bytes of it were read, `malformed` counts lines by kind."""

    path: Path
    sensor: str
    position: int = 0
    malformed: Counter[str] = field(default_factory=Counter)

    def read(self) -> Iterator[tuple[FlowBatch, list[Sighting]]]:
        """Pieces as they stand in the file. CaptureError if it cannot be opened or breaks off."""
        kind = log_kind(self.path)
        if kind in ("conn", "argus"):
            log = FlowLog(self.path, self.malformed)
            for flows in log.read():
                self.position = log.position
                yield flows, []
            return
        lines: LogLines
        if kind == "eve":
            lines = EveLines(self.sensor)
        elif kind == "zeek":
            lines = ZeekLines(zeek_log(self.path), self.sensor)
        else:
            year = datetime.fromtimestamp(self.path.stat().st_mtime, UTC).year
            lines = RecordLines(self.sensor, year)
        lines.malformed = self.malformed
        try:
            with open_log(self.path) as (raw, file):
                rest = b""
                while piece := file.read(_PIECE):
                    self.position = raw.tell()
                    whole, _, rest = (rest + piece).rpartition(b"\n")
                    if len(rest) > _PIECE:
                        self.malformed["flow log: line without an end"] += 1
                        rest = b""
                    if whole:
                        yield lines.feed(whole + b"\n")
                if rest.strip():
                    yield lines.feed(rest + b"\n")
        except (OSError, EOFError, gzip.BadGzipFile) as fault:
            raise CaptureError(self.path, self.position, f"cannot be read: {fault}") from None


def read_together(
    logs: Sequence[LogFile],
    health: CollectorHealth,
    on_piece: Callable[[LogFile], None],
    on_fault: Callable[[CaptureError], None],
) -> Iterator[Observations]:
    """All logs' flows and sightings; the log that is furthest behind is read on.

    Lines may be out of order by ten minutes; later ones count as reported when they came.
    """
    order = Order()
    reading = {str(log.path): (log, log.read()) for log in logs}
    reached = dict.fromkeys(reading, 0)
    for name in reading:
        order.reach(name, 1, is_steady=True, is_last=False)
    while reading:
        name = min(reading, key=lambda name: (reached[name], name))
        log, pieces = reading[name]
        try:
            flows, sightings = next(pieces, (None, []))
        except CaptureError as fault:
            on_fault(fault)
            flows = None
        is_last = flows is None
        if flows is None:
            flows = FlowBatch.empty()
            del reading[name]
        times = [s.time_ns for s in sightings]
        latest = max([*times, int(flows.reported_ns.max()) if len(flows) else 0])
        reached[name] = max(reached[name], latest - _LATE_NS, 1)
        order.reach(name, reached[name], is_steady=True, is_last=is_last)
        health.flows += len(flows)
        health.sightings += len(sightings)
        seen = Observations(flows, tuple(sightings), 0, health)
        yield order.settle(seen, is_last=not reading)
        on_piece(log)
