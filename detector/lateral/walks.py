"""What `host_scan` remembers: who met whom, and the random walk of each source."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.fastlane.layout import OUTPUT_DTYPE
from detector.detection import Window
from detector.edges import DAY_NS
from detector.lateral import walk_kernels

#: Failed contacts kept of one walk, and contacts of all walks together, as evidence.
_MOST_FAILED: Final = 4096
_MOST_EVENTS: Final = 1 << 20
#: Targets that fail for somebody; past them all are forgotten.
_MOST_FAILING: Final = 65_536


class Contacts:
    """Pairs that met within 30 days, at most `most`; and, by host number, who was seen alive."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self.alive: NDArray[np.bool_] = np.zeros(1024, bool)
        self._hold(np.zeros(0, np.uint64), np.zeros(0, np.int64), 1024)

    def first(self, window: Window, left_out: int) -> NDArray[np.int64]:
        """One row per pair that never met before, in time order; an answer outweighs a failure."""
        if len(self.alive) < len(window.hosts):
            grown = np.zeros(2 * len(window.hosts), bool)
            grown[: len(self.alive)] = self.alive
            self.alive = grown
        rows, before = window.flows.rows, self._count
        if before + len(rows) > len(self._pairs):
            self._forget(window.end_ns, len(rows))
            before = self._count
        best = np.empty(len(rows), np.int64)
        self._count = walk_kernels.first_contacts(
            rows.view(OUTPUT_DTYPE), window.source, window.destination, window.marks, left_out,
            self._pairs, self._when, self._index, before, window.end_ns, best, self.alive,
        )  # fmt: skip
        new = best[: self._count - before]
        if not len(new):
            return new
        source, destination = window.source[new], window.destination[new]
        new = new[~window.edges.has_spoken(source, destination)]
        first_ns = window.flows.first_ns[new]
        order: NDArray[np.int64] = np.lexsort(
            (window.destination[new], window.source[new], first_ns)
        )
        return new[order]

    def _forget(self, now_ns: int, room: int) -> None:
        pairs, when = self._pairs[: self._count], self._when[: self._count]
        if self._count > self._most:
            kept = now_ns - when <= 30 * DAY_NS
            if kept.sum() > self._most // 2:
                kept &= when >= np.median(when[kept])
            pairs, when = pairs[kept], when[kept]
        self._hold(pairs, when, room)

    def _hold(self, pairs: NDArray[np.uint64], when: NDArray[np.int64], room: int) -> None:
        size = 1 << (len(pairs) + max(room, 1024)).bit_length()
        self._pairs, self._when = np.zeros(size, np.uint64), np.zeros(size, np.int64)
        self._pairs[: len(pairs)], self._when[: len(pairs)] = pairs, when
        self._count = len(pairs)
        self._index = np.zeros(2 * size, np.int32)
        walk_kernels.fill_index(self._pairs, self._count, self._index)


class Walks:
    """The random walk of every source over its first contacts since its last reset."""

    def __init__(self, dead_sources: int) -> None:
        self._failing: NDArray[np.uint32] = np.zeros((0, dead_sources), np.uint32)
        self._failing_counts: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._failing_targets = np.zeros(1, np.int64)
        self._height: NDArray[np.float64] = np.zeros(0, np.float64)
        self._logs: NDArray[np.int64] = np.zeros((0, 6), np.int64)
        self._stamp: NDArray[np.int64] = np.zeros(0, np.int64)
        self._now = 0
        self._events: NDArray[np.uint32] = np.zeros((0, 2), np.uint32)
        self._times: NDArray[np.int64] = np.zeros(0, np.int64)
        self._links: NDArray[np.int64] = np.zeros(0, np.int64)
        self._free = np.array([-1], np.int64)

    def leave_out_dead(self, window: Window, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows chosen without failures of targets that fail for everybody."""
        self._make_room(len(window.hosts), len(chosen))
        if self._failing_targets[0] > _MOST_FAILING:
            self._failing_counts[:] = 0
            self._failing_targets[0] = 0
        stays: NDArray[np.bool_] = walk_kernels.leave_out_dead(
            chosen, window.source, window.destination, window.marks, self._failing,
            self._failing_counts, self._failing_targets,
        )  # fmt: skip
        return chosen[stays]

    def walk(
        self, window: Window, chosen: NDArray[np.int64], up: float, down: float, reset: float
    ) -> NDArray[np.uint32]:
        """Move the walks; the sources that went up, in order."""
        touched = np.empty(len(chosen), np.uint32)
        self._now += 1
        count = walk_kernels.walk(
            chosen, window.flows.rows.view(OUTPUT_DTYPE), window.source, window.destination,
            window.marks, up, down, reset, _MOST_FAILED, self._height, self._logs, self._events,
            self._times, self._links, self._free, self._stamp, self._now, touched,
        )  # fmt: skip
        return touched[:count]

    def heights(self, sources: NDArray[np.uint32]) -> NDArray[np.float64]:
        heights: NDArray[np.float64] = self._height[sources]
        return heights

    def failed(self, source: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """(n, 2) target and port of the failed contacts, and when they were."""
        at = walk_kernels.read_log(self._logs[source, 0], self._logs[source, 2], self._links)
        return self._events[at], self._times[at]

    def answered(self, source: int) -> NDArray[np.uint32]:
        """Targets that answered."""
        at = walk_kernels.read_log(self._logs[source, 3], self._logs[source, 5], self._links)
        targets: NDArray[np.uint32] = self._events[at, 0]
        return targets

    def _make_room(self, hosts: int, news: int) -> None:
        if len(self._height) < hosts:
            for name in ("_failing", "_failing_counts", "_height", "_logs", "_stamp"):
                old = getattr(self, name)
                grown = np.zeros((2 * hosts, *old.shape[1:]), old.dtype)
                grown[: len(old)] = old
                setattr(self, name, grown)
        # Half of all events may be in use before there is need for more.
        used = int(self._logs[:, [2, 5]].sum()) if news > 1000 or self._free[0] < 0 else 0
        size = len(self._links)
        if (size == 0 or 2 * (used + news) > size) and size < _MOST_EVENTS:
            self._add_events(min(_MOST_EVENTS, max(4096, 2 * size, 4 * news)) - size)

    def _add_events(self, more: int) -> None:
        size = len(self._links)
        links = np.arange(size + 1, size + more + 1)
        links[-1] = self._free[0]
        self._links = np.concatenate([self._links, links])
        self._free[0] = size
        self._times = np.concatenate([self._times, np.zeros(more, np.int64)])
        self._events = np.concatenate([self._events, np.zeros((more, 2), np.uint32)])
