"""A first look at packets for the deep lane, so that most of them need no Python object."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.decoders.alike_kernels import mix_bytes
from collector.fastlane.hashing import MIX_1, mix
from collector.fastlane.wire import Buffer, read8, read16, read32

#: Bits of a look: what a packet might be (the reader tells), and what it surely is. PLAIN is LDAP
#: in which tshark would find nothing, TSHARK begins as SMB or DCE/RPC do, COMMAND holds what starts
#: a DICOM command, or ends in what may be the beginning of that.
DICOM, HL7, LDAP, BULK, PROGRAM, CLOCK, PLAIN, TSHARK = 1, 2, 4, 8, 16, 32, 64, 128
COMMAND = 256

_NBSS = 4  # the length that goes before SMB over TCP
_NEGOTIATED = _NBSS + 64 + 56  # SMB2's header, and its times (MS-SMB2 §2.2.4)
_SMB2, _SMB1, _SEALED = 0xFE534D42, 0xFF534D42, 0xFD534D42
_S16 = np.uint64(16)


@njit(cache=True, nogil=True)
def look_at(
    buffer: Buffer,
    picks: Any,
    bulk_bytes: int,
    seed: Any,
    looks: Any,
    connections: Any,
    ways: Any,
    alike: Any,
) -> None:
    """Fill `looks` (u2), and hashes (u8) of each packet's connection, direction, and words.

    `picks` are PICK_ROW_DTYPE; reads and writes longer than `bulk_bytes` are BULK. Packets whose
    words have the same hash tell the same; it is 0 where a packet must be read by itself.
    """
    for at in range(len(picks)):
        pick = picks[at]
        start = np.int64(pick.payload_offset)
        end = start + np.int64(pick.payload_length)
        looks[at] = look = _look(buffer, start, end, bulk_bytes)
        alike[at] = _words(buffer, start, end, look, seed)
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
        return COMMAND if size else 0
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
    if look & LDAP and _is_plain(buffer, at, end):
        look |= PLAIN
    if size >= 8 and _is_tsharks(buffer, at):
        look |= TSHARK
    if _holds_command(buffer, at, end):
        look |= COMMAND
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


@njit(cache=True, nogil=True)
def _is_tsharks(buffer: Buffer, at: int) -> bool:
    head = read32(buffer, at + _NBSS)
    return head in (_SMB2, _SMB1, _SEALED) or read16(buffer, at) in (0x0500, 0x0501)


@njit(cache=True, nogil=True)
def _holds_command(buffer: Buffer, at: int, end: int) -> bool:
    """Are the eight bytes in it that start a DICOM command (PS3.7 §E.1), or their first at its end?

    Perhaps also where the head of a unit may have been cut, twelve bytes.

    Wherever they stand, one of them is at a place that eight divides: only those are looked at.
    """
    if end - at < 12 or read8(buffer, end - 1) in (0, 4):
        return True  # perhaps; whoever reads the packet knows
    for place in range(at + 7, end, 8):
        if read8(buffer, place) & 0xFB:
            continue
        for start in range(place - 7, min(place, end - 8) + 1):
            if read32(buffer, start) == 0 and read32(buffer, start + 4) == 0x04000000:
                return True
    return False


@njit(cache=True, nogil=True)
def _ber(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """Where the value of a BER element begins and ends, (0, 0) if that is not in front of `end`."""
    if at + 2 > end:
        return 0, 0
    length, at = read8(buffer, at + 1), at + 2
    if length & 0x80:
        size = length & 0x7F
        if size < 1 or size > 4 or at + size > end:
            return 0, 0
        length = 0
        for place in range(size):
            length = length << 8 | read8(buffer, at + place)
        at += size
    return (at, at + length) if at + length <= end else (0, 0)


@njit(cache=True, nogil=True)
def _ldap_operation(buffer: Buffer, at: int, end: int) -> int:
    """Where the operation of an LDAP message stands that fills its segment, else 0 (RFC 4511)."""
    if at + 7 > end or read8(buffer, at) != 0x30:
        return 0
    value, behind = _ber(buffer, at, end)
    if behind != end or read8(buffer, value) != 2:
        return 0
    _, operation = _ber(buffer, value, end)
    return operation if value < operation < end else 0


@njit(cache=True, nogil=True)
def _is_plain(buffer: Buffer, at: int, end: int) -> bool:
    """Is this a whole LDAP message without NTLM or Kerberos in it?

    A bind without SASL ends in its password, [0] (§4.2); an answer without credentials ends in the
    server's words, a string.
    """
    place = _ldap_operation(buffer, at, end)
    if place == 0:
        return False
    operation = read8(buffer, place)
    if operation & 0xC0 != 0x40:
        return False
    if operation != 0x60 and operation != 0x61:
        return True
    value, behind = _ber(buffer, place, end)
    last, count = 0, 0
    while value < behind and count < 8:
        last = read8(buffer, value)
        _, value = _ber(buffer, value, behind)
        if value == 0:
            return False
        count += 1
    return (operation == 0x60 and last == 0x80) or (operation == 0x61 and last == 0x04)


@njit(cache=True, nogil=True)
def _words(buffer: Buffer, at: int, end: int, look: int, seed: Any) -> Any:
    """A hash, never 0, of all that a reader here would tell of a packet; 0 where there is none."""
    if look & HL7:
        return _header_words(buffer, at, end, seed + np.uint64(HL7))
    if look & PLAIN:
        return mix_bytes(buffer, _ldap_operation(buffer, at, end), end, seed + np.uint64(LDAP))
    if look & DICOM and _is_association(buffer, at, end):
        return mix_bytes(buffer, at, end, seed + np.uint64(DICOM))
    return np.uint64(0)


@njit(cache=True, nogil=True)
def _is_association(buffer: Buffer, at: int, end: int) -> bool:
    """An association's request or acceptance (PS3.8 §9.3.2), the names of both sides in it."""
    if end - at < 74 or not 1 <= read8(buffer, at) <= 2:
        return False
    return read16(buffer, at + 6) == 1 and read16(buffer, at + 8) == 0


@njit(cache=True, nogil=True)
def _header_words(buffer: Buffer, at: int, end: int, seed: Any) -> Any:
    """Of MSH its fields 3 to 6 and 9, which are the same in message after message."""
    if end - at < 8 or read32(buffer, at) != 0x0B4D5348:
        return np.uint64(0)
    sign, field, start, hashed = read8(buffer, at + 4), 0, at + 1, seed
    last = min(end, at + 1025)
    for place in range(at + 1, last + 1):
        letter = read8(buffer, place) if place < last else 0x0D
        if letter != sign and letter != 0x0D:
            continue
        if 2 <= field <= 5 or field == 8:
            hashed = mix_bytes(buffer, start, place, hashed)
        if field == 8:
            return hashed
        if letter == 0x0D:
            break
        field, start = field + 1, place + 1
    return np.uint64(0)
