"""Beacon's loops: which flows call outside, their list kept in order, and how regular each is."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detector.window_kernels import NEAR, OURS, THEIRS, TO_ONE


@njit(cache=True, nogil=True)
def choose_calls(
    rows: Any, source: Any, destination: Any, marks: Any, traits: Any, by_design: Any,
    is_line: Any, proxy_app: int, proxy_port: int, calls: Any,
) -> int:  # pragma: no cover - compiled  # fmt: skip
    """Write the flows that call across the border into `calls` (CALL_DTYPE); returns how many.

    `by_design` is by application, `is_line` and `traits` by host number. `group` gets
    source << 32 | target; the caller puts names in.
    """
    count = 0
    for at in range(len(rows)):
        mark = marks[at]
        if mark & TO_ONE == 0:
            continue
        row = rows[at]
        if row.part != 0 or row.sampling > 1 or row.packets == 0 or by_design[row.app]:
            continue
        is_tcp = row.protocol == 6
        if not is_tcp and row.protocol != 17:
            continue
        crosses = (mark & OURS != 0) != (mark & THEIRS != 0)
        to_proxy = is_tcp and (row.app == proxy_app or row.destination_port == proxy_port)
        if not crosses and not to_proxy:
            continue
        if traits[source[at]] & NEAR == 0:
            # From outside only conversations count: both sent more than headers.
            if row.reply_packets == 0 or row.bytes <= np.uint64(52) * np.uint64(row.packets):
                continue
            if row.reply_bytes <= np.uint64(52) * np.uint64(row.reply_packets):
                continue
        if is_line[source[at]] or is_line[destination[at]]:
            continue
        call = calls[count]
        call.group = np.uint64(source[at]) << np.uint64(32) | np.uint64(destination[at])
        call.second = row.first_ns // 1_000_000_000
        call.bytes = row.bytes
        call.target = destination[at]
        call.app = row.app
        count += 1
    return count


@njit(cache=True, nogil=True)
def merge_calls(
    old: Any, fresh: Any, since: int, skip: int, out: Any
) -> int:  # pragma: no cover - compiled
    """Join two lists ordered by group and second, without calls before `since`.

    The first `skip` of the old ones that would stay go, too. Of equals the old come first.
    Returns how many were written.
    """
    count = n = 0
    for at in range(len(old)):
        one = old[at]
        if one.second < since:
            continue
        if skip > 0:
            skip -= 1
            continue
        while n < len(fresh) and (
            fresh[n].group < one.group
            or (fresh[n].group == one.group and fresh[n].second < one.second)
        ):
            if fresh[n].second >= since:
                out[count] = fresh[n]
                count += 1
            n += 1
        out[count] = one
        count += 1
    for at in range(n, len(fresh)):
        if fresh[at].second >= since:
            out[count] = fresh[at]
            count += 1
    return count


@njit(cache=True, nogil=True)
def survey(
    calls: Any, span_start: int, span_end: int, bars: int, groups: Any, numbers: Any
) -> int:  # pragma: no cover - compiled
    """Each group of the ordered calls: its key, and (start, calls, filled bars); returns groups."""
    width = max(span_end - span_start, 1) / bars
    count = 0
    last_bar = -1
    for at in range(len(calls)):
        call = calls[at]
        bar = int(min(max((call.second - span_start) // width, 0), bars - 1))
        if at == 0 or call.group != groups[count - 1]:
            groups[count] = call.group
            numbers[count, 0], numbers[count, 1], numbers[count, 2] = at, 0, 0
            count += 1
            last_bar = -1
        numbers[count - 1, 1] += 1
        if bar != last_bar:
            numbers[count - 1, 2] += 1
            last_bar = bar
    return count


@njit(cache=True, nogil=True)
def score_calls(
    seconds: Any, sizes: Any, span_start: int, span_end: int, bars: int
) -> float:  # pragma: no cover - compiled
    """The mean of the four scores of `regularity`, of ordered calls; -1 below four moments."""
    times = np.empty(len(seconds), np.int64)
    count = 0
    for at in range(len(seconds)):
        if count == 0 or seconds[at] != times[count - 1]:
            times[count] = seconds[at]
            count += 1
    if count < 4:
        return -1.0
    gaps = np.empty(count - 1, np.float64)
    for at in range(count - 1):
        gaps[at] = times[at + 1] - times[at]
    gaps.sort()
    of_times = (_bowley(gaps) + _spread(gaps)) / 2
    ordered = sizes.astype(np.float64)
    ordered.sort()
    of_sizes = 0.0
    if _median(ordered, 0, len(ordered)) >= 1:
        of_sizes = (_bowley(ordered) + _spread(ordered)) / 2
    filled: Any = np.zeros(bars, np.int64)
    width = (span_end - span_start) / bars
    for second in seconds:
        if span_start <= second <= span_end:
            bar = min(int((second - span_start) / width), bars - 1)
            # As a histogram by edges has it, whatever the division rounds to.
            if bar > 0 and second < span_start + bar * width:
                bar -= 1
            elif bar < bars - 1 and second >= span_start + (bar + 1) * width:
                bar += 1
            filled[bar] += 1
    even = max(_evenness(filled), _two_level(filled))
    lasting = _duration(filled, times[0], times[count - 1], span_end - span_start)
    return (of_times + of_sizes + even + lasting) / 4


@njit(cache=True, nogil=True)
def score_values(values: Any) -> tuple[float, float]:  # pragma: no cover - compiled
    """The mean of the scores for skew and spread of gaps or sizes (f8, sorted here); the median."""
    values.sort()
    return (_bowley(values) + _spread(values)) / 2, _median(values, 0, len(values))


@njit(cache=True, nogil=True)
def _median(ordered: Any, start: int, end: int) -> float:  # pragma: no cover - compiled
    middle = (start + end) // 2
    if (end - start) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


@njit(cache=True, nogil=True)
def _bowley(ordered: Any) -> float:  # pragma: no cover - compiled
    size = len(ordered)
    half = size // 2
    if half == 0:
        return 1.0
    low, high = _median(ordered, 0, half), _median(ordered, size - half, size)
    middle = _median(ordered, 0, size)
    if high - low < 10 or middle in (low, high):
        return 1.0
    return 1 - abs((high + low - 2 * middle) / (high - low))


@njit(cache=True, nogil=True)
def _spread(ordered: Any) -> float:  # pragma: no cover - compiled
    median = _median(ordered, 0, len(ordered))
    if median < 1:
        return 1.0
    away = np.abs(ordered - median)
    away.sort()
    return max(0.0, (median - _median(away, 0, len(away))) / median)


@njit(cache=True, nogil=True)
def _evenness(filled: Any) -> float:  # pragma: no cover - compiled
    mean = filled.mean()
    return max(0.0, 1 - filled.std() / mean) if mean else 0.0


@njit(cache=True, nogil=True)
def _two_level(filled: Any) -> float:  # pragma: no cover - compiled
    some = filled[filled > 0]
    if len(some) < 2 or len(some) * 24 < 11 * len(filled):
        return 0.0
    width = np.int64(np.ceil(0.05 * some.max()))
    levels = some // width
    levels.sort()
    most = second = run = 0
    for at in range(len(levels)):
        run = run + 1 if at > 0 and levels[at] == levels[at - 1] else 1
        if at + 1 == len(levels) or levels[at + 1] != levels[at]:
            if run > most:
                most, second = run, most
            elif run > second:
                second = run
    return min(1.0, (most + second) / (len(some) - 1))


@njit(cache=True, nogil=True)
def _duration(
    filled: Any, first: int, last: int, span: int
) -> float:  # pragma: no cover - compiled
    bars = len(filled)
    if (filled > 0).sum() * 24 < 6 * bars:
        return 0.0
    run = longest = 0
    for at in range(2 * bars):
        run = run + 1 if filled[at % bars] > 0 else 0
        longest = max(longest, run)
    return min(1.0, max((last - first) / span, min(longest, bars) / (bars / 2)))
