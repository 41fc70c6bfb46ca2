"""Numbers for addresses, given in the order in which they are first seen."""

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray


def empty_index(slots: int) -> NDArray[np.int32]:
    """An empty open-addressing index; `slots` is a power of two."""
    return np.full(slots, -1, np.int32)


#: The number of an address for which there was no room.
NO_NUMBER: Final = 0xFFFF_FFFF


@njit(cache=True, nogil=True)
def number_addresses(
    addresses: Any, known: Any, count: int, index: Any, limit: int
) -> tuple[Any, int]:  # pragma: no cover - compiled
    """Number (n, 2) addresses by first sight; `known` and `index` grow with the new ones.

    Once `limit` addresses are known, new ones get NO_NUMBER.
    """
    mask = len(index) - 1
    numbers = np.empty(len(addresses), np.uint32)
    for i in range(len(addresses)):
        high, low = addresses[i, 0], addresses[i, 1]
        mixed = (low ^ (high * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
        slot = np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(mask))
        while True:
            at = index[slot]
            if at < 0 and count >= limit:
                numbers[i] = NO_NUMBER
                break
            if at < 0:
                known[count, 0], known[count, 1] = high, low
                index[slot] = count
                numbers[i] = count
                count += 1
                break
            if known[at, 0] == high and known[at, 1] == low:
                numbers[i] = at
                break
            slot = (slot + 1) & mask
    return numbers, count


def unique_addresses(addresses: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Any]:
    """Distinct rows of (n, 2) addresses in order of first sight, and each row's index in them."""
    slots = 1 << max(4, (2 * len(addresses)).bit_length())
    known = np.zeros((max(1, len(addresses)), 2), np.uint64)
    numbers, count = number_addresses(
        np.ascontiguousarray(addresses), known, 0, empty_index(slots), slots
    )
    return known[:count], numbers
