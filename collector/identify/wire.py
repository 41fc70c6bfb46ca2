"""Numbers and marks in a packet's bytes, and how sure a finding is.

The number readers trust their caller: check the length first, then read.
"""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[Any]  # u8

#: Confidence in percent (detection.md, RT signatures): marks and strict headers, then a name,
#: a well-shaped header on the right port, a shape alone, a port alone.
SURE: Final = 95
NAMED: Final = 90
SHAPED: Final = 80
#: A TLS or DTLS hello: surely that, but the other side's may still name the tool inside.
HELLO: Final = 75
LIKELY: Final = 60
PORT_ONLY: Final = 40
NOTHING: Final = (0, 0)


def first_bytes(*marks: bytes) -> NDArray[np.bool_]:
    """By first byte: can a payload start with one of these marks?

    Most payloads start with none of what a group of checks asks for, and one look tells it.
    """
    table = np.zeros(256, bool)
    table[[mark[0] for mark in marks]] = True
    return table


def each(values: bytes) -> tuple[bytes, ...]:
    """Marks of one byte each, for `first_bytes`."""
    return tuple(bytes([value]) for value in values)


@njit(cache=True, nogil=True)
def u16(buffer: Bytes, at: int) -> int:
    return buffer[at] << 8 | buffer[at + 1]


@njit(cache=True, nogil=True)
def u24(buffer: Bytes, at: int) -> int:
    return buffer[at] << 16 | u16(buffer, at + 1)


@njit(cache=True, nogil=True)
def u32(buffer: Bytes, at: int) -> int:
    return u16(buffer, at) << 16 | u16(buffer, at + 2)


@njit(cache=True, nogil=True)
def u16_le(buffer: Bytes, at: int) -> int:
    return buffer[at + 1] << 8 | buffer[at]


@njit(cache=True, nogil=True)
def u32_le(buffer: Bytes, at: int) -> int:
    return u16_le(buffer, at + 2) << 16 | u16_le(buffer, at)


@njit(cache=True, nogil=True)
def starts(buffer: Bytes, at: int, end: int, mark: bytes) -> bool:
    """True where `buffer[at:end]` starts with `mark`."""
    if end - at < len(mark):
        return False
    for i in range(len(mark)):  # noqa: SIM110 - numba has no all()
        if buffer[at + i] != mark[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def find(buffer: Bytes, at: int, end: int, mark: bytes) -> int:
    """Where `mark` first stands in `buffer[at:end]`, or -1."""
    for i in range(at, end - len(mark) + 1):
        if buffer[i] == mark[0] and starts(buffer, i, end, mark):
            return i
    return -1


@njit(cache=True, nogil=True)
def find_lower(buffer: Bytes, at: int, end: int, mark: bytes) -> int:
    """As `find`, but A-Z in the buffer count as a-z; `mark` is lower-case."""
    for i in range(at, end - len(mark) + 1):
        j = 0
        while j < len(mark):
            byte = buffer[i + j]
            if 65 <= byte <= 90:
                byte += 32
            if byte != mark[j]:
                break
            j += 1
        if j == len(mark):
            return i
    return -1


@njit(cache=True, nogil=True)
def is_text(buffer: Bytes, at: int, end: int) -> bool:
    """True where every byte is printable ASCII, tab, CR or LF."""
    for i in range(at, end):
        byte = buffer[i]
        if not (32 <= byte < 127 or byte == 9 or byte == 10 or byte == 13):
            return False
    return True


@njit(cache=True, nogil=True)
def is_zero(buffer: Bytes, at: int, end: int) -> bool:
    for i in range(at, end):  # noqa: SIM110 - numba has no all()
        if buffer[i] != 0:
            return False
    return True


@njit(cache=True, nogil=True)
def looks_random(buffer: Bytes, at: int, end: int) -> bool:
    """True where keys or ciphertext could stand: no byte value takes more than an eighth, plus 2.

    Of 32 random bytes one value shows up more than six times about once in 10^9 packets.
    """
    most = (end - at) // 8 + 2
    counts = np.zeros(256, np.uint16)
    for i in range(at, end):
        counts[buffer[i]] += np.uint16(1)
        if counts[buffer[i]] > most:
            return False
    return True


@njit(cache=True, nogil=True)
def on(source_port: int, destination_port: int, port: int) -> bool:
    """True where either side uses `port`."""
    return source_port == port or destination_port == port


@njit(cache=True, nogil=True)
def within(source_port: int, destination_port: int, first: int, last: int) -> bool:
    """True where either side uses a port in first…last."""
    return first <= source_port <= last or first <= destination_port <= last
