"""Fans: for each key the distinct items it reached lately, in tables with open addressing.

A key is e.g. a source and a port, an item a target. Keys stand in a list from least to most lately
touched, a key's items in the order in which they first came.
"""

# mypy: disable-error-code="no-any-return, return-value, no-untyped-call"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

#: What becomes of an item that comes again: the flag is the new one, stays up only while all were
#: up, or stays up once it was (and then only a flagged one renews the time).
LAST, ALL, ANY = 0, 1, 2
#: Cells of `Tables.counts`.
KEYS, FREE_KEY, OLDEST, NEWEST, ITEMS, FREE_ITEM, DEAD_KEYS, DEAD_ITEMS = range(8)
_DELETED = -1


class Tables(NamedTuple):
    """The state of `Fans`; rows are linked by number, -1 ends a list; indexes hold row + 1."""

    counts: Any
    keys: Any  # u8
    key_links: Any  # (n, 6) i4: previous and next key, first and last item, items, flagged
    key_index: Any
    items: Any  # u8
    item_links: Any  # (n, 3) i4: owner, previous, next
    when: Any  # i8
    flags: Any  # u1
    item_index: Any


@njit(cache=True, nogil=True, inline="always")
def _mix(key: Any, more: Any) -> Any:  # pragma: no cover - compiled
    mixed = (np.uint64(key) ^ (np.uint64(more) << np.uint64(41))) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(32))


@njit(cache=True, nogil=True)
def find_key(t: Tables, key: Any) -> int:  # pragma: no cover - compiled
    mask = np.uint64(len(t.key_index) - 1)
    slot = _mix(key, 0) & mask
    while t.key_index[slot] != 0:
        at = t.key_index[slot] - 1
        if at >= 0 and t.keys[at] == key:
            return at
        slot = (slot + np.uint64(1)) & mask
    return -1


@njit(cache=True, nogil=True)
def _find_item(t: Tables, owner: int, item: Any) -> int:  # pragma: no cover - compiled
    mask = np.uint64(len(t.item_index) - 1)
    slot = _mix(item, owner + 1) & mask
    while t.item_index[slot] != 0:
        at = t.item_index[slot] - 1
        if at >= 0 and t.item_links[at, 0] == owner and t.items[at] == item:
            return at
        slot = (slot + np.uint64(1)) & mask
    return -1


@njit(cache=True, nogil=True)
def _enter(index: Any, slot: Any, row: int) -> None:  # pragma: no cover - compiled
    mask = np.uint64(len(index) - 1)
    slot &= mask
    while index[slot] > 0:
        slot = (slot + np.uint64(1)) & mask
    index[slot] = row + 1


@njit(cache=True, nogil=True)
def _erase(index: Any, slot: Any, row: int) -> None:  # pragma: no cover - compiled
    mask = np.uint64(len(index) - 1)
    slot &= mask
    while index[slot] != row + 1:
        slot = (slot + np.uint64(1)) & mask
    index[slot] = _DELETED


@njit(cache=True, nogil=True)
def _sweep_index(t: Tables) -> None:  # pragma: no cover - compiled
    """Write the indexes anew once erased slots fill a quarter of them."""
    if 4 * t.counts[DEAD_KEYS] > len(t.key_index):
        t.key_index[:] = 0
        t.counts[DEAD_KEYS] = 0
        key = t.counts[OLDEST]
        while key >= 0:
            _enter(t.key_index, _mix(t.keys[key], 0), key)
            key = t.key_links[key, 1]
    if 4 * t.counts[DEAD_ITEMS] > len(t.item_index):
        t.item_index[:] = 0
        t.counts[DEAD_ITEMS] = 0
        key = t.counts[OLDEST]
        while key >= 0:
            item = t.key_links[key, 2]
            while item >= 0:
                _enter(t.item_index, _mix(t.items[item], key + 1), item)
                item = t.item_links[item, 2]
            key = t.key_links[key, 1]


