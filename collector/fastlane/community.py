"""Community ID v1: a flow's name that other tools compute alike (Corelight's specification).

SHA-1 over seed 0, the two ends in order, protocol and ports; base64. FIPS 180-4 gives the hash.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane.transport import icmp_counterpart

#: Characters of a community ID: "1:" and 28 of base64.
LENGTH = 30

_BASE64 = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8
).copy()
_MAPPED = np.uint64(0xFFFF)
_32 = np.uint64(32)


@njit(cache=True, nogil=True)
def put_community_id(out: Any, at: int, flow: Any, words: Any, block: Any) -> int:
    """Write the community ID of an OUTPUT_DTYPE row; returns the offset after it.

    `words` (80 uint32) and `block` (64 uint8) are scratch.
    """
    size = _fill_block(flow, block)
    block[size] = 0x80
    block[size + 1 :] = 0
    block[62] = size * 8 >> 8
    block[63] = size * 8 & 0xFF
    digest = _sha1(block, words)
    out[at] = ord("1")
    out[at + 1] = ord(":")
    at += 2
    for first in range(0, 18, 3):
        three = np.int64(digest[first]) << 16 | np.int64(digest[first + 1]) << 8
        three |= np.int64(digest[first + 2])
        for shift in (18, 12, 6, 0):
            out[at] = _BASE64[three >> shift & 63]
            at += 1
    two = np.int64(digest[18]) << 8 | np.int64(digest[19])
    out[at] = _BASE64[two >> 10 & 63]
    out[at + 1] = _BASE64[two >> 4 & 63]
    out[at + 2] = _BASE64[two << 2 & 63]
    out[at + 3] = ord("=")
    return at + 4


@njit(cache=True, nogil=True)
def _fill_block(flow: Any, block: Any) -> int:
    """Write what is hashed, ends in canonical order; returns its length."""
    protocol = np.int64(flow.protocol)
    has_ports = protocol in (1, 6, 17, 58, 132)
    is_one_way = False
    if protocol == 1 or protocol == 58:
        is_one_way = icmp_counterpart(np.int64(flow.source_port), protocol == 58) < 0
    if flow.source_high != flow.destination_high:
        is_ordered = flow.source_high < flow.destination_high
    elif flow.source_low != flow.destination_low:
        is_ordered = flow.source_low < flow.destination_low
    else:
        is_ordered = flow.source_port <= flow.destination_port
    block[0] = 0
    block[1] = 0
    at = 2
    if is_ordered or is_one_way:
        at = _fill_address(flow.source_high, flow.source_low, block, at)
        at = _fill_address(flow.destination_high, flow.destination_low, block, at)
        first, second = np.int64(flow.source_port), np.int64(flow.destination_port)
    else:
        at = _fill_address(flow.destination_high, flow.destination_low, block, at)
        at = _fill_address(flow.source_high, flow.source_low, block, at)
        first, second = np.int64(flow.destination_port), np.int64(flow.source_port)
    block[at] = protocol
    block[at + 1] = 0
    at += 2
    if has_ports:
        block[at] = first >> 8
        block[at + 1] = first & 0xFF
        block[at + 2] = second >> 8
        block[at + 3] = second & 0xFF
        at += 4
    return at


@njit(cache=True, nogil=True)
def _fill_address(high: Any, low: Any, block: Any, at: int) -> int:
    is_v4 = high == 0 and low >> _32 == _MAPPED
    if not is_v4:
        for shift in range(56, -8, -8):
            block[at] = np.uint8(high >> np.uint64(shift) & np.uint64(0xFF))
            at += 1
    for shift in range(24 if is_v4 else 56, -8, -8):
        block[at] = np.uint8(low >> np.uint64(shift) & np.uint64(0xFF))
        at += 1
    return at


@njit(cache=True, nogil=True, forceinline=True)
def _rotate(value: Any, bits: int) -> Any:
    return np.uint32(np.uint32(value << np.uint32(bits)) | value >> np.uint32(32 - bits))


@njit(cache=True, nogil=True, forceinline=True)
def _round(a: Any, b: Any, c: Any, d: Any, e: Any, mixed: Any, word: Any) -> Any:
    return np.uint32(_rotate(a, 5) + mixed + e + word), a, _rotate(b, 30), c, d


@njit(cache=True, nogil=True)
def _sha1(block: NDArray[np.uint8], words: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """SHA-1 of one padded block; the digest is written over the block's first 20 bytes."""
    for i in range(16):
        word = np.int64(block[4 * i]) << 24 | np.int64(block[4 * i + 1]) << 16
        words[i] = word | np.int64(block[4 * i + 2]) << 8 | np.int64(block[4 * i + 3])
    for i in range(16, 80):
        words[i] = _rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1)
    a, b, c = np.uint32(0x67452301), np.uint32(0xEFCDAB89), np.uint32(0x98BADCFE)
    d, e = np.uint32(0x10325476), np.uint32(0xC3D2E1F0)
    for i in range(20):
        mixed = np.uint32((b & c) | (~b & d)) + np.uint32(0x5A827999)
        a, b, c, d, e = _round(a, b, c, d, e, mixed, words[i])
    for i in range(20, 40):
        mixed = np.uint32(b ^ c ^ d) + np.uint32(0x6ED9EBA1)
        a, b, c, d, e = _round(a, b, c, d, e, mixed, words[i])
    for i in range(40, 60):
        mixed = np.uint32((b & c) | (b & d) | (c & d)) + np.uint32(0x8F1BBCDC)
        a, b, c, d, e = _round(a, b, c, d, e, mixed, words[i])
    for i in range(60, 80):
        mixed = np.uint32(b ^ c ^ d) + np.uint32(0xCA62C1D6)
        a, b, c, d, e = _round(a, b, c, d, e, mixed, words[i])
    starts = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
    for i, part in enumerate((a, b, c, d, e)):
        word = (np.int64(part) + starts[i]) & 0xFFFFFFFF
        block[4 * i] = word >> 24
        block[4 * i + 1] = word >> 16 & 0xFF
        block[4 * i + 2] = word >> 8 & 0xFF
        block[4 * i + 3] = word & 0xFF
    return block[:20]
