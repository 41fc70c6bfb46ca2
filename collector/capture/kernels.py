"""Walk the record headers of a capture and write the index of its packets.

Formats: pcap as in draft-ietf-opsawg-pcap, pcapng as in draft-ietf-opsawg-pcapng. Every read is
guarded by `filled`; a length that passes MAX_RECORD is corrupt, because no capture tool writes it.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Buffer = NDArray[np.uint8]

#: Longest record that is believed; tcpdump's own limit for a snapshot is 256 KiB.
MAX_RECORD = 16 << 20
#: Interfaces that one pcapng section may describe before the file counts as corrupt.
MAX_INTERFACES = 4096

# Why a walk stopped.
MORE, FULL, CORRUPT = 0, 1, 2

# Columns of the pcapng interface table.
LINK_TYPE, TICKS_PER_S, IS_POWER_OF_TWO, OFFSET_S, SNAPLEN = range(5)
# Cells of the pcapng section state.
BIG_ENDIAN, INTERFACES, LAST_NS = range(3)

_SECTION, _INTERFACE, _PACKET, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D


@njit(cache=True, nogil=True, inline="always")
def _read16(buffer: Buffer, at: int, big: bool) -> int:
    first, second = np.int64(buffer[at]), np.int64(buffer[at + 1])
    return first << 8 | second if big else second << 8 | first


@njit(cache=True, nogil=True, inline="always")
def _read32(buffer: Buffer, at: int, big: bool) -> int:
    if big:
        return _read16(buffer, at, True) << 16 | _read16(buffer, at + 2, True)
    return _read16(buffer, at + 2, False) << 16 | _read16(buffer, at, False)


@njit(cache=True, nogil=True)
def walk_pcap(
    buffer: Buffer, start: int, filled: int, big: bool, tick_ns: int, link_type: int, index: Any
) -> tuple[int, int, int]:
    """Index the pcap records in buffer[start:filled].

    Returns (packets written, offset of the next record, MORE | FULL | CORRUPT).
    """
    count = 0
    at = start
    while True:
        if count == len(index):
            return count, at, FULL
        if at + 16 > filled:
            return count, at, MORE
        captured = _read32(buffer, at + 8, big)
        if captured > MAX_RECORD:
            return count, at, CORRUPT
        if at + 16 + captured > filled:
            return count, at, MORE
        row = index[count]
        row.offset = at + 16
        row.time_ns = (
            _read32(buffer, at, big) * 1_000_000_000 + _read32(buffer, at + 4, big) * tick_ns
        )
        row.captured = captured
        row.wire = max(captured, _read32(buffer, at + 12, big))
        row.link_type = link_type
        row.interface = 0
        count += 1
        at += 16 + captured


@njit(cache=True, nogil=True)
def walk_pcapng(
    buffer: Buffer, start: int, filled: int, section: Any, interfaces: Any, index: Any
) -> tuple[int, int, int]:
    """Index the pcapng blocks in buffer[start:filled]; unknown blocks are skipped.

    `section` (3 int64) and `interfaces` (MAX_INTERFACES x 5 int64) carry on between calls.
    Returns (packets written, offset of the next block, MORE | FULL | CORRUPT).
    """
    count = 0
    at = start
    while True:
        if count == len(index):
            return count, at, FULL
        if at + 12 > filled:
            return count, at, MORE
        kind = _read32(buffer, at, section[BIG_ENDIAN] != 0)
        if kind == _SECTION:
            if _read32(buffer, at + 8, False) == _BYTE_ORDER_MAGIC:
                section[BIG_ENDIAN] = 0
            elif _read32(buffer, at + 8, True) == _BYTE_ORDER_MAGIC:
                section[BIG_ENDIAN] = 1
            else:
                return count, at, CORRUPT
            section[INTERFACES] = 0
        big = section[BIG_ENDIAN] != 0
        length = _read32(buffer, at + 4, big)
        if length < 12 or length > MAX_RECORD:
            return count, at, CORRUPT
        length += -length & 3  # a few writers forget that blocks are padded to 32 bits
        if at + length > filled:
            return count, at, MORE
        end = at + length - 4
        if kind == _INTERFACE:
            if section[INTERFACES] == MAX_INTERFACES:
                return count, at, CORRUPT
            _describe_interface(buffer, at + 8, end, big, interfaces[section[INTERFACES]])
            section[INTERFACES] += 1
        elif kind in (_ENHANCED, _PACKET, _SIMPLE):
            if not _index_packet(buffer, at, end, kind, section, interfaces, index[count]):
                return count, at, CORRUPT
            count += 1
        at += length


@njit(cache=True, nogil=True)
def _index_packet(
    buffer: Buffer, at: int, end: int, kind: int, section: Any, interfaces: Any, row: Any
) -> bool:
    """Fill one index row from a packet block; False if the block contradicts itself."""
    big = section[BIG_ENDIAN] != 0
    interface = 0
    if kind == _SIMPLE:
        if at + 12 > end or section[INTERFACES] == 0:
            return False
        data = at + 12
        wire = _read32(buffer, at + 8, big)
        captured = min(wire, end - data)
        snaplen = interfaces[0, SNAPLEN]
        if snaplen > 0:
            captured = min(captured, snaplen)
        time_ns = section[LAST_NS]  # the format has no time here: take the packet's before it
    else:
        if at + 28 > end:
            return False
        data = at + 28
        if kind == _ENHANCED:
            interface = _read32(buffer, at + 8, big)
        else:
            interface = _read16(buffer, at + 8, big)
        if interface >= section[INTERFACES]:
            return False
        high = _read32(buffer, at + 12, big)
        ticks = np.uint64(high) << np.uint64(32) | np.uint64(_read32(buffer, at + 16, big))
        time_ns = _to_ns(ticks, interfaces[interface])
        captured = _read32(buffer, at + 20, big)
        wire = _read32(buffer, at + 24, big)
    if data + captured > end:
        return False
    section[LAST_NS] = time_ns
    row.offset = data
    row.time_ns = time_ns
    row.captured = captured
    row.wire = max(captured, wire)
    row.link_type = interfaces[interface, LINK_TYPE]
    row.interface = interface
    return True


@njit(cache=True, nogil=True)
def _to_ns(ticks: Any, interface: Any) -> int:
    """Turn an interface's ticks into ns since 1970, without overflow for any ticks."""
    if interface[IS_POWER_OF_TWO] != 0:
        shift = np.uint64(interface[TICKS_PER_S])
        seconds = np.int64(ticks >> shift)
        part = ticks & ((np.uint64(1) << shift) - np.uint64(1))
        if shift > np.uint64(30):  # keep part * 1e9 within 64 bits
            part = part >> (shift - np.uint64(30))
            shift = np.uint64(30)
        fraction = np.int64(part * np.uint64(1_000_000_000) >> shift)
    else:
        per_s = np.uint64(interface[TICKS_PER_S])
        seconds = np.int64(ticks // per_s)
        part = ticks % per_s
        if per_s > np.uint64(1_000_000_000):
            fraction = np.int64(part // (per_s // np.uint64(1_000_000_000)))
        else:
            fraction = np.int64(part * (np.uint64(1_000_000_000) // per_s))
    seconds += interface[OFFSET_S]
    if seconds < 0 or seconds > 9_000_000_000:  # past the year 2255: 64-bit ns end in 2262
        seconds = np.int64(0 if seconds < 0 else 9_000_000_000)
    return seconds * 1_000_000_000 + fraction


@njit(cache=True, nogil=True)
def _describe_interface(buffer: Buffer, at: int, end: int, big: bool, interface: Any) -> None:
    """Read an interface description block's body and options into a row of the table."""
    interface[LINK_TYPE] = _read16(buffer, at, big) if at + 8 <= end else -1
    interface[SNAPLEN] = _read32(buffer, at + 4, big) if at + 8 <= end else 0
    interface[TICKS_PER_S] = 1_000_000
    interface[IS_POWER_OF_TWO] = 0
    interface[OFFSET_S] = 0
    at += 8
    while at + 4 <= end:
        code = _read16(buffer, at, big)
        length = _read16(buffer, at + 2, big)
        value = at + 4
        if code == 0 or value + length > end:
            return
        if code == 9 and length >= 1:  # if_tsresol
            exponent = np.int64(buffer[value] & 0x7F)
            if buffer[value] & 0x80 and exponent <= 63:
                interface[TICKS_PER_S] = exponent
                interface[IS_POWER_OF_TWO] = 1
            elif not buffer[value] & 0x80 and exponent <= 18:
                ticks = np.int64(1)
                for _ in range(exponent):
                    ticks *= 10
                interface[TICKS_PER_S] = ticks
        elif code == 14 and length >= 8:  # if_tsoffset, seconds, signed
            high, low = _read32(buffer, value, big), _read32(buffer, value + 4, big)
            if not big:
                high, low = low, high
            interface[OFFSET_S] = high << 32 | low
        at = value + length + (-length & 3)
