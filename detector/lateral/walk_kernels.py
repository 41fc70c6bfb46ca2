"""First contacts and the random walk of each source over them, for `host_scan`."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detector.window_kernels import FAILED, THEIRS, TO_ONE

#: Cells of a contact table's counts.
CONTACTS, BEST = range(2)
#: Cells of `logs` links: the next event.
_END = -1


@njit(cache=True, nogil=True, inline="always")
def _slot(pair: Any, mask: Any) -> Any:  # pragma: no cover - compiled
    mixed = np.uint64(pair) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed ^ (mixed >> np.uint64(32))) & mask


@njit(cache=True, nogil=True)
def first_contacts(
    rows: Any, source: Any, destination: Any, marks: Any, left_out: int, pairs: Any, when: Any,
    index: Any, count: int, now_ns: int, best: Any, alive: Any,
) -> int:  # pragma: no cover - compiled  # fmt: skip
    """Enter the window's contacts with hosts of ours; there must be room for one a row.

    `best` gets, for each new pair (which stand behind the first `count`), the row that tells most:
    an answer rather than a failure, then the earliest. `alive` (by host) gets who talked.
    Returns how many pairs are known now.
    """
    mask = np.uint64(len(index) - 1)
    before = count
    for at in range(len(rows)):
        row = rows[at]
        if row.reply_packets > 0:
            alive[source[at]] = alive[destination[at]] = True
        mark = marks[at]
        if mark & 3 == 0 or mark & THEIRS == 0 or mark & TO_ONE == 0 or row.app == left_out:
            continue
        pair = np.uint64(source[at]) << np.uint64(32) | np.uint64(destination[at])
        slot = _slot(pair, mask)
        known = -1
        while index[slot] != 0:
            if pairs[index[slot] - 1] == pair:
                known = index[slot] - 1
                break
            slot = (slot + np.uint64(1)) & mask
        if known < 0:
            pairs[count], when[count] = pair, now_ns
            best[count - before] = at
            index[slot] = count + 1
            count += 1
        elif known < before:
            when[known] = now_ns
        else:
            held = best[known - before]
            outcome, other = mark & 3, marks[held] & 3
            is_earlier = row.first_ns < rows[held].first_ns
            if outcome < other or (outcome == other and is_earlier):
                best[known - before] = at
    return count


@njit(cache=True, nogil=True)
def fill_index(pairs: Any, count: int, index: Any) -> None:  # pragma: no cover - compiled
    """Enter the pairs into an empty index."""
    mask = np.uint64(len(index) - 1)
    for at in range(count):
        slot = _slot(pairs[at], mask)
        while index[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        index[slot] = at + 1


@njit(cache=True, nogil=True)
def leave_out_dead(
    chosen: Any, source: Any, destination: Any, marks: Any, failing: Any, counts: Any, news: Any
) -> Any:  # pragma: no cover - compiled
    """Which of the chosen rows count: failures of a target that fails for many do not.

    `failing` (by host, as many sources as make it dead) and `counts` (by host) remember them.
    `news` is increased by targets that fail for the first time.
    """
    stays = np.ones(len(chosen), np.bool_)
    most = failing.shape[1]
    for n in range(len(chosen)):
        at = chosen[n]
        if marks[at] & 3 != FAILED:
            continue
        target = destination[at]
        known = counts[target]
        if known < most:
            is_new = True
            for place in range(known):
                if failing[target, place] == source[at]:
                    is_new = False
            if is_new:
                failing[target, known] = source[at]
                counts[target] = known + 1
                if known == 0:
                    news[0] += 1
        stays[n] = counts[target] < most
    return stays


@njit(cache=True, nogil=True)
def walk(
    chosen: Any, rows: Any, source: Any, destination: Any, marks: Any, up: float, down: float,
    reset: float, most_failed: int, height: Any, logs: Any, events: Any, times: Any, links: Any,
    free: Any, stamp: Any, now: int, touched: Any,
) -> int:  # pragma: no cover - compiled  # fmt: skip
    """Move each source's walk by its first contacts, in this order.

    `logs` (by host, 6): first, last and number of failed events; the same of answered ones.
    `events` are (target, port), `times` when, `links` the next event or free row; `free` holds the
    first free row. Returns how many sources went up; they are written to `touched`.
    """
    count = 0
    for n in range(len(chosen)):
        at = chosen[n]
        who, outcome = source[at], marks[at] & 3
        failed = outcome == FAILED
        height[who] += up if failed else down
        if not failed and height[who] <= reset:
            height[who] = 0.0
            _clear(logs, links, free, who, 0)
            _clear(logs, links, free, who, 3)
            continue
        if failed and stamp[who] != now:
            stamp[who] = now
            touched[count] = who
            count += 1
        if failed and logs[who, 2] >= most_failed:
            head = logs[who, 0]
            logs[who, 0] = links[head]
            logs[who, 2] -= 1
            links[head] = free[0]
            free[0] = head
        event = free[0]
        if event == _END:
            continue
        free[0] = links[event]
        events[event, 0], events[event, 1] = destination[at], rows[at].destination_port
        times[event], links[event] = rows[at].first_ns, _END
        first = 0 if failed else 3
        if logs[who, first + 2] == 0:
            logs[who, first] = event
        else:
            links[logs[who, first + 1]] = event
        logs[who, first + 1] = event
        logs[who, first + 2] += 1
    return count


@njit(cache=True, nogil=True)
def _clear(logs: Any, links: Any, free: Any, who: int, first: int) -> None:  # pragma: no cover
    if logs[who, first + 2] > 0:
        links[logs[who, first + 1]] = free[0]
        free[0] = logs[who, first]
        logs[who, first + 2] = 0


@njit(cache=True, nogil=True)
def read_log(first: int, count: int, links: Any) -> Any:  # pragma: no cover - compiled
    """The rows of a log's events, in order."""
    out = np.empty(count, np.int64)
    at = first
    for n in range(count):
        out[n] = at
        at = links[at]
    return out
