"""IPv4 and IPv6 headers, with extension headers and fragments."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from collector.fastlane import layout
from collector.fastlane.fragments import Fragments, is_pending, note_outer, take_fragment
from collector.fastlane.hashing import hash_pair
from collector.fastlane.steps import (
    CHECK_SUMS,
    COUNT_OFFLOADED,
    ETHERNET,
    IP,
    KEEP_OUTER,
    MPLS,
    PPP,
    STOP,
)
from collector.fastlane.transport import read_transport, sum_words
from collector.fastlane.tunnels import enter_udp, read_gre
from collector.fastlane.wire import Buffer, read8, read16, read32, read64

#: A header row's `counts` where the checksum is wrong.
DAMAGED: Final = 2
_V4_MAPPED = np.uint64(0xFFFF_0000_0000)


@njit(cache=True, nogil=True, forceinline=True)
def read_ip(
    buffer: Buffer,
    at: int,
    end: int,
    wire_end: int,
    rows: Any,
    count: int,
    fragments: Fragments,
    malformed: Any,
    options: int,
    seed: Any,
    room: int,
) -> tuple[int, int, int, int, int, int]:
    """Read an IP header and what follows it; rows has `room` for so many more.

    Returns (next step, offset, EtherType, end, wire_end, rows written).
    """
    row = rows[count]
    row.pick = 0
    row.is_part = 0
    row.one_way = 0
    row.counts = 1
    identity = np.int64(-1)
    fragment = np.int64(0)
    if at + 20 > end:
        malformed[layout.IP_SHORT] += 1
        return STOP, at, 0, end, wire_end, 0
    version = buffer[at] >> 4
    if version == 4:
        header = (read8(buffer, at) & 15) * 4
        total = read16(buffer, at + 2)
        row.ip_bytes = total
        if total == 0:  # segmentation offload: the card writes the length after the capture
            total = wire_end - at
            if options & COUNT_OFFLOADED:
                row.ip_bytes = total
        if header < 20 or total < header:
            malformed[layout.IP_HEADER_BAD] += 1
            return STOP, at, 0, end, wire_end, 0
        if at + header > end:
            malformed[layout.IP_SHORT] += 1
            return STOP, at, 0, end, wire_end, 0
        if options & CHECK_SUMS and sum_words(buffer, at, at + header) != 0xFFFF:
            malformed[layout.CHECKSUM_BAD] += 1
            return STOP, at, 0, end, wire_end, 0
        row.family = 4
        row.source_high = 0
        row.source_low = _V4_MAPPED | np.uint64(read32(buffer, at + 12))
        row.destination_high = 0
        row.destination_low = _V4_MAPPED | np.uint64(read32(buffer, at + 16))
        row.ttl = buffer[at + 8]
        protocol = read8(buffer, at + 9)
        fragment = read16(buffer, at + 6)
        if fragment & 0x3FFF:
            identity = read16(buffer, at + 4)
            fragment = (fragment & 0x1FFF) << 3 | (fragment >> 13 & 1)
        next_at = at + header
    elif version == 6:
        if at + 40 > end:
            malformed[layout.IP_SHORT] += 1
            return STOP, at, 0, end, wire_end, 0
        total = 40 + read16(buffer, at + 4)
        row.ip_bytes = total
        if total == 40 and buffer[at + 6] != 59:
            total = wire_end - at
            if options & COUNT_OFFLOADED:
                row.ip_bytes = total
        row.family = 6
        row.source_high = read64(buffer, at + 8)
        row.source_low = read64(buffer, at + 16)
        row.destination_high = read64(buffer, at + 24)
        row.destination_low = read64(buffer, at + 32)
        row.ttl = buffer[at + 7]
        protocol = read8(buffer, at + 6)
        next_at, protocol, identity, fragment = _skip_extensions(
            buffer, at + 40, min(end, at + total), protocol, row
        )
        if next_at < 0:
            malformed[layout.EXTENSION_BAD] += 1
            return STOP, at, 0, end, wire_end, 0
    else:
        malformed[layout.IP_HEADER_BAD] += 1
        return STOP, at, 0, end, wire_end, 0
    if total > wire_end - at and not is_pending(fragments):
        malformed[layout.IP_LENGTH_BAD] += 1
    wire_end = at + total
    end = min(end, wire_end)
    row.protocol = protocol
    row.flags = 0
    row.options = 0
    row.sequence = 0
    row.acknowledged = 0
    row.window = 0
    row.source_port = 0
    row.destination_port = 0
    row.transport_at = next_at
    row.payload_at = end
    row.payload_end = end
    row.payload_wire = 0
    if identity >= 0:
        data_at = next_at
        header = data_at - at - (8 if version == 6 else 0)
        offset = fragment & 0xFFF8
        written = take_fragment(
            fragments, rows, count, identity, offset, fragment & 1 == 0, header,
            total - (data_at - at), room, malformed,
        )  # fmt: skip
        if written >= 0:
            for place in range(written):
                rows[count + place].hash = hash_pair(rows[count + place], seed)
            return STOP, at, 0, end, wire_end, written
        if version == 6:
            next_at, protocol, _, _ = _skip_extensions(buffer, next_at, end, protocol, row)
            if next_at < 0:
                note_outer(fragments, False)
                malformed[layout.EXTENSION_BAD] += 1
                return STOP, at, 0, end, wire_end, 0
            row.protocol = protocol
            row.transport_at = next_at
    step, inner_at, ether_type, is_kept = _read_inside(
        buffer, next_at, end, wire_end, row, malformed, options, identity >= 0
    )
    if is_kept:
        row.hash = hash_pair(row, seed)
    if identity >= 0:
        note_outer(fragments, is_kept)
    return step, inner_at, ether_type, end, wire_end, (1 if is_kept else 0)


@njit(cache=True, nogil=True, forceinline=True)
def _read_inside(
    buffer: Buffer, at: int, end: int, wire_end: int, row: Any, malformed: Any, options: int,
    is_cut: bool,
) -> tuple[int, int, int, bool]:  # fmt: skip
    """What IP carries: (next step, offset, EtherType, whether the row is a flow's)."""
    protocol = row.protocol
    if protocol == 6 or protocol == 17:
        read_transport(buffer, at, end, wire_end, row, malformed)
        if options & CHECK_SUMS and not is_cut and _is_damaged(buffer, at, end, wire_end, row):
            malformed[layout.CHECKSUM_BAD] += 1
            row.counts = DAMAGED
            row.payload_at = row.payload_end
            return STOP, at, 0, True
        if protocol == 17:
            step, inner_at, ether_type = enter_udp(buffer, row)
            return step, inner_at, ether_type, True
        return STOP, at, 0, True
    if protocol == 4 or protocol == 41:
        return IP, at, 0, options & KEEP_OUTER != 0
    if protocol == 47:
        step, inner_at, ether_type = read_gre(buffer, at, end)
        return step, inner_at, ether_type, options & KEEP_OUTER != 0 or step in (STOP, PPP)
    if protocol == 97:  # EtherIP (RFC 3378): two bytes, then a frame
        return ETHERNET, at + 2, 0, options & KEEP_OUTER != 0
    if protocol == 137:
        return MPLS, at, 0, options & KEEP_OUTER != 0
    read_transport(buffer, at, end, wire_end, row, malformed)
    if options & CHECK_SUMS and not is_cut and _is_damaged(buffer, at, end, wire_end, row):
        malformed[layout.CHECKSUM_BAD] += 1
        row.counts = DAMAGED
    return STOP, at, 0, True


@njit(cache=True, nogil=True)
def _is_damaged(buffer: Buffer, at: int, end: int, wire_end: int, row: Any) -> bool:
    """Does the checksum of TCP, UDP or ICMP not fit? False where not all of it was captured."""
    protocol = np.int64(row.protocol)
    is_v6 = row.family == 6
    size = wire_end - at
    least = 20 if protocol == 6 else 8
    if end < wire_end or size < least:
        return False
    if (
        protocol not in (6, 17)
        and not (protocol == 58 and is_v6)
        and not (protocol == 1 and not is_v6)
    ):
        return False
    if protocol == 17 and read16(buffer, at + 6) == 0:
        return False
    total = sum_words(buffer, at, wire_end)
    if protocol != 1:
        for half in (row.source_high, row.source_low, row.destination_high, row.destination_low):
            value = half
            if not is_v6:
                value = half & np.uint64(0xFFFFFFFF)
            for shift in (0, 16, 32, 48):
                total += np.int64(value >> np.uint64(shift) & np.uint64(0xFFFF))
        total += protocol + (size >> 16) + (size & 0xFFFF)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total != 0xFFFF


@njit(cache=True, nogil=True)
def _skip_extensions(
    buffer: Buffer, at: int, end: int, protocol: int, row: Any
) -> tuple[int, int, int, int]:
    """Walk IPv6 extension headers; the ends that they name take the header's place in the row.

    Returns (transport offset or -1, protocol, fragment id or -1, fragment offset | has more).
    It stops behind a fragment header.
    """
    for _ in range(16):
        if protocol == 0 or protocol == 43 or protocol == 60 or protocol == 135:
            if at + 8 > end:
                return -1, protocol, -1, 0
            length = (read8(buffer, at + 1) + 1) * 8
            if at + length > end:
                return -1, protocol, -1, 0
            if protocol == 43:
                _read_routing(buffer, at, length, row)
            elif protocol == 60:
                _read_home_address(buffer, at + 2, at + length, row)
            protocol = read8(buffer, at)
            at += length
        elif protocol == 51:  # authentication header (RFC 4302)
            if at + 8 > end:
                return -1, protocol, -1, 0
            protocol, length = read8(buffer, at), (read8(buffer, at + 1) + 2) * 4
            at += length
            if at > end:
                return -1, protocol, -1, 0
        elif protocol == 44:
            if at + 8 > end:
                return -1, protocol, -1, 0
            protocol, word = read8(buffer, at), read16(buffer, at + 2)
            at += 8
            if word & 0xFFF9:  # an atomic fragment is a whole packet
                return at, protocol, read32(buffer, at - 4), word & 0xFFF9
        else:
            return at, protocol, -1, 0
    return -1, protocol, -1, 0


@njit(cache=True, nogil=True)
def _read_routing(buffer: Buffer, at: int, length: int, row: Any) -> None:
    """Type 0 (RFC 2460 §4.4): the last address is where the packet goes in the end."""
    if buffer[at + 2] == 0 and buffer[at + 3] > 0 and length >= 24:
        row.destination_high = read64(buffer, at + length - 16)
        row.destination_low = read64(buffer, at + length - 8)


@njit(cache=True, nogil=True)
def _read_home_address(buffer: Buffer, at: int, end: int, row: Any) -> None:
    """Home Address option (RFC 6275 §6.3): who a mobile sender is."""
    while at + 2 <= end:
        kind, length = read8(buffer, at), read8(buffer, at + 1)
        if kind == 0:
            at += 1
            continue
        if kind == 0xC9 and length == 16 and at + 18 <= end:
            row.source_high = read64(buffer, at + 2)
            row.source_low = read64(buffer, at + 10)
        at += 2 + length
