"""TCP, UDP, SCTP and ICMP headers."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

from numba import njit

from collector.fastlane import layout
from collector.fastlane.wire import Buffer, read8, read16, read32


@njit(cache=True, nogil=True, forceinline=True)
def read_transport(
    buffer: Buffer, at: int, end: int, wire_end: int, row: Any, malformed: Any
) -> None:
    """Ports, flags and payload of TCP, UDP, SCTP and ICMP."""
    protocol = row.protocol
    if protocol == 6:
        header = 20
    elif protocol == 17 or protocol == 1 or protocol == 58:
        header = 8
    elif protocol == 132:
        header = 12
    else:
        row.payload_at = min(at, end)
        row.payload_wire = max(0, wire_end - at)
        return
    if at + header > end:
        malformed[layout.TRANSPORT_SHORT] += 1
    if at + 4 > end:
        return
    if protocol == 1 or protocol == 58:
        kind, code = read8(buffer, at), read8(buffer, at + 1)
        pair = icmp_counterpart(kind, protocol == 58)
        row.source_port = kind
        row.destination_port = code if pair < 0 else pair
        row.one_way = 1 if pair < 0 else 0
    else:
        row.source_port = read16(buffer, at)
        row.destination_port = read16(buffer, at + 2)
    if at + header > end:
        return
    if protocol == 6:
        row.sequence = read32(buffer, at + 4)
        row.acknowledged = read32(buffer, at + 8)
        row.flags = buffer[at + 13]
        row.window = read16(buffer, at + 14)
        header = (read8(buffer, at + 12) >> 4) * 4
        if header < 20 or at + header > wire_end:
            malformed[layout.TCP_HEADER_BAD] += 1
            return
        row.options = max(0, min(end, at + header) - (at + 20))
    elif protocol == 17:
        length = read16(buffer, at + 4)
        if length >= 8:
            wire_end = min(wire_end, at + length)
            end = min(end, wire_end)
    row.payload_at = min(at + header, end)
    row.payload_end = end
    row.payload_wire = max(0, wire_end - (at + header))


@njit(cache=True, nogil=True)
def icmp_counterpart(kind: int, is_v6: bool) -> int:
    """The message type that answers (or asks for) this one; -1 if it stands alone."""
    if is_v6:
        if kind == 128 or kind == 129:
            return 257 - kind
        if kind == 133 or kind == 134:
            return 267 - kind
        if kind == 135 or kind == 136:
            return 271 - kind
        if kind == 130 or kind == 131:
            return 261 - kind
        if kind == 139 or kind == 140:
            return 279 - kind
        if kind == 144 or kind == 145:
            return 289 - kind
        return -1
    if kind == 8 or kind == 0:
        return 8 - kind
    if kind == 13 or kind == 14:
        return 27 - kind
    if kind == 15 or kind == 16:
        return 31 - kind
    if kind == 17 or kind == 18:
        return 35 - kind
    if kind == 9 or kind == 10:
        return 19 - kind
    return -1


@njit(cache=True, nogil=True)
def sum_words(buffer: Buffer, at: int, end: int) -> int:
    """One's complement sum of 16-bit words (RFC 1071), an odd last byte filled up with 0."""
    total: Any = 0
    while at + 4 <= end:
        total += read32(buffer, at)
        at += 4
    if at + 2 <= end:
        total += read16(buffer, at)
        at += 2
    if at < end:
        total += read8(buffer, at) << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
