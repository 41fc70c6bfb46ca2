"""How regular a list of connections is: the four scores of RITA v5, as published by its authors.

Each score is 0-1; the beacon score is their mean. Times are whole seconds since 1970, as in RITA.
Its tests' expected scores are ours, too. The span is cut into 24 bars for a day; a second pass cuts
a week into 28, and what RITA counts in bars grows with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.distinct import distinct

BARS = 24


@dataclass(frozen=True)
class Regularity:
    """The four scores and what a person would like to see of the gaps."""

    times: float  # gaps between connections
    sizes: float  # bytes sent
    histogram: float  # evenness over the span
    duration: float  # how much of the span is covered
    median_gap_s: float
    connections: int

    @property
    def score(self) -> float:
        return (self.times + self.sizes + self.histogram + self.duration) / 4


def regularity(
    seconds: NDArray[np.int64],
    sizes: NDArray[Any],
    span_start: int,
    span_end: int,
    bar_count: int = BARS,
) -> Regularity:
    """Score connections at these times with these sizes within [span_start, span_end]."""
    times = distinct(seconds)
    gaps = np.diff(times).astype(np.float64)
    bars = np.histogram(seconds, bins=bar_count, range=(span_start, span_end))[0]
    return Regularity(
        times=(bowley_score(gaps) + spread_score(gaps)) / 2 if len(gaps) else 0.0,
        sizes=_size_score(np.asarray(sizes, np.float64)),
        histogram=max(evenness_score(bars), two_level_score(bars)),
        duration=duration_score(bars, int(times[0]), int(times[-1]), span_end - span_start),
        median_gap_s=float(np.median(gaps)) if len(gaps) else 0.0,
        connections=len(seconds),
    )


def bowley_score(values: NDArray[np.float64]) -> float:
    """1 - |Bowley skewness|; the skew is 0 where the quartiles lie within 10 or coincide."""
    low, middle, high = quartiles(values)
    if high - low < 10 or middle in (low, high):
        return 1.0
    return float(1 - abs((high + low - 2 * middle) / (high - low)))


def quartiles(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Medians of the lower half, of all and of the upper half; a middle value is in no half."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    if half == 0:
        return float(ordered[0]), float(ordered[0]), float(ordered[0])
    middle = float(np.median(ordered))
    return float(np.median(ordered[:half])), middle, float(np.median(ordered[-half:]))


def spread_score(values: NDArray[np.float64]) -> float:
    """1 - median absolute deviation / median, at least 0; 1 for a median below 1."""
    median = float(np.median(values))
    if median < 1:
        return 1.0
    deviation = float(np.median(np.abs(values - median)))
    return max(0.0, (median - deviation) / median)


def evenness_score(bars: NDArray[Any]) -> float:
    """1 - σ/μ over all bars, 0 where σ > μ."""
    mean = float(bars.mean())
    return max(0.0, 1 - float(bars.std()) / mean) if mean else 0.0


def two_level_score(bars: NDArray[Any]) -> float:
    """Share of bars in the two most common heights, for beacons with two working modes.

    Heights within 5 % of the tallest are one; one bar may be an outlier; at least 11 of 24 bars.
    """
    filled = bars[bars > 0]
    if len(filled) * BARS < 11 * len(bars):
        return 0.0
    width = ceil(0.05 * float(filled.max()))
    _, counts = np.unique(filled // width, return_counts=True)
    two = int(np.sort(counts)[-2:].sum())
    return min(1.0, two / (len(filled) - 1))


def duration_score(bars: NDArray[Any], first: int, last: int, span: int) -> float:
    """Coverage of the span, or the longest unbroken run (over the end, too) against half a day."""
    filled = bars > 0
    if int(filled.sum()) * BARS < 6 * len(bars):
        return 0.0
    covered = (last - first) / span
    run = longest = 0
    for is_filled in [*filled, *filled]:
        run = run + 1 if is_filled else 0
        longest = max(longest, run)
    return float(min(1.0, max(covered, min(longest, len(bars)) / (len(bars) / 2))))


def _size_score(sizes: NDArray[np.float64]) -> float:
    if np.median(sizes) < 1:
        return 0.0
    return (bowley_score(sizes) + spread_score(sizes)) / 2
