"""A first look at packets for the deep lane, so that most of them need no Python object."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane.hashing import MIX_1, mix
from collector.fastlane.wire import Buffer, read8, read16, read32

#: Bits of a look: what a packet might be (the reader tells), and what it surely is.
DICOM, HL7, LDAP, BULK, PROGRAM, CLOCK = 1, 2, 4, 8, 16, 32

_NBSS = 4  # the length that goes before SMB over TCP
_NEGOTIATED = _NBSS + 64 + 56  # SMB2's header, and its times (MS-SMB2 §2.2.4)
_SMB2, _SMB1, _SEALED = 0xFE534D42, 0xFF534D42, 0xFD534D42
_S16 = np.uint64(16)


@njit(cache=True, nogil=True)
def look_at(
    buffer: Buffer, picks: Any, bulk_bytes: int, seed: Any, looks: Any, connections: Any, ways: Any
) -> None:
    """Fill `looks` (u1), and hashes (u8) of each packet's connection and of its direction.

    `picks` are PICK_ROW_DTYPE; reads and writes longer than `bulk_bytes` are BULK.
    """
    for at in range(len(picks)):
        pick = picks[at]
        start = np.int64(pick.payload_offset)
        looks[at] = _look(buffer, start, start + np.int64(pick.payload_length), bulk_bytes)
        one = _end(pick.source_high, pick.source_low, pick.source_port, seed)
        two = _end(pick.destination_high, pick.destination_low, pick.destination_port, seed)
        connections[at] = mix(one + two)
        ways[at] = mix(one + mix(two))


@njit(cache=True, nogil=True)
def _end(high: Any, low: Any, port: Any, seed: Any) -> Any:
    return mix(low * MIX_1 + mix(high + seed) + (np.uint64(port) << _S16))


@njit(cache=True, nogil=True)
def _look(buffer: Buffer, at: int, end: int, bulk_bytes: int) -> int:
    size = end - at
    if size < 4:
        return 0
    first, look = read8(buffer, at), 0
    if 1 <= first <= 4 and read8(buffer, at + 1) == 0 and size >= 6:
        look |= DICOM
    if first == 0x0B:
        look |= HL7
    is_signed = size >= 8 and read32(buffer, at + 4) == 0x01000000
    is_sealed = size >= 6 and read16(buffer, at + 4) == 0x0504
    if first == 0x30 or is_signed or is_sealed:
        look |= LDAP
    if first == 0x7E or (size >= 5 and read8(buffer, at + 4) == 0x7E):
        look |= CLOCK
    if size >= _NEGOTIATED and _is_negotiated(buffer, at):
        look |= CLOCK
    if size >= _NBSS + 12:
        if _is_bulk(buffer, at, size, bulk_bytes):
            look |= BULK
        if _writes_program(buffer, at, size):
            look |= PROGRAM
    return look


@njit(cache=True, nogil=True)
def _is_negotiated(buffer: Buffer, at: int) -> bool:
    """Is this an answer to SMB2's NEGOTIATE?"""
    if read32(buffer, at + _NBSS) != _SMB2 or read16(buffer, at + 16) != 0:
        return False
    return read8(buffer, at + 20) & 1 == 1


@njit(cache=True, nogil=True)
def _is_bulk(buffer: Buffer, at: int, size: int, bulk_bytes: int) -> bool:
    """Does this start a read or write whose other segments the fast lane leaves out?

    tshark would wait for them and tell nothing; given as cut off, the head is read at once.
    """
    length = _NBSS + (read32(buffer, at) & 0xFFFFFF)
    if length <= max(bulk_bytes, size):
        return False
    head = read32(buffer, at + _NBSS)
    if head == _SEALED:
        return True
    if head == _SMB2:
        return size > 16 and read8(buffer, at + 16) in (8, 9)
    return head == _SMB1 and read8(buffer, at + 8) in (0x2E, 0x2F)


@njit(cache=True, nogil=True)
def _writes_program(buffer: Buffer, at: int, size: int) -> bool:
    """Does a WRITE request put bytes into a file that begin as a program does?"""
    head = read32(buffer, at + _NBSS)
    if head == _SMB2 and size > 72 and read16(buffer, at + 16) == 0x0900:
        if read8(buffer, at + 20) & 1:  # an answer
            return False
        place = _NBSS + (read8(buffer, at + 71) << 8 | read8(buffer, at + 70))
    elif head == _SMB1 and size > 60 and read8(buffer, at + 8) == 0x2F:
        place = _NBSS + (read8(buffer, at + 60) << 8 | read8(buffer, at + 59))
    else:
        return False
    return place + 2 <= size and read16(buffer, at + place) == 0x4D5A
