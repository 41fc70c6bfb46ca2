"""Loops of flow exports: records of variable length, and the joining of two directions."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def pack_records(
    raw: NDArray[Any], lengths: NDArray[Any], shortest: int, packed: NDArray[Any]
) -> tuple[int, bool]:
    """Copy the fixed fields of each record in `raw` (u8) side by side into `packed`.

    `lengths` holds 65535 for fields of variable length, which are left out. `packed` is
    (room, fixed bytes). Returns the number of records, and False if the last one was cut short.
    """
    at, records = 0, 0
    while len(raw) - at >= shortest and records < len(packed):
        column = 0
        for length in lengths:
            if length == 65535:
                if at >= len(raw):
                    return records, False
                size = raw[at]
                at += 1
                if size == 255:
                    if at + 2 > len(raw):
                        return records, False
                    size = raw[at] << 8 | raw[at + 1]
                    at += 2
                at += size
                continue
            if at + length > len(raw):
                return records, False
            for i in range(length):
                packed[records, column + i] = raw[at + i]
            at += length
            column += length
        if at > len(raw):
            return records, False
        records += 1
    return records, True


@njit(cache=True, nogil=True)
def pair_directions(
    group: NDArray[Any], direction: NDArray[Any], first_ns: NDArray[Any], within_ns: int
) -> NDArray[Any]:
    """For rows sorted by group and time: the index of each row's other direction, or -1.

    In a group the oldest waiting row of the other direction is taken, if it began no more than
    `within_ns` before.
    """
    partner = np.full(len(group), -1, np.int64)
    start = 0
    while start < len(group):
        stop = start
        while stop < len(group) and group[stop] == group[start]:
            stop += 1
        waiting = np.array([start, start])  # next row of each direction that may wait
        for row in range(start, stop):
            other = 1 - direction[row]
            at = waiting[other]
            while at < row and (
                direction[at] != other
                or partner[at] >= 0
                or first_ns[row] - first_ns[at] > within_ns
            ):
                at += 1
            waiting[other] = at
            if at < row:
                partner[row], partner[at] = at, row
        start = stop
    return partner
