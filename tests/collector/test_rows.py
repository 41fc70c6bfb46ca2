"""Rows of flows are copied as bytes: the same rows come out as by columns, and always new ones."""

from __future__ import annotations

import numpy as np
import pytest

from collector.flows import FLOW_DTYPE, FlowBatch
from collector.rows import copy_rows, join_rows, take_rows


def some_rows(count: int, seed: int) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(0, 256, count * FLOW_DTYPE.itemsize, np.uint8)
    return raw.view(FLOW_DTYPE)


@pytest.mark.parametrize("sizes", [(0,), (3,), (5, 0, 7)])
def test_joins_rows_as_numpy_does(sizes: tuple[int, ...]) -> None:
    pieces = [some_rows(size, seed) for seed, size in enumerate(sizes)]
    joined = join_rows(pieces)
    assert joined.dtype == FLOW_DTYPE
    assert joined.tobytes() == b"".join(piece.tobytes() for piece in pieces)


@pytest.mark.parametrize(
    "chosen", [np.array([4, 0, 4]), np.zeros(0, np.int64), np.arange(9) % 2 == 0]
)
def test_takes_rows_as_numpy_does(chosen: np.ndarray) -> None:
    rows = some_rows(9, 1)
    assert take_rows(rows, chosen).tobytes() == rows[chosen].tobytes()
    assert FlowBatch(rows[::-1]).take(chosen).rows.tobytes() == rows[::-1][chosen].tobytes()


def test_joined_rows_are_new_ones() -> None:
    rows = some_rows(2, 1)
    before = rows.tobytes()
    join_rows([rows])["vlan"] += 1
    take_rows(rows, np.arange(2))["vlan"] += 1
    copy_rows(rows)["vlan"] += 1
    assert rows.tobytes() == before
