"""Beacons by RITA's formulas: the published kinds of timing, and a run over windows."""

import numpy as np
import pytest

from detector.outbound.beacon import Beacon
from detector.outbound.regularity import regularity
from tests.detector.windows import START_NS, S, World, flow

DAY = 86_400
SOURCE, OUTSIDE = "10.0.1.7", "203.0.113.5"


def score(seconds: np.ndarray, sizes: np.ndarray) -> float:
    return regularity(seconds.astype(np.int64), sizes, 0, DAY).score


def gaps(values: np.ndarray) -> np.ndarray:
    times = np.cumsum(values)
    return times[times < DAY]


def test_vectors() -> None:
    """Strict, jittered, random and rare timings score as the published formulas give."""
    random = np.random.default_rng(1)
    strict = np.arange(0, DAY, 60)
    assert score(strict, np.full(len(strict), 500)) == pytest.approx(1.0, abs=0.001)
    jitter = gaps(random.uniform(42, 78, 1500))
    assert score(jitter, np.full(len(jitter), 500)) == pytest.approx(0.97, abs=0.015)
    poisson = gaps(random.exponential(60, 1500))
    sizes = random.lognormal(6, 1, len(poisson))
    assert score(poisson, sizes) == pytest.approx(0.75, abs=0.03)
    every_six_hours = np.arange(0, DAY, 6 * 3600)
    assert score(every_six_hours, np.full(4, 500)) == pytest.approx(0.5, abs=0.001)


def test_office_hours_are_no_beacon() -> None:
    random = np.random.default_rng(2)
    office = np.sort(random.uniform(9 * 3600, 18 * 3600, 400))
    assert score(office, np.full(400, 500)) == pytest.approx(0.57, abs=0.03)


def run(seconds: np.ndarray, sizes: np.ndarray, **columns: object) -> list:
    """Feed connections in windows of 30 s; what was found."""
    world, found = World(), []
    for start in range(0, int(seconds[-1]) + 330, 30):
        inside = (seconds >= start) & (seconds < start + 30)
        flows = [
            flow(SOURCE, OUTSIDE, 443, t, app=str(columns.get("app", "tls")), bytes=int(b))
            for t, b in zip(seconds[inside], sizes[inside], strict=True)
        ]
        found += world.run(Beacon(), world.window(flows, start_s=start))
    return found


def test_every_two_seconds_for_ten_minutes() -> None:
    seconds = np.arange(0, 660, 2)
    (first, *_) = run(seconds, np.full(len(seconds), 900))
    assert (first.source, first.targets) == (SOURCE, (OUTSIDE,))
    assert first.score == 60  # capped: nobody knows yet what is usual
    assert first.first_ns == START_NS and first.last_ns - first.first_ns >= 250 * S


def test_browsing_for_ten_minutes_is_quiet() -> None:
    random = np.random.default_rng(3)
    seconds = np.sort(np.concatenate([m + random.exponential(3, 12) for m in range(0, 640, 70)]))
    assert run(seconds, random.lognormal(7, 1, len(seconds))) == []


def test_ntp_may_be_regular() -> None:
    seconds = np.arange(0, 660, 2)
    assert run(seconds, np.full(len(seconds), 76), app="ntp") == []
