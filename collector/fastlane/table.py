"""The flow table: find a packet's flow, and see every flow when it may have ended.

Open addressing over 64-bit slots (32 bits of hash, 32 of row number + 1). Every live flow hangs in
one bucket of a wheel of one-second ticks, by the earliest moment it could end; a packet does not
move it, the bucket looks again when its tick has passed. Only packet time drives the wheel.
The slots grow with the flows, so that few flows stay in the processor's cache.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane import layout, tcp
from collector.fastlane.records import END, IDLE, RESOURCES, write_part, write_record
from collector.fastlane.timeouts import ACTIVE, MAX_FLOWS, ends_at, is_over, looks_at
from collector.fastlane.wire import prefetch

#: Ticks of the wheel (2^30 ns each): a little more than the longest time-out.
WHEEL: Final = 4096
_TICK_SHIFT: Final = 30

LINK_DTYPE: Final = np.dtype(
    [
        ("next", "i4"),
        ("previous", "i4"),  # of the first in its bucket: the bucket's complement
        ("ahead", "i4"),  # about _RECENT further on in the bucket, or any other row, or -1
        ("tag", "u4"),  # upper half of the hash
    ]
)

# Cells of Table.clock.
NOW, TICK, FRESH, FREE, LIVE, EARLIEST, IS_STARTED = range(7)

_LOW: Final = np.uint64(0xFFFF_FFFF)
_32: Final = np.uint64(32)
_NONE: Final = np.uint64(0)
#: How many flows of a bucket ahead memory is asked for.
_AHEAD: Final = 16
#: Rows last hung into a bucket that are remembered; a cell behind them says which is the oldest.
_RECENT: Final = 15


class Table(NamedTuple):
    """Arrays of one flow table; a kernel takes them as one argument."""

    slots: NDArray[np.uint64]  # power of two, at least twice the flows
    rows: NDArray[Any]  # FLOW_ROW_DTYPE
    links: NDArray[Any]  # LINK_DTYPE, one per row; `next` also chains the free rows
    heads: NDArray[np.int32]  # first row of each bucket, -1 if empty
    recent: NDArray[np.int32]  # rows last hung into each bucket, in turn
    clock: NDArray[np.int64]
    limits: NDArray[np.int64]
    counters: NDArray[np.int64]


def new_table(limits: NDArray[np.int64]) -> Table:
    """Empty table; its memory is only touched as flows come. `make_room` goes before packets."""
    flows = int(limits[MAX_FLOWS])
    clock = np.zeros(7, np.int64)
    clock[FREE] = -1
    recent = np.full((WHEEL, _RECENT + 1), -1, np.int32)
    recent[:, _RECENT] = 0
    return Table(
        np.zeros(1 << 16, np.uint64),
        layout.zeros_aligned(flows + 1, layout.FLOW_ROW_DTYPE),
        np.zeros(flows + 1, LINK_DTYPE),
        np.full(WHEEL, -1, np.int32),
        recent,
        clock,
        limits,
        np.zeros(len(layout.COUNTERS), np.int64),
    )


def make_room(table: Table, more: int) -> Table:
    """The table with slots for `more` flows than it holds now, as far as its limit lets them in."""
    flows = min(int(table.clock[LIVE]) + more, int(table.limits[MAX_FLOWS]) + 1)
    if 2 * flows <= len(table.slots):
        return table
    slots = np.zeros(1 << (2 * flows).bit_length(), np.uint64)
    _fill_slots(table.slots, slots)
    return table._replace(slots=slots)


@njit(cache=True, nogil=True)
def _fill_slots(old: NDArray[np.uint64], new: NDArray[np.uint64]) -> None:
    mask = np.uint64(len(new) - 1)
    for at in range(len(old)):
        slot = old[at]
        if slot != _NONE:
            place = (slot >> _32) & mask
            while new[np.int64(place)] != _NONE:
                place = (place + np.uint64(1)) & mask
            new[np.int64(place)] = slot


@njit(cache=True, nogil=True, forceinline=True)
def find(table: Table, head: Any) -> int:
    """Row of the packet's flow, -1 if it has none."""
    slots, rows = table.slots, table.rows
    mask = np.uint64(len(slots) - 1)
    tag = head.hash >> _32
    place = tag & mask
    while True:
        slot = slots[np.int64(place)]
        if slot == _NONE:
            return -1
        if slot >> _32 == tag:
            number = np.int64(slot & _LOW) - 1
            if direction(rows[number], head) >= 0:
                return number
        place = (place + np.uint64(1)) & mask


