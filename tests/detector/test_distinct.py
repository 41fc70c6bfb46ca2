"""Distinct values: equal to numpy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.distinct import distinct


@given(st.lists(st.integers(0, 300)))
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64, np.int64])
def test_it_is_what_numpy_finds(dtype: type[np.generic], values: list[int]) -> None:
    column = np.array(values, dtype)
    found = distinct(column)
    assert found.dtype == column.dtype
    assert found.tolist() == np.unique(column).tolist()
