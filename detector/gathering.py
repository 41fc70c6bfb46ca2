"""Windows joined for detectors that look at longer stretches of event time than one window.

What a window costs does not depend on its flows while these are few. A detector that counts hours
or days says so (`Detector.gather_s`) and is shown several windows as one. Where they end follows
from event time and from the windows' flows alone, so that the same input is always cut alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import FlowBatch
from collector.sightings import Sighting
from detector.detection import Window

#: Flows and sightings after which waiting saves nothing any more, and would cost memory.
_ENOUGH: Final = 20_000
_S: Final = 1_000_000_000


@dataclass
class _Waiting:
    """Windows as plain columns, for they outlive a restart."""

    start_ns: int
    end_ns: int = 0
    sensors: list[tuple[str, ...]] = field(default_factory=list)  # of each window's rows
    rows: list[NDArray[Any]] = field(default_factory=list)
    source: list[NDArray[np.uint32]] = field(default_factory=list)
    destination: list[NDArray[np.uint32]] = field(default_factory=list)
    sightings: dict[type[Sighting], tuple[Sighting, ...]] = field(default_factory=dict)
    count: int = 0


@dataclass
class Gathering:
    """The windows since the last multiple of `every_s`.

    Give it each window, after `left_over` was asked for what must not wait for that window.
    """

    every_s: int
    waiting: _Waiting | None = None

    def left_over(self, window: Window) -> Window | None:
        """What waits from before a pause that ran past its end; `window` is the one to come."""
        is_over = self.waiting is not None and window.start_ns >= self._end_ns(self.waiting)
        return self.rest(window) if is_over else None

    def add(self, window: Window) -> Window | None:
        """Keep the window; the joined one once it is whole."""
        waiting = self.waiting = self.waiting or _Waiting(window.start_ns)
        waiting.end_ns = window.end_ns
        waiting.sensors.append(window.flows.sensors)
        waiting.rows.append(window.flows.rows)
        waiting.source.append(window.source)
        waiting.destination.append(window.destination)
        for kind, several in window.sightings.items():
            waiting.sightings[kind] = waiting.sightings.get(kind, ()) + several
            waiting.count += len(several)
        waiting.count += len(window.flows)
        if window.end_ns < self._end_ns(waiting) and waiting.count < _ENOUGH:
            return None
        if len(waiting.rows) == 1:
            self.waiting = None
            return window
        return self.rest(window)

    def rest(self, latest: Window) -> Window | None:
        """What waits, as one window, with what `latest` knows of the hospital."""
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            return None
        return replace(
            latest,
            start_ns=waiting.start_ns,
            end_ns=waiting.end_ns,
            flows=FlowBatch.join(
                [FlowBatch(*of) for of in zip(waiting.rows, waiting.sensors, strict=True)]
            ),
            source=np.concatenate(waiting.source),
            destination=np.concatenate(waiting.destination),
            sightings=waiting.sightings,
            is_gathered=True,
        )

    def _end_ns(self, waiting: _Waiting) -> int:
        every_ns = self.every_s * _S
        return (waiting.start_ns // every_ns + 1) * every_ns
