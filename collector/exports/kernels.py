"""The joining of two directions: who waits for whom, and what two records say together."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.exports.fill import state_of
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.fastlane.wire import borrow, prefetch

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


#: A waiting row's hash, and its neighbours in the chain.
LINK_DTYPE: Final = np.dtype([("hash", "u8"), ("older", "i4"), ("newer", "i4")])


class Waiting(NamedTuple):
    """Records that wait for their other direction: a ring in order of arrival, and a hash table.

    The ring's rows of one slot of the table form a chain; -1 ends it.
    """

    rows: NDArray[Any]  # OUTPUT_DTYPE
    raw: NDArray[np.uint8]  # the same, (n, bytes of a row): a row is copied ten times as fast so
    direction: NDArray[np.int8]  # -1: found its partner already
    links: NDArray[Any]  # LINK_DTYPE
    slots: NDArray[np.int32]  # newest of each chain
    ring: NDArray[np.int64]  # OLDEST, COUNT


OLDEST, COUNT = range(2)
#: Rows of one chain that are looked at: records of one tuple may come by the thousand.
_MOST_STEPS = 32
#: Rows whose partners' memory is asked for together.
_BLOCK = 32


def new_waiting(room: int) -> Waiting:
    """Room for so many records, a power of two."""
    rows = np.empty(room, OUTPUT_DTYPE)
    return Waiting(
        rows,
        raw_of(rows),
        np.empty(room, np.int8),
        np.empty(room, LINK_DTYPE),
        np.full(2 * room, -1, np.int32),
        np.zeros(2, np.int64),
    )


def raw_of(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Rows as bytes, (n, bytes of a row), in the same memory."""
    return rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)


@njit(cache=True, nogil=True, forceinline=True)
def _borrow(owned: Waiting) -> Waiting:
    return Waiting(
        borrow(owned.rows), borrow(owned.raw), borrow(owned.direction), borrow(owned.links),
        borrow(owned.slots), borrow(owned.ring),
    )  # fmt: skip


@njit(cache=True, nogil=True, forceinline=True)
def _copy(source: Any, at: int, target: Any, to: int) -> None:
    for place in range(source.shape[1]):
        target[to, place] = source[at, place]


@njit(cache=True, nogil=True)
def take(
    waiting: Waiting, flows: Any, raw: Any, start: int, within_ns: int, most: int, out: Any,
    out_raw: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """Take rows from `start` on; what is complete goes to `out`, in order of `reported_ns`.

    Stops where the ring has no room but may grow. Returns (next row, rows written, rows let go
    early because `most` wait already). `out` has room for the rows and all that wait; `raw` and
    `out_raw` are the same rows as bytes.
    """
    waiting, flows, raw = _borrow(waiting), borrow(flows), borrow(raw)
    out, out_raw = borrow(out), borrow(out_raw)
    hashes, directions = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.int8)
    done = early = 0
    for number in range(start, len(flows)):
        place = (number - start) % _BLOCK
        if place == 0:
            _ask(waiting, flows, number, hashes, directions)
        row = flows[number]
        now_ns = row.reported_ns
        done = _expire(waiting, now_ns, within_ns, out, out_raw, done)
        if row.one_way != 1:
            _copy(raw, number, out_raw, done)
            done += 1
            continue
        mixed, direction = hashes[place], directions[place]
        other = _partner(waiting, row, mixed, 1 - direction, within_ns)
        if other >= 0:
            if _starts(row, waiting.rows[other]):
                _join(row, waiting.rows[other], out[done])
            else:
                _join(waiting.rows[other], row, out[done])
            done += 1
            _unlink(waiting, other)
            continue
        if waiting.ring[COUNT] >= most:
            done = _let_go(waiting, now_ns, out, out_raw, done)
            early += 1
        elif waiting.ring[COUNT] == len(waiting.rows):
            return number, done, early
        _insert(waiting, raw, number, mixed, direction)
    return len(flows), done, early


@njit(cache=True, nogil=True, forceinline=True)
def _ask(waiting: Waiting, flows: Any, start: int, hashes: Any, directions: Any) -> None:
    """Hash a block of rows, and ask for the memory of what may wait for them.

    Waiting rows are many more than the processor's cache holds: a miss costs more than a joining.
    """
    stop = min(start + _BLOCK, len(flows))
    mask = np.uint64(len(waiting.slots) - 1)
    for place in range(stop - start):
        hashes[place], directions[place] = _hash(flows[start + place])
        prefetch(waiting.slots, np.int64(hashes[place] & mask), 0)
    for place in range(stop - start):
        newest = np.int64(waiting.slots[np.int64(hashes[place] & mask)])
        if newest >= 0:
            prefetch(waiting.links, newest, 0)
            prefetch(waiting.direction, newest, 0)
            for line in (0, 64, 128):
                prefetch(waiting.rows, newest, line)


