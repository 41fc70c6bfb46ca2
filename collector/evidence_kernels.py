"""Mark the packets in which wanted hosts meet; a chained hash table holds who is wanted."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.capture.chunk import Chunk
from collector.fastlane import layout
from collector.fastlane.decode import decode_frame
from collector.fastlane.fragments import new_fragments
from collector.fastlane.steps import KEEP_OUTER
from collector.fastlane.wire import Buffer

_HITS: Final = 65_536
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
_32, _MASK_64 = np.uint64(32), (1 << 64) - 1

WANTED_DTYPE: Final = np.dtype(
    [
        ("one_high", "u8"),
        ("one_low", "u8"),
        ("other_high", "u8"),
        ("other_low", "u8"),
        ("next", "i4"),  # of the same slot, -1 at the end
        ("request", "i4"),
        ("is_pair", "u1"),
    ],
    align=True,
)


class _Wanted(NamedTuple):
    slots: NDArray[np.int32]  # first row of the slot, -1 if none
    rows: NDArray[Any]  # WANTED_DTYPE
    spans: NDArray[np.int64]  # (first, last) ns per request
    left: NDArray[np.int64]  # packets that each request still takes
    has_more: NDArray[np.uint8]


class Matcher:
    """Finds wanted packets chunk by chunk."""

    def __init__(
        self,
        wanted: Sequence[tuple[int, tuple[int, int], tuple[int, int] | None]],
        spans: Sequence[tuple[int, int]],
        most_packets: int,
    ) -> None:
        slots = np.full(1 << (2 * len(wanted) + 1).bit_length(), -1, np.int32)
        rows = np.zeros(len(wanted), WANTED_DTYPE)
        for number, (request, one, other) in enumerate(wanted):
            row = rows[number]
            row["one_high"], row["one_low"] = one
            row["other_high"], row["other_low"] = other or (0, 0)
            row["is_pair"], row["request"] = other is not None, request
            key = _key_of(one) + (_key_of(other) if other else 0) & len(slots) - 1
            row["next"] = slots[key]
            slots[key] = number
        limits = np.array(spans, np.int64).reshape(-1, 2)
        left = np.full(len(limits), most_packets, np.int64)
        self._wanted = _Wanted(slots, rows, limits, left, np.zeros(len(limits), np.uint8))
        self._heads = layout.zeros_aligned(layout.MAX_LAYERS + 1, layout.HEADER_DTYPE)
        self._fragments = new_fragments()
        self._malformed = np.zeros(len(layout.MALFORMED), np.int64)

    def match(self, chunk: Chunk) -> Iterator[tuple[int, int]]:
        """Yield (request, packet) for every wanted packet of the chunk."""
        hits = np.empty((_HITS + len(self._wanted.left), 2), np.int64)
        start = 0
        while start < len(chunk):
            start, count = _match(
                self._wanted, chunk.buffer, chunk.index, start, hits, self._heads, self._fragments,
                self._malformed,
            )  # fmt: skip
            yield from map(tuple, hits[:count].tolist())

    def is_full(self) -> list[bool]:
        """Per request: were there more packets than it takes?"""
        return [bool(more) for more in self._wanted.has_more]


def _key_of(address: tuple[int, int]) -> int:
    high, low = address
    mixed = (low ^ high * 31) * int(_MIX) & _MASK_64
    return mixed >> 32


@njit(cache=True, nogil=True)
def _key(high: Any, low: Any) -> int:
    return np.int64((low ^ high * np.uint64(31)) * _MIX >> _32)


@njit(cache=True, nogil=True)
def _match(
    wanted: _Wanted, buffer: Buffer, index: Any, start: int, hits: Any, heads: Any, fragments: Any,
    malformed: Any,
) -> tuple[int, int]:  # fmt: skip
    """Returns (next packet, hits written)."""
    count = 0
    mask = len(wanted.slots) - 1
    for packet in range(start, len(index)):
        if count >= len(hits) - len(wanted.left):
            return packet, count
        layers = decode_frame(
            buffer, index[packet], heads, 0, fragments, malformed, KEEP_OUTER, np.uint64(0)
        )
        before = count
        for layer in range(layers):
            head = heads[layer]
            if head.family == 0:
                continue
            source = _key(head.source_high, head.source_low)
            destination = _key(head.destination_high, head.destination_low)
            for place in (source + destination, source, destination):
                number = wanted.slots[place & mask]
                while number >= 0:
                    row = wanted.rows[number]
                    if _is_met(row, head) and _takes(
                        wanted, row.request, head, hits, before, count
                    ):
                        hits[count, 0] = row.request
                        hits[count, 1] = packet
                        count += 1
                    number = row.next
    return len(index), count


@njit(cache=True, nogil=True)
def _takes(wanted: _Wanted, request: int, head: Any, hits: Any, before: int, count: int) -> bool:
    """Is it the request's time, has it room, and did this packet not hit it already?"""
    if head.time_ns < wanted.spans[request, 0] or head.time_ns > wanted.spans[request, 1]:
        return False
    for place in range(before, count):
        if hits[place, 0] == request:
            return False
    if wanted.left[request] == 0:
        wanted.has_more[request] = 1
        return False
    wanted.left[request] -= 1
    return True


@njit(cache=True, nogil=True)
def _is_met(row: Any, head: Any) -> bool:
    forth = row.one_low == head.source_low and row.one_high == head.source_high
    back = row.one_low == head.destination_low and row.one_high == head.destination_high
    if not row.is_pair:
        return forth or back
    if forth and row.other_low == head.destination_low:
        return row.other_high == head.destination_high
    return back and row.other_low == head.source_low and row.other_high == head.source_high


def payload_starts(chunk: Chunk) -> NDArray[np.int64]:
    """Bytes of each frame before its innermost payload; 0 where no IP header can be read."""
    found = np.zeros(len(chunk), np.int64)
    heads = layout.zeros_aligned(layout.MAX_LAYERS + 1, layout.HEADER_DTYPE)
    fragments = new_fragments()
    malformed = np.zeros(len(layout.MALFORMED), np.int64)
    _payload_starts(chunk.buffer, chunk.index, heads, fragments, malformed, found)
    return found


@njit(cache=True, nogil=True)
def _payload_starts(
    buffer: Buffer, index: Any, heads: Any, fragments: Any, malformed: Any, found: Any
) -> None:
    for packet in range(len(index)):
        layers = decode_frame(
            buffer, index[packet], heads, 0, fragments, malformed, KEEP_OUTER, np.uint64(0)
        )
        if layers > 0 and heads[layers - 1].family != 0:
            start = heads[layers - 1].payload_at - index[packet].offset
            found[packet] = min(max(start, 0), np.int64(index[packet].captured))
