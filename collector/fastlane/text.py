"""Write flow records as text: one pass over the rows, bytes into a buffer, no Python objects."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane.community import put_community_id
from collector.fastlane.wire import borrow, copy8

#: What a line tells of a flow, in this order; `open_writer` chooses which and what stands between.
FIELDS: Final = (
    "first_ns", "last_ns", "src", "dst", "sport", "dport", "proto", "vlan", "src_mac", "dst_mac",
    "packets", "bytes", "reply_packets", "reply_bytes", "flags", "reply_flags", "state", "app",
    "app_confidence", "sensor", "community_id",
)  # fmt: skip

#: Longest a value can get, but for the sensor's name: 20 digits, 39 of IPv6, 30 of community ID.
LONGEST_VALUE: Final = 40

_PAIRS = np.frombuffer(b"".join(b"%02d" % pair for pair in range(100)), np.uint8).copy()
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
#: Words are copied eight bytes at a time; so much behind their end is read and written.
SLACK: Final = 8
_MAPPED, _32 = np.uint64(0xFFFF), np.uint64(32)
_TEN, _HUNDRED = np.uint64(10), np.uint64(100)


class Words(NamedTuple):
    """Byte strings laid end to end: word n is text[offsets[n]:offsets[n + 1]]."""

    text: NDArray[np.uint8]
    offsets: NDArray[np.int64]


class Scratch(NamedTuple):
    """Room for the hash of one community ID."""

    words: NDArray[np.uint32]
    block: NDArray[np.uint8]


def new_scratch() -> Scratch:
    return Scratch(np.zeros(80, np.uint32), np.zeros(64, np.uint8))


def lay_words(words: list[bytes]) -> Words:
    offsets = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(word) for word in words], out=offsets[1:])
    return Words(np.frombuffer(b"".join(words) + bytes(SLACK), np.uint8).copy(), offsets)


@njit(cache=True, nogil=True)
def write_lines(
    rows: Any, out: Any, chosen: Any, between: Words, states: Words, apps: Words, sensors: Words,
    scratch: Scratch,
) -> int:  # fmt: skip
    """Write one line per OUTPUT_DTYPE row into `out` (uint8); returns the bytes written.

    `chosen` are indexes into FIELDS; `between` has one more word than that: before each value, and
    after the last one. `out` must have room for the longest line times the rows, and SLACK more.
    """
    words, block = borrow(scratch.words), borrow(scratch.block)
    rows, out, chosen = borrow(rows), borrow(out), borrow(chosen)
    between, states = _borrow_words(between), _borrow_words(states)
    apps, sensors = _borrow_words(apps), _borrow_words(sensors)
    at = 0
    for number in range(len(rows)):
        row = rows[number]
        for place in range(len(chosen)):
            at = put_word(out, at, between, place)
            at = _put_field(out, at, row, chosen[place], states, apps, sensors, words, block)
        at = put_word(out, at, between, len(chosen))
    return at


@njit(cache=True, nogil=True, forceinline=True)
def _borrow_words(words: Words) -> Words:
    return Words(borrow(words.text), borrow(words.offsets))


@njit(cache=True, nogil=True, forceinline=True)
def _put_field(
    out: Any, at: int, row: Any, field: int, states: Words, apps: Words, sensors: Words,
    words: Any, block: Any,
) -> int:  # fmt: skip
    if field >= 10:
        return _put_count(out, at, row, field, states, apps, sensors, words, block)
    if field == 0:
        return put_number(out, at, row.first_ns)
    if field == 1:
        return put_number(out, at, row.last_ns)
    if field == 2:
        return put_address(out, at, row.source_high, row.source_low)
    if field == 3:
        return put_address(out, at, row.destination_high, row.destination_low)
    if field == 4:
        return put_number(out, at, row.source_port)
    if field == 5:
        return put_number(out, at, row.destination_port)
    if field == 6:
        return put_number(out, at, row.protocol)
    if field == 7:
        return put_number(out, at, row.vlan)
    if field == 8:
        return put_mac(out, at, row.source_mac)
    return put_mac(out, at, row.destination_mac)


@njit(cache=True, nogil=True, forceinline=True)
def _put_count(
    out: Any, at: int, row: Any, field: int, states: Words, apps: Words, sensors: Words,
    words: Any, block: Any,
) -> int:  # fmt: skip
    if field == 10:
        return put_number(out, at, row.packets)
    if field == 11:
        return put_number(out, at, row.bytes)
    if field == 12:
        return put_number(out, at, row.reply_packets)
    if field == 13:
        return put_number(out, at, row.reply_bytes)
    if field == 14:
        return put_number(out, at, row.flags)
    if field == 15:
        return put_number(out, at, row.reply_flags)
    if field == 16:
        return put_word(out, at, states, np.int64(row.state))
    if field == 17:
        return put_word(out, at, apps, np.int64(row.app))
    if field == 18:
        return put_number(out, at, row.app_confidence)
    if field == 19:
        return put_word(out, at, sensors, np.int64(row.sensor))
    return put_community_id(out, at, row, words, block)


@njit(cache=True, nogil=True, forceinline=True)
def put_word(out: Any, at: int, words: Words, number: int) -> int:
    if number < 0 or number + 1 >= len(words.offsets):
        return at
    start, stop = words.offsets[number], words.offsets[number + 1]
    for place in range(0, stop - start, SLACK):
        copy8(out, at + place, words.text, start + place)
    return at + stop - start


@njit(cache=True, nogil=True, forceinline=True)
def put_number(out: Any, at: int, value: Any) -> int:
    """Decimal digits of a number that is not negative."""
    rest = np.uint64(value)
    digits, bound = 1, _TEN
    while digits < 20 and rest >= bound:
        digits += 1
        bound *= _TEN  # past 19 digits it is not looked at
    place = at + digits
    while rest >= _HUNDRED:
        pair = np.int64(rest % _HUNDRED) * 2
        rest //= _HUNDRED
        place -= 2
        out[place] = _PAIRS[pair]
        out[place + 1] = _PAIRS[pair + 1]
    if rest >= _TEN:
        out[place - 2] = _PAIRS[np.int64(rest) * 2]
        rest %= _TEN
    out[place - 1] = np.uint8(48) + np.uint8(rest)
    return at + digits


@njit(cache=True, nogil=True)
def put_mac(out: Any, at: int, mac: Any) -> int:
    """aa:bb:cc:dd:ee:ff, nothing for 0."""
    value = np.int64(mac)
    if value == 0:
        return at
    for shift in range(44, -4, -4):
        out[at] = _HEX[value >> shift & 15]
        at += 1
        if shift & 4 == 0 and shift > 0:
            out[at] = ord(":")
            at += 1
    return at


@njit(cache=True, nogil=True)
def put_address(out: Any, at: int, high: Any, low: Any) -> int:
    """An address as people write it: dotted for IPv4, RFC 5952 for IPv6."""
    if high == 0 and low >> _32 == _MAPPED:
        for shift in (24, 16, 8, 0):
            at = put_number(out, at, np.int64(low) >> shift & 255)
            if shift:
                out[at] = ord(".")
                at += 1
        return at
    gap, gap_length = _longest_zeros(high, low)
    place = 0
    while place < 8:
        if place == gap:
            out[at] = ord(":")
            at += 1
            place += gap_length
            if place == 8:
                out[at] = ord(":")
                at += 1
            continue
        if place:
            out[at] = ord(":")
            at += 1
        group, is_begun = _group(high, low, place), False
        for shift in (12, 8, 4, 0):
            digit = group >> shift & 15
            if digit or is_begun or shift == 0:
                out[at] = _HEX[digit]
                at += 1
                is_begun = True
        place += 1
    return at


@njit(cache=True, nogil=True)
def _group(high: Any, low: Any, place: int) -> int:
    half = high if place < 4 else low
    return np.int64(half >> np.uint64(48 - 16 * (place & 3)) & np.uint64(0xFFFF))


@njit(cache=True, nogil=True)
def _longest_zeros(high: Any, low: Any) -> tuple[int, int]:
    """First longest run of at least two zero groups: (place or -1, length)."""
    best, best_length = -1, 1
    place = 0
    while place < 8:
        length = 0
        while place + length < 8 and _group(high, low, place + length) == 0:
            length += 1
        if length > best_length:
            best, best_length = place, length
        place += max(1, length)
    return best, best_length
