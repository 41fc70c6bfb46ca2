"""Fans remember as a plain dictionary would, within their bounds."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detector.lateral.fans import ALL, ANY, LAST, Fans, sorted_groups

Note = tuple[int, int, int, int]  # key, item, when, flag
NOTES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 12), st.integers(0, 99), st.integers(0, 1)),
    max_size=60,
)


class Twin:
    """The same in dictionaries."""

    def __init__(self, most_keys: int, most_items: int, rule: int) -> None:
        self.keys: OrderedDict[int, OrderedDict[int, tuple[int, int]]] = OrderedDict()
        self.most_keys, self.most_items, self.rule = most_keys, most_items, rule

    def note(self, notes: list[Note]) -> None:
        for key, item, when, flag in notes:
            items = self.keys.setdefault(key, OrderedDict())
            self.keys.move_to_end(key)
            before = items.get(item)
            if before is not None and self.rule == ANY and before[1] > flag:
                continue
            if before is not None and self.rule == ALL:
                flag &= before[1]
            items[item] = (when, flag)
            if len(items) > self.most_items:
                items.popitem(last=False)
        while len(self.keys) > self.most_keys:
            self.keys.popitem(last=False)

    def expire(self, since: int) -> None:
        for items in self.keys.values():
            for item in [i for i, (when, _) in items.items() if when < since]:
                del items[item]


def columns(notes: list[Note]) -> tuple[np.ndarray, ...]:
    table = np.array(notes, np.int64).reshape(-1, 4)
    return (
        table[:, 0].astype(np.uint64), table[:, 1].astype(np.uint64), table[:, 2],
        table[:, 3].astype(np.uint8),
    )  # fmt: skip


@given(
    st.lists(st.tuples(NOTES, st.integers(0, 99)), max_size=6), st.sampled_from([LAST, ALL, ANY])
)
def test_fans_are_dictionaries_of_dictionaries(
    rounds: list[tuple[list[Note], int]], rule: int
) -> None:
    fans, twin = Fans(4, 5, rule), Twin(4, 5, rule)
    for notes, since in rounds:
        fans.note(*columns(notes))
        fans.trim()
        twin.note(notes)
        assert len(fans) == len(twin.keys)
        keys = np.arange(7, dtype=np.uint64)
        counts, flagged = fans.expire(keys, np.full(7, since))
        twin.expire(since)
        for key in range(7):
            items = twin.keys.get(key, OrderedDict())
            assert [tuple(r) for r in fans.read(key).tolist()] == [
                (item, when, flag) for item, (when, flag) in items.items()
            ]
            assert counts[key] == len(items)
            assert flagged[key] == sum(flag for _, flag in items.values())
        here = fans.count(keys)
        assert [int(c) for c in here] == [len(twin.keys[k]) if k in twin.keys else -1
                                          for k in range(7)]  # fmt: skip


def test_many_keys_grow_the_tables() -> None:
    fans = Fans(50_000, 100, LAST)
    keys = np.repeat(np.arange(20_000, dtype=np.uint64), 3)
    items = np.tile(np.arange(3, dtype=np.uint64), 20_000)
    fans.note(keys, items, np.arange(60_000), np.ones(60_000, np.uint8))
    assert len(fans) == 20_000
    assert fans.read(7).tolist() == [[0, 21, 1], [1, 22, 1], [2, 23, 1]]


def test_groups_stand_in_order_of_first_sight() -> None:
    keys, place = sorted_groups(np.array([9, 2, 9, 5], np.uint64))
    assert (keys.tolist(), place.tolist()) == ([9, 2, 5], [0, 1, 0, 2])
