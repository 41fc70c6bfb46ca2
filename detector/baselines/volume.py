"""Seasonal volume (B2) on three clocks (B5): what a host usually moves at this hour, this year.

Values are log1p of bytes per local hour. Each host keeps its last hours by bin (hour x work or off
day, 48 bins), its last 128 daily totals, and one frozen median a month, so that a drift of a
hundred days is still a step against last quarter's anchor. All of it lies in arrays by host row.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_DEPTH: Final = 8  # values kept in each bin: eight weeks of that weekday class's hour
_DAYS: Final = 128
_ANCHORS: Final = 13
#: A spread below this is noise of the log scale, not a habit.
_LEAST_SPREAD: Final = 0.15


class Volumes:
    """Columns of one metric for up to `capacity` hosts; the first hosts to come stay."""

    def __init__(self, capacity: int = 20_000) -> None:
        self.shed = 0  # hosts that found no row
        self._capacity = capacity
        self._row_of: dict[int, int] = {}
        self._bins = np.full((0, 48, _DEPTH), np.nan, np.float32)
        self._filled = np.zeros((0, 48), np.uint16)
        self._days = np.full((0, _DAYS), np.nan, np.float32)
        self._anchors = np.full((0, _ANCHORS), np.nan, np.float32)
        self._day_count = 0
        self._hosts = np.zeros(0, np.uint32)

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def hosts(self) -> NDArray[np.uint32]:
        """Host numbers in row order."""
        return self._hosts[: len(self._row_of)]

    @property
    def day_count(self) -> int:
        return self._day_count

    def rows(self, hosts: NDArray[Any]) -> NDArray[np.int64]:
        """Row of each host, made where there is none; -1 where the table is full."""
        found = np.empty(len(hosts), np.int64)
        for place, host in enumerate(hosts.tolist()):
            row = self._row_of.get(host)
            if row is None:
                row = self._add(host)
            found[place] = row
        return found

    def score_hour(
        self, rows: NDArray[np.int64], values: NDArray[Any], bin_of: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(z, median): z = 0.6745 (x - median) / max(MAD, 0.15) in this bin; NaN below four values.

        A bin with too little borrows the host's other hours of the same kind of day.
        """
        kept = self._bins[rows, bin_of]
        thin = (~np.isnan(kept)).sum(1) < 4
        if thin.any():
            half = slice(0, 24) if bin_of < 24 else slice(24, 48)
            pooled = self._bins[rows[thin]][:, half].reshape(int(thin.sum()), -1)
            wide = np.full((len(rows), pooled.shape[1]), np.nan, np.float32)
            wide[:, :_DEPTH] = kept
            wide[thin] = pooled
            kept = wide
        enough, middle = (~np.isnan(kept)).sum(1) >= 4, _median(kept)
        z = 0.6745 * (values - middle) / np.maximum(_mad(kept), _LEAST_SPREAD)
        return np.where(enough, z, np.nan), middle

    def keep_hour(self, rows: NDArray[np.int64], values: NDArray[Any], bin_of: int) -> None:
        """Learn an hour; what lies beyond 3 MAD teaches no more than 3 MAD (winsorised).

        Hosts that are not named moved nothing in it.
        """
        whole = np.zeros(len(self), np.float64)
        whole[rows] = values
        rows = np.arange(len(self))
        values = self._winsorised(rows, whole, bin_of)
        at = self._filled[rows, bin_of] % _DEPTH
        self._bins[rows, bin_of, at] = values
        self._filled[rows, bin_of] += 1

    def keep_day(self, rows: NDArray[np.int64], totals: NDArray[Any]) -> None:
        """End a local day: hosts that are not named moved nothing. Every 30th day is frozen."""
        count = len(self._row_of)
        self._days = np.roll(self._days, 1, axis=1)
        self._days[:count, 0] = 0.0
        self._days[rows, 0] = totals
        self._day_count += 1
        if self._day_count % 30 == 0:
            self._anchors = np.roll(self._anchors, 1, axis=1)
            self._anchors[:count, 0] = _median(self._days[:count, : min(30, self._day_count)])

    def fast(self) -> NDArray[np.float64]:
        """Median of the last 14 days, by row."""
        return _median(self._days[: len(self), :14])

    def slow(self) -> NDArray[np.float64]:
        """Median of the last 90 days, by row."""
        return _median(self._days[: len(self), :90])

    def drift(self) -> NDArray[np.float64]:
        """How far the fast clock left the anchors of 1, 3, 6 and 12 months ago: the largest.

        By row, in units of the host's own daily spread; NaN where there is no anchor yet.
        """
        count = len(self)
        # From day to day, so that the drift itself does not widen the measure of it.
        steps_of = np.diff(self._days[:count, :90].astype(np.float64), axis=1)
        spread = np.maximum(_mad(steps_of) / np.sqrt(2), _LEAST_SPREAD)
        steps = [(self.fast() - self._anchors[:count, back - 1]) / spread for back in (1, 3, 6, 12)]
        with np.errstate(all="ignore"):
            told = np.nanmax(np.where(np.isnan(steps), -np.inf, steps), axis=0)
        return np.where(np.isfinite(told), told, np.nan)

    def highest(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The largest daily total of the last 90 days, in bytes."""
        days = np.where(np.isnan(self._days[rows, :90]), 0.0, self._days[rows, :90])
        most: NDArray[np.float64] = np.expm1(days.max(axis=1).astype(np.float64))
        return most

    def week(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(bytes of the last seven days, seven times the median day before them)."""
        days = np.expm1(self._days[rows].astype(np.float64))
        recent = np.nansum(days[:, :7], axis=1)
        return recent, 7 * _median(days[:, 7:])

    def state(self) -> dict[str, NDArray[Any]]:
        """Columns to save; `hosts` are numbers, which the saver turns into addresses."""
        count = len(self)
        return {
            "hosts": self.hosts.copy(), "bins": self._bins[:count], "filled": self._filled[:count],
            "days": self._days[:count], "anchors": self._anchors[:count],
            "day_count": np.array([self._day_count]),
        }  # fmt: skip

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over saved columns; `hosts` are this run's numbers. ValueError if rows differ."""
        count = len(state["hosts"])
        for name in ("bins", "filled", "days", "anchors"):
            if len(state[name]) != count:
                raise ValueError(
                    f"volume baseline: {name} has {len(state[name])} rows, not {count}"
                )
        self._grow(max(64, count))
        self._hosts[:count] = state["hosts"]
        self._row_of = {int(h): i for i, h in enumerate(state["hosts"].tolist())}
        self._bins[:count], self._filled[:count] = state["bins"], state["filled"]
        self._days[:count], self._anchors[:count] = state["days"], state["anchors"]
        self._day_count = int(state["day_count"][0])

    def _add(self, host: int) -> int:
        row = len(self._row_of)
        if row >= self._capacity:
            self.shed += 1
            return -1
        if row >= len(self._hosts):
            self._grow(max(64, 2 * len(self._hosts)))
        self._row_of[host] = row
        self._hosts[row] = host
        return row

    def _grow(self, size: int) -> None:
        def longer(old: NDArray[Any], fill: float) -> NDArray[Any]:
            new = np.full((size, *old.shape[1:]), fill, old.dtype)
            new[: len(old)] = old
            return new

        self._bins, self._days = longer(self._bins, np.nan), longer(self._days, np.nan)
        self._anchors, self._filled = longer(self._anchors, np.nan), longer(self._filled, 0)
        self._hosts = longer(self._hosts, 0)

    def _winsorised(
        self, rows: NDArray[np.int64], values: NDArray[Any], bin_of: int
    ) -> NDArray[Any]:
        kept = self._bins[rows, bin_of]
        enough = (~np.isnan(kept)).sum(1) >= 4
        if not enough.any():
            return values
        middle = _median(kept[enough])
        reach = 3 * np.maximum(_mad(kept[enough]), _LEAST_SPREAD)
        values[enough] = np.clip(values[enough], middle - reach, middle + reach)
        return values


def _median(values: NDArray[Any]) -> NDArray[np.float64]:
    if values.size == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(values.astype(np.float64), axis=1)  # NaN goes last
    count = (~np.isnan(ordered)).sum(1)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[:, None], 1)[:, 0]
    high = np.take_along_axis(
        ordered, np.maximum(count // 2, 0)[:, None].clip(max=ordered.shape[1] - 1), 1
    )[:, 0]
    return np.where(count > 0, np.where(count % 2 == 1, low, (low + high) / 2), np.nan)


def _mad(values: NDArray[Any]) -> NDArray[np.float64]:
    return _median(np.abs(values - _median(values)[:, None]))