@njit(cache=True, nogil=True)
def expire(waiting: Waiting, now_ns: int, within_ns: int, out: Any, out_raw: Any, done: int) -> int:
    """Let go of what has waited long enough, as of the moment when it had."""
    return _expire(_borrow(waiting), now_ns, within_ns, borrow(out), borrow(out_raw), done)


@njit(cache=True, nogil=True, forceinline=True)
def _expire(
    waiting: Waiting, now_ns: int, within_ns: int, out: Any, out_raw: Any, done: int
) -> int:
    while waiting.ring[COUNT] > 0:
        oldest = waiting.ring[OLDEST]
        due_ns = waiting.rows[oldest].reported_ns + within_ns
        if waiting.direction[oldest] >= 0 and due_ns > now_ns:
            break
        done = _let_go(waiting, due_ns, out, out_raw, done)
    return done


@njit(cache=True, nogil=True)
def move(waiting: Waiting, larger: Waiting) -> None:
    """Bring all that waits into a ring with more room."""
    at = waiting.ring[OLDEST]
    for _ in range(waiting.ring[COUNT]):
        if waiting.direction[at] >= 0:
            _insert(larger, waiting.raw, at, waiting.links[at].hash, waiting.direction[at])
        at = (at + 1) & (len(waiting.rows) - 1)


@njit(cache=True, nogil=True, forceinline=True)
def _let_go(waiting: Waiting, at_ns: int, out: Any, out_raw: Any, done: int) -> int:
    """The oldest leaves the ring; written if it is still alone."""
    oldest = waiting.ring[OLDEST]
    coming = waiting.links[(oldest + _BLOCK) & (len(waiting.rows) - 1)].hash
    prefetch(waiting.slots, np.int64(coming & np.uint64(len(waiting.slots) - 1)), 0)
    if waiting.direction[oldest] >= 0:
        _copy(waiting.raw, oldest, out_raw, done)
        out[done].reported_ns = at_ns
        done += 1
        _unlink(waiting, oldest)
    waiting.ring[OLDEST] = (oldest + 1) & (len(waiting.rows) - 1)
    waiting.ring[COUNT] -= 1
    return done


@njit(cache=True, nogil=True, forceinline=True)
def _insert(waiting: Waiting, raw: Any, number: int, mixed: Any, direction: int) -> None:
    at = (waiting.ring[OLDEST] + waiting.ring[COUNT]) & (len(waiting.rows) - 1)
    waiting.ring[COUNT] += 1
    slot = np.int64(mixed & np.uint64(len(waiting.slots) - 1))
    newest = waiting.slots[slot]
    _copy(raw, number, waiting.raw, at)
    waiting.direction[at] = direction
    link = waiting.links[at]
    link.hash, link.older, link.newer = mixed, newest, -1
    if newest >= 0:
        waiting.links[newest].newer = at
    waiting.slots[slot] = at


@njit(cache=True, nogil=True, forceinline=True)
def _unlink(waiting: Waiting, at: int) -> None:
    link = waiting.links[at]
    older, newer = link.older, link.newer
    if newer >= 0:
        waiting.links[newer].older = older
    else:
        waiting.slots[np.int64(link.hash & np.uint64(len(waiting.slots) - 1))] = older
    if older >= 0:
        waiting.links[older].newer = newer
    waiting.direction[at] = -1


@njit(cache=True, nogil=True)
def _partner(waiting: Waiting, row: Any, mixed: Any, direction: int, within_ns: int) -> int:
    """The oldest that waits for this row and began within the time, or -1."""
    at = waiting.slots[np.int64(mixed & np.uint64(len(waiting.slots) - 1))]
    found = -1
    for _ in range(_MOST_STEPS):
        if at < 0:
            break
        if (
            waiting.links[at].hash == mixed
            and waiting.direction[at] == direction
            and abs(row.first_ns - waiting.rows[at].first_ns) <= within_ns
            and _is_same(row, waiting.rows[at])
        ):
            found = at
        at = waiting.links[at].older
    return found


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
