"""Read the blocks of a TPACKET_V3 ring: index its packets, put VLAN tags back, drop duplicates.

Layout: linux/if_packet.h (tpacket_block_desc, tpacket3_hdr, sockaddr_ll), in the host's byte order,
which is little-endian on every machine that we support.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane.wire import Buffer, read16, read32, read64

# Offsets in a block.
_STATUS, _PACKETS, _FIRST = 8, 12, 16
# Offsets in a packet's header.
_SECONDS, _NANOSECONDS, _CAPTURED, _WIRE, _FLAGS, _MAC = 4, 8, 12, 16, 20, 24
_VLAN, _VLAN_TYPE, _KIND = 32, 36, 58
_VLAN_IS_SET, _VLAN_TYPE_IS_SET, _OUTGOING = 0x10, 0x40, 4
_DOT1Q: Final = 0x8100
_ETHERNET: Final = 1
#: Bytes of a packet, from its IP header on, that decide whether it is the same as another.
_COMPARED: Final = 96

# Cells of `counts`.
SEEN, WIRE_BYTES, DUPLICATES, LAST_NS = range(4)

#: One remembered packet, for finding its copies.
RECENT_DTYPE: Final = np.dtype([("hash", "u8"), ("time_ns", "i8")], align=True)


@njit(cache=True, nogil=True, inline="always")
def _low32(buffer: Buffer, at: int) -> int:
    """Four bytes in the host's order."""
    value = read32(buffer, at)
    return (value & 0xFF) << 24 | (value & 0xFF00) << 8 | (value >> 8) & 0xFF00 | value >> 24


@njit(cache=True, nogil=True, inline="always")
def _low16(buffer: Buffer, at: int) -> int:
    value = read16(buffer, at)
    return (value & 0xFF) << 8 | value >> 8


@njit(cache=True, nogil=True)
def is_ready(ring: Buffer, block_at: int) -> bool:
    """Does the block belong to us?"""
    return _low32(ring, block_at + _STATUS) & 1 != 0


@njit(cache=True, nogil=True)
def release(ring: Buffer, block_at: int) -> None:
    """Give the block back to the kernel."""
    for byte in range(4):
        ring[block_at + _STATUS + byte] = 0


@njit(cache=True, nogil=True)
def packets_in(ring: Buffer, block_at: int) -> int:
    """How many packets the block says it holds."""
    return _low32(ring, block_at + _PACKETS)


@njit(cache=True, nogil=True)
def index_block(
    ring: Buffer, block_at: int, block_size: int, index: Any, start: int, recent: Any,
    within_ns: int, keeps_outgoing: bool, link_type: int, counts: NDArray[Any],
) -> int:  # fmt: skip
    """Write INDEX rows of a block's packets from `start` on; returns where the next row goes.

    The frame's offset counts from the ring's start. Four bytes before each frame are free
    (PACKET_RESERVE), so that a tag which the kernel took off goes back to its place.
    """
    at = block_at + _low32(ring, block_at + _FIRST)
    end = block_at + block_size
    for _ in range(packets_in(ring, block_at)):
        if start >= len(index) or at + 64 > end:
            break
        captured = _low32(ring, at + _CAPTURED)
        frame = at + _low16(ring, at + _MAC)
        following = _low32(ring, at)
        wire = _low32(ring, at + _WIRE)
        if frame + captured > end:
            break
        is_wanted = keeps_outgoing or ring[at + _KIND] != _OUTGOING
        flags = _low32(ring, at + _FLAGS)
        time_ns = _low32(ring, at + _SECONDS) * 1_000_000_000 + _low32(ring, at + _NANOSECONDS)
        if is_wanted:
            counts[SEEN] += 1
            counts[WIRE_BYTES] += wire
            counts[LAST_NS] = time_ns
        if (
            is_wanted
            and within_ns > 0
            and _is_copy(ring, frame, captured, time_ns, recent, within_ns)
        ):
            counts[DUPLICATES] += 1
            is_wanted = False
        if is_wanted:
            if flags & _VLAN_IS_SET and captured >= 14 and link_type == _ETHERNET:
                kind = _low16(ring, at + _VLAN_TYPE) if flags & _VLAN_TYPE_IS_SET else _DOT1Q
                frame = _put_tag_back(ring, frame, kind, _low16(ring, at + _VLAN))
                captured += 4
                wire += 4
            row = index[start]
            row.offset = frame
            row.time_ns = time_ns
            row.captured = captured
            row.wire = max(captured, wire)
            row.link_type = link_type
            row.interface = 0
            start += 1
        if following == 0:
            break
        at += following
    return start


@njit(cache=True, nogil=True)
def _put_tag_back(ring: Buffer, frame: int, kind: int, tag: int) -> int:
    for byte in range(12):
        ring[frame - 4 + byte] = ring[frame + byte]
    ring[frame + 8] = kind >> 8
    ring[frame + 9] = kind & 0xFF
    ring[frame + 10] = tag >> 8
    ring[frame + 11] = tag & 0xFF
    return frame - 4


@njit(cache=True, nogil=True)
def _is_copy(
    buffer: Buffer, frame: int, captured: int, time_ns: int, recent: Any, within_ns: int
) -> bool:
    """Was the same IP packet seen a moment ago? A mirror port shows what goes in and out again.

    Everything from the IP header on counts, so that a retransmission (another id) and a routed
    packet (another TTL) are no copies. Link headers do not count: one copy may have lost its tag.
    """
    end = frame + captured
    at = frame + 12
    while at + 4 <= end:
        kind = read16(buffer, at)
        if kind != 0x8100 and kind != 0x88A8:
            break
        at += 4
    if at + 22 > end or (read16(buffer, at) != 0x0800 and read16(buffer, at) != 0x86DD):
        return False
    at += 2
    end = min(end, at + _COMPARED)
    mixed = np.uint64(end - at)
    while at + 8 <= end:
        mixed = (mixed ^ read64(buffer, at)) * np.uint64(0x9E37_79B9_7F4A_7C15)
        mixed ^= mixed >> np.uint64(29)
        at += 8
    while at < end:
        mixed = (mixed ^ np.uint64(buffer[at])) * np.uint64(0x9E37_79B9_7F4A_7C15)
        mixed ^= mixed >> np.uint64(29)
        at += 1
    row = recent[np.int64(mixed & np.uint64(len(recent) - 1))]
    is_same = row.hash == mixed and 0 <= time_ns - row.time_ns <= within_ns
    row.hash = mixed
    # The copy of a copy counts from the first: a loop on the network is not hidden for long.
    if not is_same:
        row.time_ns = time_ns
    return is_same


@njit(cache=True, nogil=True)
def gather(ring: Buffer, picks: Any, room: Buffer) -> int:
    """Copy the picked frames side by side into `room`; their offsets follow. Returns bytes used."""
    used = 0
    before_at, before_to = np.int64(-1), 0
    for number in range(len(picks)):
        pick = picks[number]
        if pick.frame_offset != before_at:  # two picks of one packet share its bytes
            before_at, before_to = pick.frame_offset, used
            for byte in range(pick.frame_length):
                room[used + byte] = ring[pick.frame_offset + byte]
            used += pick.frame_length
        shift = before_to - pick.frame_offset
        pick.frame_offset += shift
        pick.payload_offset += shift
    return used
