"""Seasonal volume on three clocks, and what is told when data leaves."""

import numpy as np

from detector.baselines.volume import Volumes
from detector.detection import Finding
from detector.outbound.exfiltration import Exfiltration
from tests.detector.windows import World, flow

HOUR_S, DAY_S, MB = 3600, 86_400, 1_000_000
PC, CLOUD, NEW = "10.0.1.7", "203.0.113.5", "198.51.100.9"


def test_an_hour_is_compared_with_its_own_past() -> None:
    volumes = Volumes()
    rows = volumes.rows(np.array([5, 6]))
    for week in range(6):
        volumes.keep_hour(rows, np.array([10.0 + 0.1 * (week % 2), 2.0]), 9)
    z, middle = volumes.score_hour(rows, np.array([14.0, 2.0]), 9)
    assert z[0] > 6
    assert z[1] == 0
    assert middle[1] == 2.0
    assert np.isnan(volumes.score_hour(rows, np.array([14.0, 2.0]), 30)[0]).all()


def test_one_wild_hour_teaches_no_more_than_three_spreads() -> None:
    volumes = Volumes()
    row = volumes.rows(np.array([5]))
    for _ in range(6):
        volumes.keep_hour(row, np.array([10.0]), 9)
    volumes.keep_hour(row, np.array([20.0]), 9)
    assert volumes.state()["bins"].max() < 10.6 or np.nanmax(volumes.state()["bins"]) < 10.6


def test_a_drift_of_a_hundred_days_is_a_step_against_the_anchors() -> None:
    volumes = Volumes()
    rows = volumes.rows(np.array([1, 2]))
    generator = np.random.default_rng(7)
    for day in range(130):
        noise = generator.normal(0, 0.1, 2)
        volumes.keep_day(rows, np.array([10.0 + 0.015 * day, 10.0]) + noise)
    slow, steady = volumes.drift()
    assert slow > 4
    assert steady < 2
    assert abs(volumes.fast()[0] - volumes.slow()[0]) < 1.0  # two clocks alone would follow it


def test_saved_and_restored() -> None:
    volumes = Volumes()
    rows = volumes.rows(np.array([9, 4]))
    for day in range(40):
        volumes.keep_day(rows, np.array([1.0, 2.0 + day]))
    copy = Volumes()
    copy.restore(volumes.state())
    assert copy.hosts.tolist() == [9, 4]
    assert np.array_equal(copy.drift(), volumes.drift(), equal_nan=True)
    assert copy.rows(np.array([4])).tolist() == [1]


def test_a_full_table_sheds_and_counts() -> None:
    volumes = Volumes(capacity=2)
    assert volumes.rows(np.array([1, 2, 3])).tolist() == [0, 1, -1]
    assert volumes.shed == 1


def run_days(world: World, detector: Exfiltration, days: range, daily) -> list[Finding]:
    """`daily(day)` gives (hour, destination, MB) of each day; every hour has a window."""
    found = []
    for day in days:
        sends = daily(day)
        for hour in range(24):
            at = day * DAY_S + hour * HOUR_S
            flows = [
                flow(PC, end, 443, at + 1, app="tls", bytes=int(mb * MB), reply_bytes=1000)
                for when, end, mb in sends
                if when == hour
            ]
            found += world.run(detector, world.window(flows, start_s=at))
    return found


def usual(day: int) -> list[tuple[int, str, float]]:
    return [(9, CLOUD, 20 + day % 3), (14, CLOUD, 5)]


def test_two_gigabytes_in_one_night_and_a_quiet_month() -> None:
    world, detector = World(), Exfiltration()
    assert run_days(world, detector, range(20), usual) == []
    (told,) = run_days(world, detector, range(20, 22), lambda d: [(2, NEW, 2000)] * (d == 20))
    assert (told.variant, told.targets) == ("burst", (NEW,))
    assert told.facts["mb"] == 2000


def test_thirty_megabytes_a_day_to_a_new_place() -> None:
    world, detector = World(), Exfiltration()
    drip = [(hour, NEW, 3.0) for hour in range(24)]
    assert run_days(world, detector, range(30), lambda d: [(9, CLOUD, 2)]) == []
    told = run_days(world, detector, range(30, 40), lambda d: [(9, CLOUD, 2), *drip])
    assert "drip" in {f.variant for f in told}


def test_a_nightly_backup_to_the_same_cloud_is_learnt() -> None:
    world, detector = World(), Exfiltration()
    assert run_days(world, detector, range(30), lambda d: [(2, CLOUD, 900 + 10 * (d % 5))]) == []
