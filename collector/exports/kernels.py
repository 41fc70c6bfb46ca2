"""The joining of two directions: which record belongs to which, and what they say together."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.exports.fill import state_of

_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
_SYN, _ACK = 2, 16


@njit(cache=True, nogil=True, inline="always")
def _asked(kind: int, protocol: int) -> int:
    """ICMP answers carry another type than their questions (RFC 792, RFC 4443)."""
    if protocol == 1 and kind == 0:
        return 8
    if kind == 14 or kind == 16 or kind == 18:
        return kind - 1
    return 128 if kind == 129 else kind


@njit(cache=True, nogil=True)
def pair_directions(rows: Any, order: NDArray[Any], within_ns: int) -> NDArray[Any]:
    """The index of each row's other direction, or -1; rows that are not one-way stay alone.

    `order` is by `first_ns`. The oldest record of the other direction is taken, if it began no
    more than `within_ns` before.
    """
    count = len(rows)
    partner = np.full(count, -1, np.int64)
    # Narrow columns first: the rows are wide, and the walk in order of time jumps about in them.
    hashes, directions = np.empty(count, np.uint64), np.empty(count, np.int8)
    for number in range(count):
        hashes[number], directions[number] = _hash(rows[number])
    times = rows["first_ns"].copy()
    size = 2
    while size < 2 * count:
        size *= 2
    slots = np.full(size, -1, np.int32)  # first row of the group
    heads = np.full((count, 2), -1, np.int32)  # of that row's group: who waits, by direction
    tails = np.full((count, 2), -1, np.int32)
    following = np.full(count, -1, np.int32)
    for number in order:
        direction = directions[number]
        if direction < 0:
            continue
        group = _group_of(rows, number, hashes, slots)
        other = 1 - direction
        waiting = heads[group, other]
        while waiting >= 0 and times[number] - times[waiting] > within_ns:
            waiting = following[waiting]
        if waiting >= 0:
            partner[number], partner[waiting] = waiting, number
            heads[group, other] = following[waiting]
            continue
        heads[group, other] = -1
        if heads[group, direction] < 0:
            heads[group, direction] = number
        else:
            following[tails[group, direction]] = number
        tails[group, direction] = number
    return partner


@njit(cache=True, nogil=True, forceinline=True)
def _ends(row: Any) -> Any:
    """The two ends in one order for both directions, and the direction."""
    near, far = np.int64(row.source_port), np.int64(row.destination_port)
    if row.protocol == 1 or row.protocol == 58:
        near = far = _asked(near, np.int64(row.protocol))
    is_swapped = row.source_high > row.destination_high or (
        row.source_high == row.destination_high
        and (
            row.source_low > row.destination_low
            or (row.source_low == row.destination_low and near > far)
        )
    )
    if is_swapped:
        return (
            row.destination_high, row.destination_low, far, row.source_high, row.source_low, near, 1
        )  # fmt: skip
    return row.source_high, row.source_low, near, row.destination_high, row.destination_low, far, 0


@njit(cache=True, nogil=True, forceinline=True)
def _hash(row: Any) -> tuple[Any, Any]:
    """(hash of the two ends, direction); direction -1 where the row is whole already."""
    if row.one_way != 1:
        return np.uint64(0), np.int8(-1)
    ends = _ends(row)
    mixed = (ends[0] ^ ends[3] * np.uint64(31)) * _MIX ^ ends[1]
    mixed = (mixed ^ mixed >> np.uint64(31)) * _MIX ^ ends[4]
    mixed = (mixed ^ mixed >> np.uint64(29)) * _MIX
    mixed ^= np.uint64(ends[2]) << np.uint64(32) | np.uint64(ends[5]) << np.uint64(8)
    mixed = (mixed ^ np.uint64(row.protocol)) * _MIX
    return mixed ^ mixed >> np.uint64(32), np.int8(ends[6])


@njit(cache=True, nogil=True, forceinline=True)
def _group_of(rows: Any, number: int, hashes: NDArray[Any], slots: NDArray[Any]) -> int:
    """The first row with the same ends."""
    slot = np.int64(hashes[number] & np.uint64(len(slots) - 1))
    while True:
        known = slots[slot]
        if known < 0:
            slots[slot] = number
            return number
        if hashes[known] == hashes[number] and _is_same(rows[known], rows[number]):
            return known
        slot = (slot + 1) & len(slots) - 1


@njit(cache=True, nogil=True)
def _is_same(one: Any, other: Any) -> bool:
    if one.protocol != other.protocol or one.sensor != other.sensor:
        return False
    ours, theirs = _ends(one), _ends(other)
    return (
        ours[0] == theirs[0] and ours[1] == theirs[1] and ours[2] == theirs[2]
        and ours[3] == theirs[3] and ours[4] == theirs[4] and ours[5] == theirs[5]
    )  # fmt: skip


@njit(cache=True, nogil=True)
def part_pairs(
    rows: Any, partner: NDArray[Any], since_ns: int, complete: Any, waiting: Any
) -> tuple[int, int]:
    """Write pairs as one row into `complete`, with what waits no longer; the rest into `waiting`.

    A row alone waits if it was reported at `since_ns` or later. Returns how many of each.
    """
    done = left = 0
    for number in range(len(rows)):
        other = partner[number]
        if other > number:
            continue  # told with the later of the two
        row = rows[number]
        if other >= 0:
            if _starts(row, rows[other]):
                _join(row, rows[other], complete[done])
            else:
                _join(rows[other], row, complete[done])
            done += 1
        elif row.one_way == 1 and row.reported_ns >= since_ns:
            waiting[left] = row
            left += 1
        else:
            complete[done] = row
            done += 1
    return done, left


@njit(cache=True, nogil=True)
def _starts(left: Any, right: Any) -> bool:
    """Is `left` the originator's half?"""
    asks = left.flags & (_SYN | _ACK) == _SYN
    # A whole connection's union shows SYN and ACK on both sides; then time decides, then ports.
    if asks != (right.flags & (_SYN | _ACK) == _SYN):
        return asks
    if left.first_ns != right.first_ns:
        return left.first_ns < right.first_ns
    return left.source_port >= right.source_port


