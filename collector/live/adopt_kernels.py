"""Live flows of a process that was killed become live flows again."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

from numba import njit

from collector.fastlane.hashing import hash_pair
from collector.fastlane.table import LIVE, Table, insert, schedule
from collector.fastlane.timeouts import MAX_FLOWS, looks_at


@njit(cache=True, nogil=True)
def adopt(table: Table, seed: Any, head: Any, left: Any) -> int:
    """Take over rows (FLOW_ROW_DTYPE), each flow once, until the table is full; how many.

    `head` is one row of HEADER_DTYPE, to work in. The table's clock has been started.
    """
    for number in range(len(left)):
        if table.clock[LIVE] >= table.limits[MAX_FLOWS]:
            return number
        head[0].hash = hash_pair(left[number], seed)
        place = insert(table, head[0])
        table.rows[place] = left[number]
        table.rows[place].is_live = 1
        schedule(table, place, looks_at(table.rows[place], table.limits))
    return len(left)
