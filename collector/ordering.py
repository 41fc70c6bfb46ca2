"""One order of event time out of what several inputs gave."""

from __future__ import annotations

from typing import Any

import numpy as np

from collector.flows import FlowBatch
from collector.observations import Observations
from collector.rows import copy_rows, take_rows
from collector.sightings import Sighting


class Order:
    """Brings what several sources gave into one order of event time.

    Steady parts (live rings, listeners) keep pace with the clock: nothing is let go before the
    slowest of them is past it. What comes late from others counts as reported when it came.
    """

    def __init__(self, given_ns: int = 0) -> None:
        """`given_ns`: how far the process before had come."""
        self.watermark_ns = given_ns
        self.flows = 0  # since the last round
        self._reached: dict[str, int] = {}
        self._fastest_ns = 0
        self._given_ns = given_ns
        self._rows: FlowBatch = FlowBatch.empty()
        self._sightings: list[Sighting] = []

    def reach(self, part: str, watermark_ns: int, is_steady: bool, is_last: bool) -> None:
        """Note how far a part has come."""
        if watermark_ns > self._reached.get(part, 0) and is_steady:
            self._reached[part] = watermark_ns
        if is_last:
            self._reached.pop(part, None)
        self._fastest_ns = max(self._fastest_ns, watermark_ns)
        reached = min(self._reached.values(), default=self._fastest_ns)
        self.watermark_ns = max(self.watermark_ns, reached)

    def settle(self, seen: Observations, is_last: bool) -> Observations:
        """What is complete up to the watermark; the rest waits for the next time."""
        flows = FlowBatch.join([self._rows, seen.flows]) if len(self._rows) else seen.flows
        rows, reported = flows.rows, flows.reported_ns
        until_ns = self.watermark_ns
        if is_last and len(rows):
            until_ns = max(until_ns, int(reported.max()))
        # Rows are wide: they are only touched where something came late or out of order.
        if len(rows) and int(reported.min()) < self._given_ns:
            rows = copy_rows(rows)
            np.maximum(rows["reported_ns"], self._given_ns, out=rows["reported_ns"])
        if (np.diff(rows["reported_ns"]) < 0).any():
            rows = take_rows(rows, np.argsort(rows["reported_ns"], kind="stable"))
        cut = len(rows) if is_last else int(np.searchsorted(rows["reported_ns"], until_ns, "right"))
        self._rows = FlowBatch(copy_rows(rows[cut:]), flows.sensors)
        sightings = sorted([*self._sightings, *seen.sightings], key=_time)
        here = len(sightings) if is_last else sum(s.time_ns <= until_ns for s in sightings)
        self._sightings = sightings[here:]
        self._given_ns = until_ns
        given = FlowBatch(rows[:cut], flows.sensors)
        return Observations(given, tuple(sightings[:here]), until_ns, seen.health)


def _time(sighting: Any) -> int:
    return int(sighting.time_ns)