@njit(cache=True, nogil=True)
def _unlink(t: Tables, key: int) -> None:  # pragma: no cover - compiled
    before, after = t.key_links[key, 0], t.key_links[key, 1]
    if before >= 0:
        t.key_links[before, 1] = after
    else:
        t.counts[OLDEST] = after
    if after >= 0:
        t.key_links[after, 0] = before
    else:
        t.counts[NEWEST] = before


@njit(cache=True, nogil=True)
def _append(t: Tables, key: int) -> None:  # pragma: no cover - compiled
    newest = t.counts[NEWEST]
    t.key_links[key, 0], t.key_links[key, 1] = newest, -1
    if newest >= 0:
        t.key_links[newest, 1] = key
    else:
        t.counts[OLDEST] = key
    t.counts[NEWEST] = key


@njit(cache=True, nogil=True)
def _drop_item(t: Tables, item: int) -> None:  # pragma: no cover - compiled
    owner, before, after = t.item_links[item, 0], t.item_links[item, 1], t.item_links[item, 2]
    if before >= 0:
        t.item_links[before, 2] = after
    else:
        t.key_links[owner, 2] = after
    if after >= 0:
        t.item_links[after, 1] = before
    else:
        t.key_links[owner, 3] = before
    t.key_links[owner, 4] -= 1
    t.key_links[owner, 5] -= t.flags[item]
    _erase(t.item_index, _mix(t.items[item], owner + 1), item)
    t.counts[DEAD_ITEMS] += 1
    t.item_links[item, 2] = t.counts[FREE_ITEM]
    t.counts[FREE_ITEM] = item
    t.counts[ITEMS] -= 1


@njit(cache=True, nogil=True)
def _drop_key(t: Tables, key: int) -> None:  # pragma: no cover - compiled
    while t.key_links[key, 2] >= 0:
        _drop_item(t, t.key_links[key, 2])
    _unlink(t, key)
    _erase(t.key_index, _mix(t.keys[key], 0), key)
    t.counts[DEAD_KEYS] += 1
    t.key_links[key, 1] = t.counts[FREE_KEY]
    t.counts[FREE_KEY] = key
    t.counts[KEYS] -= 1


@njit(cache=True, nogil=True)
def _take_key(t: Tables, key: Any) -> int:  # pragma: no cover - compiled
    """The key's row, made if need be and put last."""
    at = find_key(t, key)
    if at >= 0:
        if t.counts[NEWEST] != at:
            _unlink(t, at)
            _append(t, at)
        return at
    at = t.counts[FREE_KEY]
    t.counts[FREE_KEY] = t.key_links[at, 1]
    t.counts[KEYS] += 1
    t.keys[at] = key
    t.key_links[at, 2] = t.key_links[at, 3] = -1
    t.key_links[at, 4] = t.key_links[at, 5] = 0
    _append(t, at)
    _enter(t.key_index, _mix(key, 0), at)
    return at


@njit(cache=True, nogil=True)
def note(
    t: Tables, keys: Any, items: Any, whens: Any, flags: Any, rule: int, most_items: int
) -> None:  # pragma: no cover - compiled
    """Write down who reached what, in this order; there must be a free row for every key."""
    for n in range(len(keys)):
        key = _take_key(t, keys[n])
        item = _find_item(t, key, items[n])
        if item >= 0:
            was, now = t.flags[item], flags[n]
            if rule == ALL:
                now = now & was
            elif rule == ANY and was > now:
                continue
            t.flags[item] = now
            t.when[item] = whens[n]
            t.key_links[key, 5] += np.int32(now) - np.int32(was)
            continue
        if t.counts[FREE_ITEM] < 0:
            # What was touched least lately makes room; the key itself is the last to go.
            oldest = t.counts[OLDEST]
            if oldest == key:
                _drop_item(t, t.key_links[key, 2])
            else:
                _drop_key(t, oldest)
            _sweep_index(t)
            if t.counts[FREE_ITEM] < 0:
                continue
        item = t.counts[FREE_ITEM]
        t.counts[FREE_ITEM] = t.item_links[item, 2]
        t.counts[ITEMS] += 1
        last = t.key_links[key, 3]
        t.items[item], t.when[item], t.flags[item] = items[n], whens[n], flags[n]
        t.item_links[item, 0], t.item_links[item, 1], t.item_links[item, 2] = key, last, -1
        if last >= 0:
            t.item_links[last, 2] = item
        else:
            t.key_links[key, 2] = item
        t.key_links[key, 3] = item
        t.key_links[key, 4] += 1
        t.key_links[key, 5] += flags[n]
        _enter(t.item_index, _mix(items[n], key + 1), item)
        if t.key_links[key, 4] > most_items:
            _drop_item(t, t.key_links[key, 2])
            _sweep_index(t)


