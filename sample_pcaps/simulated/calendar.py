"""Hours and days of the hospital: how busy it is, by kind of place, in Japanese time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

DAY_S: Final = 86_400
ZONE_S: Final = 9 * 3600  # Japan has no summer time
START: Final = date(2026, 4, 6)  # a Monday; Golden Week falls into the fourth week

#: National holidays of 2026 (Cabinet Office's list), and the year's end when nobody is treated.
HOLIDAYS: Final = frozenset(
    [date(2026, 1, 1), date(2026, 1, 12), date(2026, 2, 11), date(2026, 2, 23), date(2026, 3, 20),
     date(2026, 4, 29), date(2026, 5, 3), date(2026, 5, 4), date(2026, 5, 5), date(2026, 5, 6),
     date(2026, 7, 20), date(2026, 8, 11), date(2026, 9, 21), date(2026, 9, 22), date(2026, 9, 23),
     date(2026, 10, 12), date(2026, 11, 3), date(2026, 11, 23), date(2026, 12, 29),
     date(2026, 12, 30), date(2026, 12, 31)]
)  # fmt: skip

#: Share of the busiest hour, hour by hour.
_CLINIC: Final = (
    .01, .01, .01, .01, .01, .01, .03, .25, .85, 1., 1., .95, .55, .9, .95, .8, .6, .35, .15, .06,
    .03, .02, .01, .01,
)  # fmt: skip
_WARD: Final = (
    .12, .10, .10, .10, .10, .15, .35, .55, .9, 1., .95, .9, .6, .8, .9, .85, .85, .7, .5, .35, .3,
    .25, .18, .14,
)  # fmt: skip
_OFFICE: Final = (
    0, 0, 0, 0, 0, 0, .01, .1, .8, 1., 1., .95, .4, .95, 1., .9, .8, .5, .2, .08, .03, .01, 0, 0,
)  # fmt: skip
_FLAT: Final = (1.0,) * 24
CURVES: Final = {"clinic": _CLINIC, "ward": _WARD, "office": _OFFICE, "flat": _FLAT}
#: Share of a working day that remains on a day off.
_DAY_OFF: Final = {"clinic": 0.06, "ward": 0.7, "office": 0.04, "flat": 1.0}


def day_of(number: int) -> date:
    return START + timedelta(days=number)


def is_day_off(number: int) -> bool:
    """Saturday counts as a day off: the clinics of this hospital are closed."""
    return day_of(number).weekday() >= 5 or day_of(number) in HOLIDAYS


def midnight_ns(number: int) -> int:
    """Local midnight of a day, ns since 1970 UTC."""
    day = day_of(number)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (int(at.timestamp()) - ZONE_S) * 1_000_000_000


def hours(curve: str, day: int) -> NDArray[np.float64]:
    """24 shares of the busiest hour on this day; Mondays and the first ten days are fuller."""
    share = np.array(CURVES[curve], float)
    if curve == "flat":
        return share
    if is_day_off(day):
        return share * _DAY_OFF[curve]
    if day_of(day).weekday() == 0:
        share = share * 1.1
    if curve == "office" and day_of(day).day <= 10:  # claims for the month before
        share = share * 1.3
        share[19:22] += 0.25
    return share


def moments(
    rng: np.random.Generator, per_hour: NDArray[np.float64], curve: str, day: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A non-homogeneous Poisson process for each of some hosts with these rates at the peak.

    Returns the host's place in `per_hour` and the second of the day, in no order. Events come in
    the clusters in which people click: half of them follow another within seconds.
    """
    expected = per_hour[:, None] * hours(curve, day)[None, :]
    counts = rng.poisson(expected * 0.5)
    who, hour = np.nonzero(counts)
    repeats = counts[who, hour]
    who, hour = np.repeat(who, repeats), np.repeat(hour, repeats)
    at = hour * 3600.0 + rng.uniform(0, 3600, len(who))
    follow = at + rng.exponential(12.0, len(at))
    return np.concatenate([who, who]), np.minimum(np.concatenate([at, follow]), DAY_S - 0.001)
