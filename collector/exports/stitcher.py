"""Stitching of a stream: one-way records wait a while for their other direction."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.exports.kernels import pair_directions, part_pairs
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE, FlowBatch

_S: Final = 1_000_000_000


class Stitcher:
    """Holds flows for spans of event time, and lets them go with both directions joined.

    A span is stitched when it is over, together with what found no partner in the span before, so
    that a record waits one to two spans. How the stream is cut into batches changes nothing.
    """

    def __init__(self, within_s: int = 60, most_rows: int = 500_000) -> None:
        self._within_s = within_s
        self._span_ns = within_s * _S
        self._most_rows = most_rows
        # What waits, of the span before and of the one that runs; and room for what will then.
        # Both are used again and again: fresh memory would cost more than the work.
        self._rows = np.empty(1024, OUTPUT_DTYPE)
        self._next = np.empty(1024, OUTPUT_DTYPE)
        self.waiting = 0  # records
        self._span = 0
        self.released_early = 0  # records let go before their time, to stay within `most_rows`

    def feed(self, flows: FlowBatch, watermark_ns: int) -> FlowBatch:
        """Take flows in order of `reported_ns`; returns complete ones, reported as of now.

        Nothing that comes later was reported before `watermark_ns`.
        """
        done: list[NDArray[Any]] = []
        spans = flows.reported_ns // self._span_ns
        borders = [*np.flatnonzero(np.diff(spans, prepend=-1)), len(flows)]
        for start, stop in pairwise(borders):
            done += self._move_to(int(spans[start]))
            done += self._hold(flows.rows[start:stop])
        done += self._move_to(watermark_ns // self._span_ns)
        return FlowBatch(_joined(done), flows.sensors)

    def finish(self, sensors: tuple[str, ...] = ("local",)) -> FlowBatch:
        """Let go of all that waits."""
        return FlowBatch(_joined([self._close(), self._close()]), sensors)

    def _move_to(self, span: int) -> list[NDArray[Any]]:
        """Close the spans before `span`; two closings empty everything."""
        done = [self._close() for _ in range(min(2, max(0, span - self._span)))]
        self._span = max(self._span, span)
        return done

    def _hold(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """Keep rows; where the room ends, at the same row however they came, all is let go."""
        done: list[NDArray[Any]] = []
        while len(rows):
            taken = rows[: max(1, self._most_rows - self.waiting)]
            rows = rows[len(taken) :]
            self._make_room(self.waiting + len(taken))
            self._rows.view(FLOW_DTYPE)[self.waiting : self.waiting + len(taken)] = taken
            self.waiting += len(taken)
            if self.waiting >= self._most_rows:
                self.released_early += self.waiting
                now_ns = int(taken["reported_ns"][-1])
                for part in (self._close(), self._close()):
                    part["reported_ns"] = now_ns
                    done.append(part)
                self._span -= 2
        return done

    def _make_room(self, count: int) -> None:
        if count > len(self._rows):
            grown = np.empty(2 * count, OUTPUT_DTYPE)
            grown[: self.waiting] = self._rows[: self.waiting]
            self._rows, self._next = grown, np.empty(2 * count, OUTPUT_DTYPE)

    def _close(self) -> NDArray[Any]:
        """End the span that runs: what is joined, or has waited twice, is complete."""
        ends_ns = (self._span + 1) * self._span_ns
        rows = self._rows[: self.waiting]
        order = np.argsort(rows["first_ns"], kind="stable")
        partner = pair_directions(rows, order, int(self._within_s * 1e9))
        complete = np.empty(len(rows), OUTPUT_DTYPE)
        count, self.waiting = part_pairs(
            rows, partner, ends_ns - self._span_ns, complete, self._next
        )
        self._rows, self._next = self._next, self._rows
        self._span += 1
        complete = complete[:count]
        complete["reported_ns"] = ends_ns
        return complete.view(FLOW_DTYPE)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, FLOW_DTYPE)
