"""Distinct values: equal to numpy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.distinct import distinct, distinct_rows, groups_of


@given(st.lists(st.integers(0, 300)))
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64, np.int64])
def test_it_is_what_numpy_finds(dtype: type[np.generic], values: list[int]) -> None:
    column = np.array(values, dtype)
    found = distinct(column)
    assert found.dtype == column.dtype
    assert found.tolist() == np.unique(column).tolist()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2), st.integers(0, 3))))
def test_rows_are_grouped_as_numpy_does(rows: list[tuple[int, int, int]]) -> None:
    table = np.array(rows, np.int64).reshape(-1, 3)
    unique, group, counts = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    columns = (table[:, 0].astype(np.uint32), table[:, 1], table[:, 2].astype(np.uint16))
    assert distinct_rows(*columns) == list(map(tuple, unique.tolist()))
    groups = groups_of(*columns)
    assert groups.counts.tolist() == counts.tolist()
    assert groups.order.tolist() == np.argsort(group.ravel(), kind="stable").tolist()
