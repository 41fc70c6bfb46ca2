"""Records that wait for their other direction, kept where a killed process leaves them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.exports.kernels import COUNT, OLDEST, Waiting, new_waiting, raw_of
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.lasting import LastingMemory

_BYTES: Final = np.dtype(np.uint8)
_ROW: Final = 1 + OUTPUT_DTYPE.itemsize
_HEAD: Final = 16  # the ring's two numbers


class WaitingRoom:
    """Makes room for waiting records in memory that outlives the process, under one name."""

    def __init__(self, memory: LastingMemory, name: str) -> None:
        self._memory, self._name = memory, name

    def left(self) -> NDArray[Any]:
        """Records that were still alone when the process before ended, in order of arrival."""
        raw = self._memory.kept(self._name, _BYTES)
        room = (len(raw) - _HEAD) // _ROW
        if room < 1:
            return np.zeros(0, OUTPUT_DTYPE)
        ring, direction, rows = _views(raw, room)
        places = (ring[OLDEST] + np.arange(min(ring[COUNT], room))) & (room - 1)
        found = rows[places[direction[places] >= 0]]
        is_whole = (found["family"] == 4) | (found["family"] == 6)
        left: NDArray[Any] = found[is_whole & (found["one_way"] == 1)]
        return left

    def new(self, room: int) -> Waiting:
        """Room for so many; `settle` when what was there before is in it."""
        raw = self._memory.new(self._name, _BYTES, _HEAD + room * _ROW)
        ring, direction, rows = _views(raw, room)
        return new_waiting(room)._replace(
            ring=ring, direction=direction, rows=rows, raw=raw_of(rows)
        )

    def settle(self) -> None:
        self._memory.settle(self._name)


def _views(raw: NDArray[np.uint8], room: int) -> tuple[NDArray[np.int64], NDArray[np.int8], Any]:
    ring, rest = raw[:_HEAD].view(np.int64), raw[_HEAD:]
    return ring, rest[:room].view(np.int8), rest[room : room * _ROW].view(OUTPUT_DTYPE)