@njit(cache=True, nogil=True, forceinline=True)
def direction(row: Any, head: Any) -> int:
    """0 if the packet goes the originator's way, 1 the responder's, -1 if it is not this flow's."""
    if row.protocol != head.protocol or row.one_way != head.one_way:
        return -1
    if (
        row.source_low == head.source_low
        and row.source_port == head.source_port
        and row.destination_low == head.destination_low
        and row.destination_port == head.destination_port
        and row.source_high == head.source_high
        and row.destination_high == head.destination_high
    ):
        return 0
    if (
        row.source_low == head.destination_low
        and row.source_port == head.destination_port
        and row.destination_low == head.source_low
        and row.destination_port == head.source_port
        and row.source_high == head.destination_high
        and row.destination_high == head.source_high
        and row.one_way == 0
    ):
        return 1
    return -1


@njit(cache=True, nogil=True, forceinline=True)
def insert(table: Table, head: Any) -> int:
    """A zeroed row for the packet's flow, in the slots but not yet in the wheel."""
    clock = table.clock
    number = clock[FREE]
    if number >= 0:
        following = np.int64(table.links[number].next)
        clock[FREE] = following
        # The row after this one is wanted soon, by the next new flow.
        prefetch(table.links, following, 0)
        for line in (0, 64, 128):
            prefetch(table.rows, following, line)
    else:
        number = clock[FRESH]
        clock[FRESH] += 1
    mask = np.uint64(len(table.slots) - 1)
    tag = head.hash >> _32
    place = tag & mask
    while table.slots[np.int64(place)] != _NONE:
        place = (place + np.uint64(1)) & mask
    table.slots[np.int64(place)] = tag << _32 | np.uint64(number + 1)
    table.links[number].tag = np.uint32(tag)
    table.rows[number].is_live = 1
    clock[LIVE] += 1
    return number


@njit(cache=True, nogil=True, forceinline=True)
def remove(table: Table, number: int) -> None:
    """Take the row out of slots and wheel, and free it."""
    unschedule(table, number)
    slots = table.slots
    mask = np.uint64(len(slots) - 1)
    tag = np.uint64(table.links[number].tag)
    wanted = tag << _32 | np.uint64(number + 1)
    place = tag & mask
    while slots[np.int64(place)] != wanted:
        place = (place + np.uint64(1)) & mask
    # Pull later entries of the run back, so that no search ever meets a hole.
    hole = place
    while True:
        place = (place + np.uint64(1)) & mask
        slot = slots[np.int64(place)]
        if slot == _NONE:
            break
        home = (slot >> _32) & mask
        if ((place - home) & mask) >= ((place - hole) & mask):
            slots[np.int64(hole)] = slot
            hole = place
    slots[np.int64(hole)] = _NONE
    table.rows[number].is_live = 0
    table.links[number].next = table.clock[FREE]
    table.clock[FREE] = number
    table.clock[LIVE] -= 1


@njit(cache=True, nogil=True, forceinline=True)
def schedule(table: Table, number: int, when_ns: int) -> None:
    """Hang the row into the bucket of `when_ns`."""
    clock = table.clock
    tick = max(clock[TICK], min(when_ns >> _TICK_SHIFT, clock[TICK] + WHEEL - 2))
    clock[EARLIEST] = min(clock[EARLIEST], tick)
    bucket = tick & (WHEEL - 1)
    following = table.heads[bucket]
    link = table.links[number]
    link.next = following
    link.previous = ~bucket
    oldest = table.recent[bucket, _RECENT]
    link.ahead = table.recent[bucket, oldest]
    table.recent[bucket, oldest] = number
    table.recent[bucket, _RECENT] = (oldest + 1) % _RECENT
    if following >= 0:
        table.links[following].previous = number
    table.heads[bucket] = number