@njit(cache=True, nogil=True)
def expire(t: Tables, keys: Any, since: Any, counts: Any) -> None:  # pragma: no cover - compiled
    """Drop items from before each key's `since`; `counts` (n, 2): what is left, flagged ones."""
    for n in range(len(keys)):
        counts[n, 0] = counts[n, 1] = 0
        key = find_key(t, keys[n])
        if key < 0:
            continue
        item = t.key_links[key, 2]
        while item >= 0:
            after = t.item_links[item, 2]
            if t.when[item] < since[n]:
                _drop_item(t, item)
            item = after
        counts[n, 0], counts[n, 1] = t.key_links[key, 4], t.key_links[key, 5]
    _sweep_index(t)


@njit(cache=True, nogil=True)
def count(t: Tables, keys: Any, counts: Any) -> None:  # pragma: no cover - compiled
    """Items of each key; -1 for keys that are not there."""
    for n in range(len(keys)):
        key = find_key(t, keys[n])
        counts[n] = t.key_links[key, 4] if key >= 0 else -1


@njit(cache=True, nogil=True)
def read(t: Tables, key: Any, out: Any) -> int:  # pragma: no cover - compiled
    """Write a key's items to `out` (n, 3): item, when, flag; returns how many there are."""
    at = find_key(t, key)
    if at < 0:
        return 0
    n, item = 0, t.key_links[at, 2]
    while item >= 0 and n < len(out):
        out[n, 0], out[n, 1], out[n, 2] = t.items[item], t.when[item], t.flags[item]
        item = t.item_links[item, 2]
        n += 1
    return n


@njit(cache=True, nogil=True)
def trim(t: Tables, most_keys: int) -> None:  # pragma: no cover - compiled
    """Forget the keys least lately touched until there are no more than `most_keys`."""
    while t.counts[KEYS] > most_keys:
        _drop_key(t, t.counts[OLDEST])
    _sweep_index(t)


@njit(cache=True, nogil=True)
def move(old: Tables, new: Tables) -> None:  # pragma: no cover - compiled
    """Copy everything into larger, empty tables."""
    key = old.counts[OLDEST]
    while key >= 0:
        at = _take_key(new, old.keys[key])
        item = old.key_links[key, 2]
        while item >= 0:
            to = new.counts[FREE_ITEM]
            new.counts[FREE_ITEM] = new.item_links[to, 2]
            new.counts[ITEMS] += 1
            last = new.key_links[at, 3]
            new.items[to], new.when[to] = old.items[item], old.when[item]
            new.flags[to] = old.flags[item]
            new.item_links[to, 0], new.item_links[to, 1], new.item_links[to, 2] = at, last, -1
            if last >= 0:
                new.item_links[last, 2] = to
            else:
                new.key_links[at, 2] = to
            new.key_links[at, 3] = to
            new.key_links[at, 4] += 1
            new.key_links[at, 5] += old.flags[item]
            _enter(new.item_index, _mix(old.items[item], at + 1), to)
            item = old.item_links[item, 2]
        key = old.key_links[key, 1]
