"""Datagrams in fragments: one packet, counted when its last missing fragment has come.

The first fragment tells ports, payload and what a tunnel holds; its header rows are kept here until
the datagram is whole. What never becomes whole is not counted (nobody received it), but told.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane import layout
from collector.fastlane.hashing import MIX_1, MIX_2, MIX_3, mix

#: Datagrams that are remembered; a newer one takes the place of an older.
SLOTS: Final = 8192
#: Fragments of one datagram that are told apart; 64 KiB at the usual MTU are 45.
_PARTS: Final = 48
#: RFC 791: a datagram is reassembled within a minute.
_TIMEOUT_NS: Final = 60_000_000_000

FRAGMENT_DTYPE: Final = np.dtype(
    [
        ("key", "u8"),
        ("check", "u8"),
        ("time_ns", "i8"),
        ("seen", "i8"),  # bytes of the datagram's payload that came
        ("whole", "i8"),  # bytes of its payload; 0 until the last fragment came
        ("header", "i8"),  # bytes of its IP header
        ("parts", "u2"),  # fragments that came
        ("rows", "u1"),  # header rows kept
        ("has_first", "u1"),
        ("has_outer", "u1"),  # the first kept row is the datagram's own
        ("is_open", "u1"),
    ],
    align=True,
)

# Cells of Fragments.pending.
_SLOT, _ROW, _IS_WHOLE = range(3)


class Fragments(NamedTuple):
    """Datagrams of which a fragment is missing."""

    slots: NDArray[Any]  # FRAGMENT_DTYPE
    offsets: NDArray[np.uint16]  # (slots, _PARTS): which fragments came
    rows: NDArray[Any]  # (slots * MAX_LAYERS) HEADER_DTYPE: what the first fragments told
    pending: NDArray[np.int64]  # the first fragment that is being read


def new_fragments(slots: int = SLOTS) -> Fragments:
    """An empty memory; only what is used is ever touched."""
    return Fragments(
        np.zeros(slots, FRAGMENT_DTYPE),
        np.zeros((slots, _PARTS), np.uint16),
        np.zeros(slots * layout.MAX_LAYERS, layout.HEADER_DTYPE),
        np.full(3, -1, np.int64),
    )


@njit(cache=True, nogil=True)
def take_fragment(
    fragments: Fragments,
    rows: Any,
    count: int,
    identity: int,
    offset: int,
    is_last: bool,
    header: int,
    size: int,
    room: int,
    malformed: Any,
) -> int:
    """Note one fragment of `size` payload bytes; rows[count] holds its ends.

    Returns -1 where it is a datagram's first, to be read on, else how many rows were written (at
    most `room`): those of the whole datagram, if this fragment was the last one missing.
    """
    row = rows[count]
    number = _slot_of(fragments, row, identity, malformed)
    slot = fragments.slots[number]
    slot.time_ns = max(slot.time_ns, row.time_ns)
    is_known = _is_known(fragments, number, offset)
    if not is_known:
        slot.seen += size
        if is_last:
            slot.whole = offset + size
    is_whole = slot.whole > 0 and slot.seen >= slot.whole
    if offset == 0:
        slot.header = header
        is_whole = is_whole and not slot.has_first
        slot.has_first = 1
        fragments.pending[_SLOT] = number
        fragments.pending[_ROW] = count
        fragments.pending[_IS_WHOLE] = is_whole
        return -1
    if not is_whole or not slot.has_first or slot.rows == 0 or not slot.is_open:
        return 0
    slot.is_open = 0
    return _give(fragments, number, rows, count, room)


@njit(cache=True, nogil=True)
def _give(fragments: Fragments, number: int, rows: Any, count: int, room: int) -> int:
    """Write the rows of a datagram that is whole now."""
    slot = fragments.slots[number]
    frame = rows[count]
    time_ns, frame_at = frame.time_ns, frame.frame_at
    captured, wire, link_type = frame.frame_captured, frame.frame_wire, frame.link_type
    at = frame.payload_at
    kept: Any = min(np.int64(slot.rows), room)
    for place in range(kept):
        rows[count + place] = fragments.rows[number * layout.MAX_LAYERS + place]
        row = rows[count + place]
        row.time_ns = time_ns
        row.frame_at = frame_at
        row.frame_captured = captured
        row.frame_wire = wire
        row.link_type = link_type
        row.payload_at = at
        row.payload_end = at
        row.payload_wire = 0
        row.transport_at = at
        row.is_part = 1
        row.counts = 1
    if slot.has_outer:
        rows[count].ip_bytes = slot.header + slot.whole
    return kept


@njit(cache=True, nogil=True)
def settle_first(fragments: Fragments, rows: Any, count: int) -> None:
    """After a first fragment was read into rows up to `count`: keep them, or count them whole."""
    pending = fragments.pending
    number, start, is_whole = pending[_SLOT], pending[_ROW], pending[_IS_WHOLE]
    pending[_SLOT] = -1
    slot = fragments.slots[number]
    if is_whole:
        slot.is_open = 0
        if slot.has_outer:
            rows[start].ip_bytes = slot.header + slot.whole
        return
    kept: Any = max(0, min(count - start, layout.MAX_LAYERS))
    for place in range(kept):
        fragments.rows[number * layout.MAX_LAYERS + place] = rows[start + place]
        rows[start + place].counts = 0
    slot.rows = kept


@njit(cache=True, nogil=True)
def note_outer(fragments: Fragments, is_kept: bool) -> None:
    """Say whether the first fragment's own row is among those written."""
    fragments.slots[fragments.pending[_SLOT]].has_outer = is_kept


