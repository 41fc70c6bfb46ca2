"""Data units inside a segment: where one starts and ends, and whether it is bulk.

A deep flow's segments are followed by sequence number, so that what stands inside a long read or
write is left out, and the dissector finds its way back behind it.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.apps import APP_CODE
from collector.fastlane.wire import Buffer, read32

# Bits of a flow row's `skips`: what `skip_to` ends, by direction (shifted by 1 for the responder).
_IN_BULK, _IN_UNIT = 1, 4
#: Data units of one segment that are walked.
_UNITS = 16
#: A DICOM command fits into this; segments that short are read even where no unit is known.
_COMMAND_BYTES = 256
#: No NBSS or DICOM data unit is longer; a "length" beyond it is not one.
LONGEST_UNIT = 0x1000000
#: Of a unit whose kind is not yet known no more is read.
_LONGEST_ALONE = 0x10000
_LENGTH_PORTS = (88, 139, 445)
_DICOM = APP_CODE["dicom"]
#: How HTTP's messages begin (and RTSP's, SSTP's and RDP gateways', which look like them).
HTTP_WORDS = (
    0x47455420, 0x504F5354, 0x48454144, 0x50555420, 0x4F505449, 0x434F4E4E, 0x48545450,
    0x44454C45, 0x50415443, 0x50524F50, 0x4D2D5345, 0x4E4F5449, 0x54524143, 0x5243504F,
    0x52445020, 0x5353545F,
)  # fmt: skip


@njit(cache=True, nogil=True)
def holds_unit(buffer: Buffer, head: Any, row: Any, is_reply: bool, bulk_bytes: int) -> bool:
    """Does this segment start, continue or end a data unit that is worth dissecting?

    Units are followed by sequence number. A segment that stands in no known unit and starts none is
    what a dissector could not read either.
    """
    shift = 1 if is_reply else 0
    in_bulk, in_unit = _IN_BULK << shift, _IN_UNIT << shift
    sequence, size = np.int64(head.sequence), np.int64(head.payload_wire)
    offset: Any = 0
    is_wanted = False
    if row.skips & (in_bulk | in_unit):
        skip_to = np.int64(row.reply_skip_to if is_reply else row.skip_to)
        left = (skip_to - sequence) & 0xFFFFFFFF
        if 0 < left <= LONGEST_UNIT + 8:
            is_wanted = row.skips & in_unit != 0
            if size <= left:
                return is_wanted
            offset = left
        row.skips &= ~(in_bulk | in_unit) & 0xFF
    at, end = head.payload_at + offset, head.payload_end
    for _ in range(_UNITS):
        unit = unit_length(buffer, at, end)
        if unit == 0 and end - at == 4 and _has_length_in_front(head):
            unit = _length_alone(buffer, at)
        if unit == 0 and 0 < end - at < 8 and (offset > 0 or row.app == _DICOM):
            unit = size - offset + 1  # a head cut by the segment's end: the next segment tells
        if unit == 0:
            break
        is_wanted = True
        offset += unit
        if offset > size:
            # A dissector starts at a segment's first byte: of a unit that starts behind another
            # one's end it needs the rest to find its way back.
            is_bulk = at == head.payload_at and unit > bulk_bytes
            is_long = end - at == 4 and unit > _LONGEST_ALONE
            is_bulk = is_bulk and (is_long or bulk_length(buffer, at, end) != 0)
            row.skips |= in_bulk if is_bulk else in_unit
            skip_to = (sequence + offset) & 0xFFFFFFFF
            if is_reply:
                row.reply_skip_to = skip_to
            else:
                row.skip_to = skip_to
            break
        at += unit
    return is_wanted or (row.app == _DICOM and size <= _COMMAND_BYTES)


@njit(cache=True, nogil=True)
def _has_length_in_front(head: Any) -> bool:
    """Is this a service where four bytes of length go before each unit?"""
    one, other = head.source_port, head.destination_port
    return one in _LENGTH_PORTS or other in _LENGTH_PORTS


@njit(cache=True, nogil=True)
def _length_alone(buffer: Buffer, at: int) -> int:
    """The unit whose length fills a segment of its own, as Go's SMB library sends it; else 0."""
    length = read32(buffer, at)
    return 4 + length if 32 <= length < LONGEST_UNIT else 0


