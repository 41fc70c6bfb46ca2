"""Logon sessions: a window's by who logs on where; how many of the kept ones can have failed."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detector.sift_kernels import LOGON


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


@njit(cache=True, nogil=True)
def gather_sessions(
    rows: Any, source: Any, destination: Any, whose: Any, most_bytes: Any, ssh: int, ssh_sent: int,
    short_ns: int,
) -> Any:  # pragma: no cover - compiled  # fmt: skip
    """The flows that the sift calls LOGON by source, destination, application and start.

    `most_bytes` is by application what a session receives that held only failed logons. Returns
    their rows, (n, 4) of start, bytes sent, received and 1 where it is that short, where each
    source, destination and application begins, and 1 by group where any session is short.
    """
    count = 0
    for at in range(len(rows)):
        count += whose[at] & LOGON != 0
    chosen, starts_ns = np.empty(count, np.int64), np.empty(count, np.int64)
    count = 0
    for at in range(len(rows)):
        if whose[at] & LOGON:
            chosen[count], starts_ns[count] = at, rows[at].first_ns
            count += 1
    chosen = chosen[np.argsort(starts_ns, kind="mergesort")]
    keys = np.empty(count, np.uint64)
    for n in range(count):
        at = chosen[n]
        pair = np.uint64(source[at]) << np.uint64(24) | np.uint64(destination[at])
        keys[n] = pair << np.uint64(16) | np.uint64(rows[at].app)
    order = np.argsort(keys, kind="mergesort")
    chosen, keys = chosen[order], keys[order]
    kept, begun = np.empty((count, 4), np.int64), np.empty(count, np.int64)
    has_short = np.zeros(count, np.bool_)
    groups = 0
    for n in range(count):
        row = rows[chosen[n]]
        is_short = row.reply_bytes <= most_bytes[row.app] and (
            row.app != ssh or row.bytes <= ssh_sent
        )
        is_short = is_short and row.last_ns - row.first_ns <= short_ns
        kept[n, 0], kept[n, 1] = row.first_ns, row.bytes
        kept[n, 2], kept[n, 3] = row.reply_bytes, is_short
        if n == 0 or keys[n] != keys[n - 1]:
            begun[groups] = n
            groups += 1
        has_short[groups - 1] |= is_short
    return chosen, kept, begun[:groups], has_short[:groups]
