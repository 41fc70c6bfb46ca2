"""One thread at one ring: blocks through the fast lane, picks copied out, blocks given back."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from collector.capture.chunk import INDEX_DTYPE, Chunk
from collector.fastlane.lane import FastLane, FastLaneOutput
from collector.flows import FlowBatch
from collector.live.ring import Ring, gathered, warm_up
from collector.rows import copy_rows

if TYPE_CHECKING:
    from collector.live.open_flows import OpenFlows
    from collector.sources.source import Post

_WAIT_MS: Final = 100
#: A block may hold its packets back for its retire time; event time follows the clock this late.
_BEHIND_NS: Final = 1_000_000_000
_TCP, _ACK = 6, 16


class RingWorker(threading.Thread):
    """Runs until `post.ending` is set. `ring` may be None while the interface is away.

    `lonely` and `established` count ended TCP connections: those of which only one direction was
    seen, and all. `fault` says why a ring stopped working; the worker has let go of it then.
    """

    def __init__(self, part: str, lane: FastLane, post: Post) -> None:
        super().__init__(name=part, daemon=True)
        self.ring: Ring | None = None
        self.fault = ""
        self.lonely = self.established = 0
        self._lane = lane
        self._post = post
        self.open_flows: OpenFlows | None = None  # where the lane's flows are kept over a kill
        self._told_ns = 0

    def warm_up(self) -> None:
        """Load all compiled loops before the first packet."""
        warm_up()
        self._lane.feed(Chunk(np.zeros(1, np.uint8), np.empty(0, INDEX_DTYPE)))
        self._lane.advance(time.time_ns() - _BEHIND_NS)

    def run(self) -> None:
        while not self._post.ending.is_set():
            ring = self.ring
            try:
                if ring is None:
                    self._post.ending.wait(_WAIT_MS / 1000)
                elif ring.wait(_WAIT_MS):
                    self._read(ring)
                    continue
            except OSError as fault:
                self.fault, self.ring = fault.strerror or str(fault), None
            self._advance()
        self._end()

    def _read(self, ring: Ring) -> None:
        chunk = ring.read()
        out = self._lane.feed(chunk)
        if self._post.recorder is not None:
            self._post.recorder.record(chunk)
        buffer, picks = gathered(chunk.buffer, out.picks)
        ring.release()
        self._hand_over(out, buffer, picks)

    def _advance(self) -> None:
        self._hand_over(self._lane.advance(time.time_ns() - _BEHIND_NS))

    def _end(self) -> None:
        if self.ring is not None:
            while self.ring.wait(0):
                self._read(self.ring)
        self._hand_over(self._lane.finish(), is_last=True)

    def _hand_over(
        self, out: FastLaneOutput, buffer: Any = None, picks: Any = None, is_last: bool = False
    ) -> None:
        from collector.sources.source import Parcel

        self._count_directions(out.flows)
        flows = out.flows
        if self.open_flows is not None:  # the room is used again for the next block
            flows = FlowBatch(copy_rows(flows.rows), flows.sensors)
        if buffer is None:
            parcel = Parcel(self.name, out.watermark_ns, flows, is_last=is_last)
        else:
            parcel = Parcel(self.name, out.watermark_ns, flows, (), buffer, picks)
        self._post.put(parcel)
        if self.open_flows is not None:
            self.open_flows.forget(flows)

    def _count_directions(self, flows: FlowBatch) -> None:
        is_open = (flows.protocol == _TCP) & (flows.flags & _ACK != 0)
        self.established += int(np.count_nonzero(is_open))
        self.lonely += int(np.count_nonzero(is_open & (flows.reply_packets == 0)))
