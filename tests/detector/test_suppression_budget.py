"""What is quiet stays counted; verdicts and the weekly controller move limits within bounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.observations import CollectorHealth, Observations
from detector.alerts import Alert
from detector.budget import Budget
from detector.detectors import DETECTORS
from detector.engine import EngineSettings
from detector.hard_rules import STATISTICAL, is_hard
from detector.incidents import join_alerts
from detector.store import Store
from detector.suppression import Suppression, covered, make_suppression
from detector.watch import Round
from tests.detector.test_engine import NOON, SECOND, BusyWindow, engine_with, flows_at
from tests.detector.test_incidents import HOUR, alert

ZONE = ZoneInfo("Asia/Tokyo")
DAY = 24 * HOUR


def quiet(**asked: str) -> Suppression:
    given = {"detector": "host_scan", "reason": "r", "owner": "o", "source": "10.0.0.1", **asked}
    return make_suppression(now_ns=0, **given)  # type: ignore[arg-type]


def scan(hour: int = 1, **changes: object) -> Alert:
    return replace(alert("a", "10.0.0.1", "10.0.0.9", hour), detector="host_scan", **changes)


@pytest.mark.parametrize(
    ("asked", "is_meant"),
    [
        ({}, True),
        ({"detector": "spread"}, False),
        ({"source": "10.0.0.2"}, False),
        ({"target": "10.0.0.9"}, True),
        ({"target": "10.0.0.8"}, False),
        ({"source": "", "role": "terminal"}, False),
        ({"source": "", "role": "unknown"}, True),
        ({"window": "daily 10:00-11:00"}, True),  # hour 1 UTC is 10:00 in Tokyo
        ({"window": "daily 12:00-13:00"}, False),
    ],
)
def test_only_what_was_meant_is_quiet(asked: dict[str, str], is_meant: bool) -> None:
    assert quiet(**asked).covers(scan(), ZONE) is is_meant


def test_it_expires_and_never_covers_hard_rules() -> None:
    kept = quiet()
    assert kept.covers(scan(hour=24 * 29), ZONE)
    assert not kept.covers(scan(hour=24 * 31), ZONE)
    dcsync = replace(scan(), detector="remote_calls", variant="dcsync")
    assert is_hard(dcsync)
    assert is_hard(replace(scan(), detector="smb_exploit", variant="eternalblue"))
    assert not is_hard(replace(scan(), detector="smb_exploit", variant="tested"))
    assert not quiet(detector="remote_calls").covers(dcsync, ZONE)
    assert covered(scan(state="true", state_by="anna"), (kept,), ZONE).state == "true"


def test_people_are_heard_between_two_stretches_of_event_time(tmp_path: Path) -> None:
    store = Store(tmp_path / "m.db").open()
    engine = engine_with(BusyWindow(), window_s=10)
    engine.book.budget.began_ns = NOON

    def stretches():
        yield Observations(flows_at([0, 0, 3, 3]), (), NOON + 30 * SECOND, CollectorHealth())
        assert {a.state for a in store.alerts()} == {"new"}
        store.save_suppression(
            make_suppression("busy", reason="r", owner="o", source="10.0.0.1", now_ns=NOON)
        )
        yield Observations(flows_at([60, 60, 90, 90]), (), NOON + 120 * SECOND, CollectorHealth())

    for _ in Round(engine, store, None, None).walk(stretches()):
        pass
    told = store.alerts()
    assert len(told) > 2
    assert {a.state for a in told} == {"suppressed"}
    assert store.suppressions()[0].hits >= 1
    assert store.incidents() == []
    store.close()


def test_settled_alerts_add_nothing_to_the_priority() -> None:
    both = [alert("a", "10.0.0.1", score=70), replace(alert("b", "10.0.0.1", score=90))]
    (loud,) = join_alerts(both, {"10.0.0.1": 1.0})
    (calm,) = join_alerts([both[0], replace(both[1], state="false")], {"10.0.0.1": 1.0})
    assert loud.push == "immediate"
    assert calm.alert_ids == loud.alert_ids
    assert calm.priority == 70.0
    assert join_alerts([replace(both[0], state="suppressed")], {}) == []


def test_hard_rules_never_wait() -> None:
    pivot = replace(alert("p", "10.0.0.1", score=30), detector="landing_pivot")
    assert join_alerts([pivot], {})[0].push == "immediate"
    assert join_alerts([replace(pivot, detector="spread")], {})[0].push == "digest"


def test_a_grave_alert_is_not_put_off_by_a_small_host() -> None:
    grave = replace(alert("p", "10.0.0.1", score=92), detector="spread")
    assert join_alerts([grave], {"10.0.0.1": 0.6})[0].push == "immediate"
    (weighed,) = join_alerts([grave], {"10.0.0.1": 0.6}, lambda a: a.score / 1.4)
    assert weighed.push == "digest"


def test_verdicts_move_a_demand_by_ten_percent_a_week_at_most() -> None:
    budget = Budget()
    budget.turn(DAY, [], 1000)
    for _ in range(20):
        budget.learn(scan(), "false")
    assert budget.demand("host_scan", "unknown") == pytest.approx(1.10)
    budget.turn(9 * DAY, [], 1000)
    for _ in range(20):
        budget.learn(scan(), "true")
    assert budget.demand("host_scan", "unknown") == pytest.approx(0.99)
    budget.learn(replace(scan(), detector="landing_pivot"), "false")
    assert budget.demand("landing_pivot", "unknown") == 1.0
    assert budget.weight(scan(score=66.0)) == pytest.approx(66.0 / 0.99)


def test_the_weekly_controller_keeps_to_the_budget_and_lets_go_again() -> None:
    budget = Budget()
    budget.turn(DAY, [], 1000)
    pushed = [d * DAY + n * HOUR for d in range(1, 60) for n in range(8)]  # 8 a day
    for week in range(1, 6):
        budget.turn((1 + 7 * week) * DAY, pushed, 1000)
    assert budget.last_rate == pytest.approx(8, rel=0.1)
    assert 1.3 < budget.overall <= 1.6
    for week in range(12, 40):
        budget.turn((1 + 7 * week) * DAY, [], 1000)
    assert budget.overall == 1.0
    copy = Budget()
    copy.restore(budget.to_json())
    assert copy.to_json() == budget.to_json()


def test_every_statistical_rule_exists() -> None:
    assert STATISTICAL - {"unusual_day", "slow_drift"} <= {d.id for d in DETECTORS}
    assert EngineSettings().budget.pushed_a_day == 3.0
