"""Who reached how many of what lately: the memory that all scan detectors share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.lateral import fan_kernels
from detector.lateral.fan_kernels import ALL, ANY, FREE_ITEM, FREE_KEY, ITEMS, KEYS, LAST, Tables

__all__ = ["ALL", "ANY", "LAST", "Fans"]

#: Items of all keys together; past them the keys least lately touched go.
_MOST_ITEMS = 2_000_000


class Fans:
    """For each key (u64) the distinct items (u64) that it reached, when, and a flag.

    Bounded: `most_keys` keys, the least lately touched forgotten first, and `most_items` items of
    one key, the first forgotten first. `rule` says what becomes of the flag of an item that comes
    again: LAST, ALL or ANY.
    """

    def __init__(self, most_keys: int, most_items: int, rule: int) -> None:
        self._most_keys = most_keys
        self._most_items = most_items
        self._rule = rule
        self._tables = _new_tables(1024, 4096)

    def __len__(self) -> int:
        return int(self._tables.counts[KEYS])

    @property
    def tables(self) -> Tables:
        """For kernels that ask of many keys; the next `note` may move them."""
        return self._tables

    def note(
        self,
        keys: NDArray[np.uint64],
        items: NDArray[np.uint64],
        whens: NDArray[np.int64],
        flags: NDArray[np.uint8],
    ) -> None:
        """Write down these in this order."""
        self._make_room(len(keys))
        fan_kernels.note(self._tables, keys, items, whens, flags, self._rule, self._most_items)

    def expire(
        self, keys: NDArray[np.uint64], since: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Drop what is older than each key's `since`; items left and flagged ones, by key."""
        if not len(self):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
        counts = np.empty((len(keys), 2), np.int64)
        fan_kernels.expire(self._tables, keys, since, counts)
        return counts[:, 0], counts[:, 1]

    def count(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Items of each key, old ones too; -1 for a key that is not there."""
        counts = np.empty(len(keys), np.int64)
        fan_kernels.count(self._tables, keys, counts)
        return counts

    def read(self, key: int) -> NDArray[np.int64]:
        """(n, 3): item, when, flag, in order of first sight."""
        out = np.empty((self._most_items + 1, 3), np.int64)
        return out[: fan_kernels.read(self._tables, np.uint64(key), out)]

    def trim(self) -> None:
        """Forget the keys that are too many."""
        if len(self) > self._most_keys:
            fan_kernels.trim(self._tables, self._most_keys)

    def _make_room(self, news: int) -> None:
        counts = self._tables.counts
        keys, items = len(self._tables.keys), len(self._tables.items)
        if counts[KEYS] + news > keys or (counts[ITEMS] + news > items and items < _MOST_ITEMS):
            grown = _new_tables(
                max(keys, _power(int(counts[KEYS]) + news)),
                max(items, min(_MOST_ITEMS, _power(int(counts[ITEMS]) + news))),
            )
            fan_kernels.move(self._tables, grown)
            self._tables = grown


def _power(least: int) -> int:
    return 1 << least.bit_length()


def _new_tables(keys: int, items: int) -> Tables:
    counts = np.zeros(8, np.int64)
    counts[fan_kernels.OLDEST] = counts[fan_kernels.NEWEST] = -1
    counts[FREE_KEY] = counts[FREE_ITEM] = 0
    key_links, item_links = np.zeros((keys, 6), np.int32), np.zeros((items, 3), np.int32)
    key_links[:, 1] = np.arange(1, keys + 1)  # free rows are linked like used ones
    item_links[:, 2] = np.arange(1, items + 1)
    key_links[-1, 1] = item_links[-1, 2] = -1
    return Tables(
        counts,
        np.zeros(keys, np.uint64),
        key_links,
        np.zeros(_power(2 * keys), np.int32),
        np.zeros(items, np.uint64),
        item_links,
        np.zeros(items, np.int64),
        np.zeros(items, np.uint8),
        np.zeros(_power(2 * items), np.int32),
    )


def sorted_groups(keys: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Distinct keys in order of first sight, and for each key the place of its group."""
    unique, firsts, back = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(firsts, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return unique[order], place[back.ravel()]