@njit(cache=True, nogil=True)
def unit_length(buffer: Buffer, at: int, end: int) -> int:
    """Bytes of the data unit that starts here, by its own header; 0 if none is known to.

    SMB and NetBIOS session (RFC 1002 §4.3.1), DCE/RPC (C706 §12.6.3), Kerberos over TCP (RFC 4120
    §7.2.2), LDAP (RFC 4511 §5.1), DICOM (PS3.8 §9.3). MLLP and HTTP have no length in front: all of
    the segment.
    """
    size = end - at
    if size < 4:
        return 0
    word = read32(buffer, at)
    first = word >> 24
    if first == 0x0B or starts_http(word):
        return size
    if first == 0x30:
        return _ber_length(buffer, at, end)
    if size < 8:
        is_dicom = size >= 6 and word >> 16 & 0xFF == 0 and 1 <= first <= 4
        length = read32(buffer, at + 2) if is_dicom else 0
        return 6 + length if 4 <= length < LONGEST_UNIT else 0
    if first == 0 and read32(buffer, at + 4) & 0x00FFFFFF == 0x534D42 and buffer[at + 4] >= 0xFC:
        return 4 + (word & 0xFFFFFF)
    if first >= 0x81 and first <= 0x85 and word & 0x00FE0000 == 0:
        return 4 + (word & 0x1FFFF)
    if word >> 16 in (0x0500, 0x0501) and size >= 10 and word >> 8 & 0xFF <= 20:
        low, high = np.int64(buffer[at + 8]), np.int64(buffer[at + 9])
        is_little = buffer[at + 4] & 0x10 != 0
        length = high << 8 | low if is_little else low << 8 | high
        return length if length >= 16 else 0
    if word >> 16 & 0xFF == 0 and 1 <= first <= 7:
        length = read32(buffer, at + 2)
        return 6 + length if 4 <= length < LONGEST_UNIT else 0
    if word < 0x100000:
        token = read32(buffer, at + 4)  # Kerberos; LDAP that GSS-API (RFC 4121) or NTLM signs
        if 0x60 <= token >> 24 <= 0x7E or token >> 16 == 0x0504 or token == 0x01000000:
            return 4 + word
    return 0


@njit(cache=True, nogil=True)
def _ber_length(buffer: Buffer, at: int, end: int) -> int:
    """Bytes of the BER value that starts here, its head included (X.690 §8.1.3); 0 if unsound."""
    first = np.int64(buffer[at + 1])
    if first < 0x80:
        return 2 + first
    count = first & 0x7F
    if count == 0 or count > 4 or at + 2 + count > end:
        return 0
    length: Any = 0
    for place in range(count):
        length = length << 8 | np.int64(buffer[at + 2 + place])
    return 2 + count + length if length < LONGEST_UNIT else 0


@njit(cache=True, nogil=True)
def bulk_length(buffer: Buffer, at: int, end: int) -> int:
    """Bytes of the SMB read or write, or DICOM data unit, that starts here; 0 if none does."""
    size = end - at
    if size < 12:
        return 0
    if buffer[at] == 0 and read32(buffer, at + 4) & 0x00FFFFFF == 0x534D42:
        length = 4 + (read32(buffer, at) & 0xFFFFFF)
        kind = buffer[at + 4]
        if kind == 0xFD:  # encrypted: all of it is as opaque as bulk
            return length
        if kind == 0xFE and size >= 18:
            command = buffer[at + 16]
            return length if command == 8 or command == 9 else 0
        if kind == 0xFF:
            command = buffer[at + 8]
            return length if command == 0x2E or command == 0x2F else 0
        return 0
    if buffer[at] == 4 and buffer[at + 1] == 0:  # P-DATA-TF, and its first item inside it
        length, item = read32(buffer, at + 2), read32(buffer, at + 6)
        if item + 4 <= length < LONGEST_UNIT:
            return 6 + length
    return 0


@njit(cache=True, nogil=True)
def starts_http(word: int) -> bool:
    return word in HTTP_WORDS