@njit(cache=True, nogil=True, forceinline=True)
def unschedule(table: Table, number: int) -> None:
    link = table.links[number]
    if link.previous >= 0:
        table.links[link.previous].next = link.next
    else:
        table.heads[~link.previous] = link.next
    if link.next >= 0:
        table.links[link.next].previous = link.previous


@njit(cache=True, nogil=True, forceinline=True)
def advance(table: Table, now_ns: int, out: Any, count: int) -> int:
    """Bring the clock to `now_ns` (never back), write what ended on the way; returns the count."""
    clock = table.clock
    if now_ns <= clock[NOW] and clock[IS_STARTED]:
        return count
    clock[NOW] = now_ns
    if now_ns >> _TICK_SHIFT == clock[TICK] and clock[IS_STARTED]:
        return count
    return _turn_wheel(table, now_ns >> _TICK_SHIFT, out, count)


@njit(cache=True, nogil=True)
def _turn_wheel(table: Table, target: int, out: Any, count: int) -> int:
    """Look at every bucket whose tick has passed, up to the tick `target`."""
    clock = table.clock
    if not clock[IS_STARTED]:
        clock[IS_STARTED] = 1
        clock[TICK] = target
        clock[EARLIEST] = target
    while clock[TICK] < target:
        if clock[LIVE] == 0:
            clock[TICK] = target
            break
        bucket = clock[TICK] & (WHEEL - 1)
        clock[TICK] += 1
        boundary = clock[TICK] << _TICK_SHIFT
        runner = np.int64(table.heads[bucket])
        for _ in range(_AHEAD):
            runner = _fetch(table, runner)
        while table.heads[bucket] >= 0:
            runner = _fetch(table, runner)
            number = np.int64(table.heads[bucket])
            row = table.rows[number]
            if ends_at(row, table.limits) < boundary and is_over(row, clock[NOW], table.limits):
                reason = END if row.closed & tcp.ALL_CLOSED else IDLE
                count = write_record(row, boundary, reason, out, count)
                remove(table, number)
            else:
                if table.limits[ACTIVE] > 0 and looks_at(row, table.limits) < boundary:
                    count = write_part(row, boundary, out, count)
                unschedule(table, number)
                schedule(table, number, looks_at(row, table.limits))
    clock[EARLIEST] = max(clock[EARLIEST], clock[TICK])
    return count


@njit(cache=True, nogil=True, forceinline=True)
def _fetch(table: Table, number: int) -> int:
    """Ask for the memory of a flow that is looked at soon; returns the one behind it in its bucket.

    Links are asked for many steps before: following the chain would wait for each one's memory.
    """
    if number < 0:
        return number
    link = table.links[number]
    prefetch(table.slots, np.int64(np.uint64(link.tag) & np.uint64(len(table.slots) - 1)), 0)
    for line in (0, 64, 128):
        prefetch(table.rows, number, line)
    prefetch(table.links, np.int64(max(link.ahead, 0)), 0)
    return np.int64(link.next)


@njit(cache=True, nogil=True)
def evict(table: Table, out: Any, count: int) -> int:
    """Report and forget the flow that is nearest to its end, to make room for another."""
    clock = table.clock
    while table.heads[clock[EARLIEST] & (WHEEL - 1)] < 0:
        clock[EARLIEST] += 1
    number = np.int64(table.heads[clock[EARLIEST] & (WHEEL - 1)])
    count = write_record(table.rows[number], clock[NOW], RESOURCES, out, count)
    remove(table, number)
    table.counters[layout.EVICTED] += 1
    return count
