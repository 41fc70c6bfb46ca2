"""Stitching of a stream: one-way records wait a while for their other direction."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from collector.capture.windows import Pool
from collector.exports.kernels import COUNT, expire, move, new_waiting, raw_of, take
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE, FlowBatch

if TYPE_CHECKING:
    from collector.exports.lasting_waiting import WaitingRoom

_S: Final = 1_000_000_000
_FIRST_ROOM: Final = 1024
_END_NS: Final = (1 << 63) - 1


class Stitcher:
    """Holds one-way records for a time, and lets them go when their other direction has come.

    Two records are joined when addresses, ports and protocol mirror each other and one began no
    more than `within_s` after the other. The originator is the side that sent a SYN without ACK,
    else the one that began first, else the one with the higher port. What finds no partner within
    that time is let go alone. How the stream is cut into batches changes nothing.
    """

    def __init__(
        self, within_s: float = 60, most_rows: int = 500_000, room: WaitingRoom | None = None
    ) -> None:
        """`room`: where records wait so that the next process has them; call `resume` then."""
        self._within_ns = int(within_s * _S)
        self._most_rows = most_rows
        self._room = room
        self._outs = Pool(OUTPUT_DTYPE)
        self._waiting = new_waiting(_FIRST_ROOM)
        self.released_early = 0  # records let go before their time, to stay within `most_rows`

    def resume(self) -> FlowBatch:
        """Before the first flow: what the process before left waiting waits on."""
        if self._room is None:
            return FlowBatch.empty()
        left = self._room.left()
        room = _FIRST_ROOM
        while room < len(left):
            room *= 2
        self._waiting = self._room.new(room)
        released = self.feed(FlowBatch(left.view(FLOW_DTYPE)), 0)
        self._room.settle()
        return released

    @property
    def waiting(self) -> int:
        """Records that wait (with those that found their partner, until their time is over)."""
        return int(self._waiting.ring[COUNT])

    def feed(self, flows: FlowBatch, watermark_ns: int) -> FlowBatch:
        """Take flows in order of `reported_ns`; returns complete ones, in order as well.

        Nothing that comes later was reported before `watermark_ns`.
        """
        rows = np.ascontiguousarray(flows.rows).view(OUTPUT_DTYPE)
        # Only what is written is ever touched; a new array would cost a page fault each 20 rows.
        out = self._outs.take(1 << (len(rows) + self.waiting).bit_length())
        raw, out_raw = raw_of(rows), raw_of(out)
        at = done = 0
        while True:
            at, more, early = take(
                self._waiting, rows, raw, at, self._within_ns, self._most_rows, out[done:],
                out_raw[done:],
            )  # fmt: skip
            done += more
            self.released_early += early
            if at == len(rows):
                break
            self._grow()
        done = expire(self._waiting, watermark_ns, self._within_ns, out, out_raw, done)
        return FlowBatch(out[:done].view(FLOW_DTYPE), flows.sensors)

    def _grow(self) -> None:
        room = 2 * len(self._waiting.rows)
        larger = new_waiting(room) if self._room is None else self._room.new(room)
        move(self._waiting, larger)
        self._waiting = larger
        if self._room is not None:
            self._room.settle()

    def finish(self, sensors: tuple[str, ...] = ("local",)) -> FlowBatch:
        """Let go of all that waits."""
        out = np.empty(self.waiting, OUTPUT_DTYPE)
        done = expire(self._waiting, _END_NS, self._within_ns, out, raw_of(out), 0)
        return FlowBatch(out[:done].view(FLOW_DTYPE), sensors)


def warm_up() -> None:
    """Load the compiled loops of decoding and stitching before the first datagram."""
    from collector.exports.batch import Datagrams
    from collector.exports.decoder import ExportDecoder

    message = np.frombuffer(struct.pack(">HH68x", 5, 1), np.uint8)
    one = np.zeros(1, np.int64)
    senders, ports = np.zeros((1, 2), np.uint64), np.zeros(1, np.uint16)
    datagrams = Datagrams(message, one, one + len(message), one, senders, ports)
    stitcher = Stitcher()
    stitcher.feed(ExportDecoder().decode(datagrams), 0)
    stitcher.finish()
