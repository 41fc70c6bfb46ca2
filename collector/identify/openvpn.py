"""OpenVPN: its first packets, bare, wrapped, or scrambled by the XOR patch."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.identify.wire import LIKELY, SURE, Bytes, is_zero, looks_random, u32

#: Hard resets with key id 0: client v2, server v2, client v3 (opcode << 3).
_CLIENT_V2, _SERVER_V2, _CLIENT_V3 = 0x38, 0x40, 0x50
#: Sizes of an HMAC in use, from none (also tls-crypt) to SHA-512's.
_HMACS = (0, 16, 20, 28, 32, 48, 64)
#: What the XOR patch does to a packet: a mask; its bytes turned round; each XORed with its place;
#: all of it, place by place, and a mask over it.
_MASKED, _TURNED, _PLACED, _ALL = 0, 1, 2, 3
_LONGEST_MASK = 12
#: Bytes that must agree, so that chance makes one in 2^27 packets of these sizes.
_AGREEING = 4


@njit(cache=True, nogil=True)
def openvpn(buffer: Bytes, at: int, end: int, on_openvpn_port: bool) -> int:
    """A hard reset by its shape; later control and data packets only on port 1194."""
    size = end - at
    if size < 14:
        return 0
    first = buffer[at]
    if first in (_CLIENT_V2, _SERVER_V2, _CLIENT_V3):
        if not looks_random(buffer, at + 1, at + 9):
            return 0
        if _is_plain_reset(buffer, at, end) or _is_wrapped_reset(buffer, at, end):
            return SURE
    if on_openvpn_port and size >= 22:
        opcode, key = first >> 3, first & 7
        if (opcode in (4, 5) and looks_random(buffer, at + 1, at + 9)) or opcode == 9:
            return LIKELY
        if opcode == 6 and key <= 1 and looks_random(buffer, at + 1, end):
            return LIKELY
    return 0


@njit(cache=True, nogil=True)
def _is_plain_reset(buffer: Bytes, at: int, end: int) -> bool:
    """Without tls-auth: session id, acknowledged packets, packet id 0."""
    size, acks = end - at, buffer[at + 9]
    if buffer[at] == _CLIENT_V2:
        return size == 14 and acks == 0 and u32(buffer, at + 10) == 0
    if buffer[at] == _SERVER_V2 and acks == 1 and size >= 26:
        return u32(buffer, at + 10) == 0 and u32(buffer, at + 22) == 0
    return False


@njit(cache=True, nogil=True)
def _is_wrapped_reset(buffer: Bytes, at: int, end: int) -> bool:
    """With tls-auth (HMAC, then packet id and time) or tls-crypt (packet id and time, HMAC)."""
    size = end - at
    for hmac in _HMACS:
        if size < 9 + hmac + 8:
            return False
        number, time_s = u32(buffer, at + 9 + hmac), u32(buffer, at + 13 + hmac)
        # Early negotiation sets the top byte to 0x0f; a resent reset counts up.
        number &= 0x00FFFFFF if number >> 24 == 0x0F else 0xFFFFFFFF
        if not (1 <= number <= 64 and 1_000_000_000 < time_s < 1 << 31):
            continue
        if hmac == 0:  # tls-crypt: a 32-byte tag and at least 5 encrypted bytes follow
            return size >= 54
        tail = at + 17 + hmac
        if buffer[at] == _CLIENT_V2:
            return size == 22 + hmac and is_zero(buffer, tail, end)
        return buffer[at] == _SERVER_V2 and size >= 34 + hmac and buffer[tail] == 1
    return False


@njit(cache=True, nogil=True)
def is_scrambled_reset(buffer: Bytes, at: int, end: int) -> bool:
    """A client's first hard reset under the XOR patch (`scramble`), whatever the mask.

    What a reset must hold (opcode, packet number 1 where there is an HMAC, zeros at its end) gives
    the mask at some places, which has to fit at the others.
    """
    size = end - at
    for hmac in _HMACS:
        if size == 22 + hmac or (hmac == 0 and size in (14, 54)):
            for way in (_MASKED, _ALL):
                for length in range(1, _LONGEST_MASK + 1):
                    if _fits(buffer, at, size, hmac, way, np.full(length, -1)):
                        return _has_session(buffer, at, end, way)
            for way in (_TURNED, _PLACED):
                if _fits(buffer, at, size, hmac, way, np.zeros(1, np.int64)):
                    return _has_session(buffer, at, end, way)
    return False


@njit(cache=True, nogil=True)
def _fits(buffer: Bytes, at: int, size: int, hmac: int, way: int, mask: NDArray[Any]) -> bool:
    """Fill `mask` (i8, -1 = not known yet) from known bytes; do enough others agree with it?"""
    number_at = 0 if size == 14 else 9 + hmac
    tail_at = size if size == 54 and hmac == 0 else size - 5
    agreed = 0
    for known in range(size - 1, 8, -1):
        in_number = number_at > 0 and number_at <= known < number_at + 4
        if not in_number and known < tail_at:
            continue
        value = 1 if in_number and known == number_at + 3 else 0
        place, byte = _scrambled(known, value, size, way)
        needed, part = buffer[at + place] ^ byte, place % len(mask)
        if mask[part] < 0:
            mask[part] = needed
        elif mask[part] != needed:
            return False
        else:
            agreed += 1
    # Without the opcode, a run of one value would agree with anything.
    _, byte = _scrambled(0, _CLIENT_V2, size, way)
    return agreed + 1 >= _AGREEING and mask[0] == buffer[at] ^ byte


@njit(cache=True, nogil=True)
def _scrambled(known: int, value: int, size: int, way: int) -> tuple[int, int]:
    """Where the byte at `known` comes to stand, and as what, before a mask."""
    place = size - known if known > 0 and way in (_TURNED, _ALL) else known
    if way in (_PLACED, _ALL):
        value ^= known + 1
    if way == _ALL:
        value ^= place + 1
    return place, value & 0xFF


@njit(cache=True, nogil=True)
def _has_session(buffer: Bytes, at: int, end: int, way: int) -> bool:
    first = end - 8 if way in (_TURNED, _ALL) else at + 1
    return looks_random(buffer, first, first + 8)
