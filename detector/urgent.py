"""What cannot wait for a whole window: sightings are shown every few seconds of event time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

from collector.sightings import Sighting
from detector.detection import Detector

#: Seconds of event time; with twenty seconds of counting this keeps ransomware below thirty.
EVERY_NS: Final = 5_000_000_000
_TIME: Final = itemgetter(0)

Waiting = Sequence[tuple[int, Sighting]]


class Urgent:
    """Cuts what waits for a window into shorter ones for the detectors that are urgent."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self.places = [n for n, detector in enumerate(detectors) if detector.urgent]
        reads = [detectors[n].reads for n in self.places]
        self._kinds = frozenset(kind for read in reads if read for kind in read.sightings)
        self._shown = 0  # how many of those that wait were shown

    def cut(
        self, waiting: Waiting, until_ns: int
    ) -> Iterator[tuple[int, dict[type[Sighting], tuple[Sighting, ...]]]]:
        """Start and sightings by kind of each short window that ends by `until_ns`."""
        end = bisect_left(waiting, until_ns // EVERY_NS * EVERY_NS, lo=self._shown, key=_TIME)
        new, self._shown = waiting[self._shown : end], end
        for slot, several in groupby(new, key=lambda told: told[0] // EVERY_NS):
            kinds: dict[type[Sighting], list[Sighting]] = {}
            for _, sighting in several:
                if type(sighting) in self._kinds:
                    kinds.setdefault(type(sighting), []).append(sighting)
            if kinds:
                yield slot * EVERY_NS, {kind: tuple(told) for kind, told in kinds.items()}

    def forget(self, count: int) -> None:
        """The first `count` no longer wait."""
        self._shown = max(0, self._shown - count)
