"""Beacons by RITA's formulas: the published kinds of timing, and a run over windows."""

from pathlib import Path

import numpy as np
import pytest

from collector.flows import FlowBatch
from collector.foreign.reading import FlowLog
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


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 1.0),
        ([0, 98, 197, 296, 396, 496, 596, 697, 798, 900], 0.995),
        ([0, 98, 398, 496, 796, 894, 1194, 1292, 1592, 1690, 1990], 0.746),
        ([0, 1, 300, 325, 5300, 5390, 5392, 5434, 5934, 7434], 0.083),
    ],
)
def test_gap_scores_are_those_of_ritas_own_tests(times: list[int], expected: float) -> None:
    seconds = np.array(times, np.int64) + 1_517_338_924
    found = regularity(seconds, np.full(len(times), 60), int(seconds[0]), int(seconds[0]) + DAY)
    assert found.times == pytest.approx(expected, abs=0.001)


def test_size_score_is_that_of_ritas_own_test() -> None:
    seconds = np.arange(10) * 60
    found = regularity(seconds, np.arange(1, 11), 0, DAY)
    assert found.sizes == pytest.approx(0.773, abs=0.001)


def test_office_hours_are_no_beacon() -> None:
    random = np.random.default_rng(2)
    office = np.sort(random.uniform(9 * 3600, 18 * 3600, 400))
    assert score(office, np.full(400, 500)) == pytest.approx(0.57, abs=0.03)


def run(
    seconds: np.ndarray, sizes: np.ndarray, source: str = SOURCE, target: str = OUTSIDE,
    port: int = 443, app: str = "tls",
) -> list:  # fmt: skip
    """Feed connections in windows of 30 s; what was found."""
    world, found = World(), []
    for start in range(0, int(seconds[-1]) + 330, 30):
        inside = (seconds >= start) & (seconds < start + 30)
        flows = [
            flow(source, target, port, t, app=app, bytes=int(b))
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


@pytest.mark.parametrize(
    ("port", "app", "more"),
    [
        (443, "tls", set()),
        (8080, "http", set()),
        (5552, "unknown", {"T1571"}),
        (8443, "tls", set()),
        (3128, "http_proxy", {"T1090.001"}),
        (22, "ssh", set()),
    ],
)
def test_unusual_ports_and_proxies_are_named(port: int, app: str, more: set[str]) -> None:
    seconds = np.arange(0, 660, 2)
    (first, *_) = run(seconds, np.full(len(seconds), 900), port=port, app=app)
    assert {*first.techniques} == {"T1071.001", "T1573"} | more


def test_calls_to_an_inside_proxy_are_relayed() -> None:
    seconds = np.arange(0, 660, 2)
    sizes = np.full(len(seconds), 900)
    (first, *_) = run(seconds, sizes, target="10.0.1.5", port=3128, app="http_proxy")
    assert "T1090.001" in first.techniques


def test_without_a_plan_who_calls_between_public_addresses_is_ours() -> None:
    seconds = np.arange(0, 660, 2)
    sizes = np.full(len(seconds), 900)
    (first, *_) = run(seconds, sizes, source="203.0.113.37")
    assert (first.source, first.targets) == ("203.0.113.37", (OUTSIDE,))
    # From outside to a host here, a guesser of passwords is as regular.
    assert run(seconds, sizes, source="203.0.113.37", target="10.0.1.5") == []


def test_browsing_for_ten_minutes_is_quiet() -> None:
    random = np.random.default_rng(3)
    seconds = np.sort(np.concatenate([m + random.exponential(3, 12) for m in range(0, 640, 70)]))
    assert run(seconds, random.lognormal(7, 1, len(seconds))) == []


def test_ntp_may_be_regular() -> None:
    seconds = np.arange(0, 660, 2)
    assert run(seconds, np.full(len(seconds), 76), app="ntp") == []


def test_every_six_hours_is_found_within_ten_days() -> None:
    """The second pass looks at a week; the first day's pass sees four calls and stays silent."""
    seconds = np.arange(0, 10 * DAY, 6 * 3600)
    world, found = World(), []
    for at in seconds.tolist():
        calls = [flow(SOURCE, OUTSIDE, 443, at, app="tls", bytes=700)]
        found += world.run(Beacon(), world.window(calls, start_s=at))
    assert found and found[0].facts["gap"] == 6 * 3600
    assert found[0].last_ns - START_NS >= 6.5 * DAY * S


def test_a_daily_task_is_no_beacon() -> None:
    world, found = World(), []
    for day in range(12):
        at = day * DAY + 3600
        calls = [flow(SOURCE, OUTSIDE, 443, at, app="tls", bytes=700)]
        found += world.run(Beacon(), world.window(calls, start_s=at))
    assert found == []


def test_ritas_day_ranks_its_beacon_first(captures: Path) -> None:
    """24 h of an Internet-facing host; RITA's own formulas give its beacon 0.955."""
    path = captures / "labelled-flows" / "rita_2024-04-19_conn.log.gz"
    if not path.exists():
        pytest.skip(f"no {path}")
    world, found = World(), []
    flows = FlowBatch.join(list(FlowLog(path).read()))
    origin = int(flows.reported_ns[0]) // (300 * S) * (300 * S)
    steps = (flows.reported_ns - origin) // (300 * S)
    for step in np.unique(steps).tolist():
        rows = flows.rows[steps == step]
        start_s = (origin - START_NS) / S + step * 300
        found += world.run(Beacon(), world.window([rows], start_s=start_s, seconds=300))
    best = max(found, key=lambda f: f.score)
    assert (best.source, best.targets) == ("73.54.23.243", ("64.225.56.201",))
    assert float(best.facts["regularity"]) == pytest.approx(0.955, abs=0.02)
    assert sum(f.score == best.score for f in found if f.source != best.source) == 0
