"""Host names that give a tool away: a hash table of name suffixes that the kernel can walk."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.identify.wire import Bytes

_OFFSET = np.uint64(0xCBF29CE484222325)  # FNV-1a, 64 bits
_PRIME = np.uint64(0x100000001B3)


def name_table(suffixes: Iterable[tuple[str, int]]) -> NDArray[np.int64]:
    """Hash `(suffix, application code)` rows into open addressing, shape (slots, 2).

    Column 0 is the hash of the suffix read backwards (0 = free), column 1 the code.
    """
    rows = {_hash_backwards(suffix.lower().strip(".")): code for suffix, code in suffixes}
    slots = 16
    while slots < 2 * len(rows) + 1:
        slots *= 2
    table = np.zeros((slots, 2), np.int64)
    for key, code in rows.items():
        slot = key & (slots - 1)
        while table[slot, 0]:
            slot = slot + 1 & slots - 1
        table[slot] = key - (key >> 63 << 64), code  # the hash as a signed number
    return table


def _hash_backwards(name: str) -> int:
    value = int(_OFFSET)
    for byte in reversed(name.encode("ascii")):
        value = (value ^ byte) * int(_PRIME) & (1 << 64) - 1
    return value


@njit(cache=True, nogil=True)
def app_of_name(names: NDArray[Any], buffer: Bytes, start: int, end: int) -> int:
    """The application of the longest listed suffix of the host name in [start, end), or 0."""
    slots = names.shape[0] - 1
    value, found, at = _OFFSET, 0, end - 1
    if at >= start and buffer[at] == 46:  # the root's dot
        at -= 1
    first = max(start, end - 255)
    while at >= first:
        byte = buffer[at]
        if 65 <= byte <= 90:
            byte += np.uint8(32)
        value = (value ^ np.uint64(byte)) * _PRIME
        if at == first or buffer[at - 1] == 46:
            key = np.int64(value)
            slot = key & slots
            while names[slot, 0] != 0:
                if names[slot, 0] == key:
                    found = names[slot, 1]
                    break
                slot = slot + 1 & slots
        at -= 1
    return found