@njit(cache=True, nogil=True, forceinline=True)
def is_pending(fragments: Fragments) -> bool:
    """Is a first fragment being read?"""
    return fragments.pending[_SLOT] >= 0


@njit(cache=True, nogil=True)
def forget_open(fragments: Fragments) -> int:
    """Give up the datagrams that still miss a fragment; returns how many there were."""
    count = 0
    for number in range(len(fragments.slots)):
        count += fragments.slots[number].is_open
        fragments.slots[number].is_open = 0
    return count


@njit(cache=True, nogil=True)
def _slot_of(fragments: Fragments, row: Any, identity: int, malformed: Any) -> int:
    """The datagram's slot, taken from an older datagram if need be."""
    key = _key_of(row, identity)
    check = row.source_low ^ row.destination_low
    number = np.int64(key % np.uint64(len(fragments.slots)))
    slot = fragments.slots[number]
    is_same = slot.key == key and slot.check == check and slot.parts > 0
    if is_same and slot.is_open and abs(row.time_ns - slot.time_ns) <= _TIMEOUT_NS:
        return number
    malformed[layout.FRAGMENT_INCOMPLETE] += slot.is_open
    slot.key = key
    slot.check = check
    slot.time_ns = row.time_ns
    slot.seen = 0
    slot.whole = 0
    slot.header = 0
    slot.parts = 0
    slot.rows = 0
    slot.has_first = 0
    slot.has_outer = 0
    slot.is_open = 1
    return number


@njit(cache=True, nogil=True)
def _is_known(fragments: Fragments, number: int, offset: int) -> bool:
    """Did this fragment come before? Notes it if not."""
    slot = fragments.slots[number]
    came: Any = min(np.int64(slot.parts), _PARTS)
    for place in range(came):
        if fragments.offsets[number, place] == offset:
            return True
    if came < _PARTS:
        fragments.offsets[number, came] = offset
    slot.parts = min(came + 1, _PARTS)
    return False


@njit(cache=True, nogil=True)
def _key_of(row: Any, identity: int) -> Any:
    return mix(
        mix(row.source_low + row.source_high * MIX_2)
        + row.destination_low * MIX_3
        + row.destination_high
        + (np.uint64(identity) << np.uint64(8) | np.uint64(row.protocol)) * MIX_1
    )
