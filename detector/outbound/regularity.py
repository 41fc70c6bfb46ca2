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
from detector.outbound.beacon_kernels import score_values

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
    of_gaps, median_gap_s = score_values(gaps) if len(gaps) else (0.0, 0.0)
    of_sizes, median_size = score_values(np.array(sizes, np.float64))
    bars = np.histogram(seconds, bins=bar_count, range=(span_start, span_end))[0]
    return Regularity(
        times=of_gaps,
        sizes=of_sizes if median_size >= 1 else 0.0,
        histogram=max(evenness_score(bars), two_level_score(bars)),
        duration=duration_score(bars, int(times[0]), int(times[-1]), span_end - span_start),
        median_gap_s=median_gap_s,
        connections=len(seconds),
    )


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
