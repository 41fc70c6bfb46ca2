"""Which packets say the same: a hash of what their decoder would read, and of nothing else.

Names are asked for again and again, and a program greets all servers alike but for random numbers
and keys. Such packets need to be decoded once.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane.units import starts_http
from collector.fastlane.wire import read32
from collector.packet import Pick

_DNS, _HTTP, _TLS = int(Pick.DNS), int(Pick.HTTP), int(Pick.TLS)
_TCP = 6
#: POST, and how in lower case the paths begin where remote shells are asked for.
_POST, _WSMAN, _POWERSHELL = 0x504F5354, 0x2F77736D, 0x2F706F77
#: Contents of a ClientHello that nobody reads: padding, tickets, keys, encrypted names.
_UNREAD = (21, 35, 41, 42, 44, 51, 0xFE0D)


@njit(cache=True, nogil=True)
def alike(buffer: Any, picks: Any, seed: int) -> Any:  # pragma: no cover - compiled
    """A hash for each pick (PICK_ROW_DTYPE), 0 where the packet must be decoded by itself.

    Whole DNS messages over UDP without their number, HTTP requests, whole ClientHellos in one
    record. The seed is secret, so that nobody can make two that look alike.
    """
    hashes = np.zeros(len(picks), np.uint64)
    for at in range(len(picks)):
        pick = picks[at]
        start, size = pick.payload_offset, np.int64(pick.payload_length)
        end = start + size
        if pick.kind == _DNS and pick.protocol != _TCP and size >= 12:
            hashes[at] = mix_bytes(buffer, start + 2, end, np.uint64(seed) + np.uint64(_DNS))
        elif pick.kind == _HTTP and starts_http(read32(buffer, start) if size >= 4 else 0):
            if read32(buffer, start) == _POST and size >= 9:
                path = read32(buffer, start + 5) | 0x00202020
                if path in (_WSMAN, _POWERSHELL):
                    continue  # the body may come in segments of its own
            hashes[at] = mix_bytes(buffer, start, end, np.uint64(seed) + np.uint64(_HTTP))
        elif pick.kind == _TLS:
            hashes[at] = _hello(buffer, start, end, np.uint64(seed) + np.uint64(_TLS))
    return hashes


@njit(cache=True, nogil=True)
def mix_bytes(buffer: Any, at: int, end: int, state: Any) -> Any:  # pragma: no cover - compiled
    """A hash of some bytes, never 0; multiply and fold, eight bytes at a time."""
    prime = np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ np.uint64(end - at)) * prime
    while at + 8 <= end:
        word = np.uint64(0)
        for place in range(8):
            word |= np.uint64(buffer[at + place]) << np.uint64(8 * place)
        state = (state ^ word) * prime
        state ^= state >> np.uint64(29)
        at += 8
    while at < end:
        state = (state ^ np.uint64(buffer[at])) * prime
        state ^= state >> np.uint64(29)
        at += 1
    return state | np.uint64(1)


@njit(cache=True, nogil=True)
def _hello(buffer: Any, start: int, end: int, state: Any) -> Any:  # pragma: no cover - compiled
    """A hash of a ClientHello that is whole and alone in its record; else 0."""
    none = np.uint64(0)
    if end - start < 44 or buffer[start] != 22 or buffer[start + 1] != 3 or buffer[start + 5] != 1:
        return none
    record = np.int64(buffer[start + 3]) << 8 | np.int64(buffer[start + 4])
    message = np.int64(buffer[start + 7]) << 8 | np.int64(buffer[start + 8])
    if start + 5 + record != end or message + 4 != record or buffer[start + 6] != 0:
        return none
    state = mix_bytes(buffer, start + 1, start + 3, state)
    state = mix_bytes(buffer, start + 9, start + 11, state)
    at = start + 43 + 1 + np.int64(buffer[start + 43])
    if at + 2 > end:
        return none
    ciphers = at + 2 + (np.int64(buffer[at]) << 8 | np.int64(buffer[at + 1]))
    if ciphers + 1 > end:
        return none
    for place in range(at, ciphers - 1, 2):
        state = _number(buffer, place, state)
    at = ciphers + 1 + np.int64(buffer[ciphers])
    if at + 2 > end or at + 2 + (np.int64(buffer[at]) << 8 | np.int64(buffer[at + 1])) != end:
        return none
    at += 2
    while at + 4 <= end:
        kind = np.int64(buffer[at]) << 8 | np.int64(buffer[at + 1])
        behind = at + 4 + (np.int64(buffer[at + 2]) << 8 | np.int64(buffer[at + 3]))
        if behind > end:
            return none
        state = _number(buffer, at, state)
        is_read = not _is_grease(kind)
        for unread in _UNREAD:
            if kind == unread:
                is_read = False
        if kind == 10 or kind == 43:  # groups and versions hold numbers made up anew (RFC 8701)
            skip = 5 if kind == 43 else 6
            for place in range(at + skip, behind - 1, 2):
                state = _number(buffer, place, state)
        elif is_read:
            state = mix_bytes(buffer, at + 4, behind, state)
        at = behind
    return state if at == end else none


@njit(cache=True, nogil=True)
def _number(buffer: Any, at: int, state: Any) -> Any:  # pragma: no cover - compiled
    """Add a 16-bit number; all of GREASE (RFC 8701) are one."""
    number: Any = np.int64(buffer[at]) << 8 | np.int64(buffer[at + 1])
    if _is_grease(number):
        number = 0x0A0A
    state = (state ^ np.uint64(number + 1)) * np.uint64(0x9E3779B97F4A7C15)
    return state ^ (state >> np.uint64(29))


@njit(cache=True, nogil=True)
def _is_grease(number: int) -> bool:  # pragma: no cover - compiled
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 255
