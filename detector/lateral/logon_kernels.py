"""How many of the kept logon sessions are recent, and how many of these can have failed."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def count_recent(kept: Any, span_ns: int) -> tuple[int, int, int]:  # pragma: no cover - compiled
    """Of (n, 4) sessions, n > 0: the latest start, those within the span of it, failing ones."""
    now_ns = kept[0, 0]
    for at in range(1, len(kept)):
        now_ns = max(now_ns, kept[at, 0])
    recent = failing = 0
    for at in range(len(kept)):
        if kept[at, 0] > now_ns - span_ns:
            recent += 1
            failing += kept[at, 3] != 0
    return now_ns, recent, failing