@njit(cache=True, nogil=True)
def _join(ours: Any, theirs: Any, row: Any) -> None:
    row.first_ns = min(ours.first_ns, theirs.first_ns)
    row.last_ns = max(ours.last_ns, theirs.last_ns)
    row.reported_ns = max(ours.reported_ns, theirs.reported_ns)
    row.sampling = max(ours.sampling, theirs.sampling)
    row.sensor, row.family, row.protocol = ours.sensor, ours.family, ours.protocol
    row.vlan = ours.vlan if ours.vlan != 0 else theirs.vlan
    row.source_high, row.source_low = ours.source_high, ours.source_low
    row.destination_high, row.destination_low = ours.destination_high, ours.destination_low
    row.source_port, row.destination_port = ours.source_port, ours.destination_port
    row.source_mac = ours.source_mac if ours.source_mac != 0 else theirs.destination_mac
    row.destination_mac = ours.destination_mac if ours.destination_mac != 0 else theirs.source_mac
    row.packets, row.bytes, row.flags = ours.packets, ours.bytes, ours.flags
    row.reply_packets, row.reply_bytes = theirs.packets, theirs.bytes
    row.reply_flags = theirs.flags
    row.ttl_min, row.ttl_max = ours.ttl_min, ours.ttl_max
    row.reply_ttl_min, row.reply_ttl_max = theirs.ttl_min, theirs.ttl_max
    row.syn_window, row.syn_mss = ours.syn_window, ours.syn_mss
    row.syn_wscale, row.syn_layout = ours.syn_wscale, ours.syn_layout
    better = theirs.app_confidence > ours.app_confidence
    row.app = theirs.app if better else ours.app
    row.app_confidence = theirs.app_confidence if better else ours.app_confidence
    row.one_way, row.end_reason, row.part = 0, ours.end_reason, ours.part
    row.state = state_of(
        np.int64(row.flags), np.int64(row.reply_flags), row.reply_packets > 0, row.protocol == 6,
        False,
    )  # fmt: skip
