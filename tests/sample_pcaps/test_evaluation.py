"""What the scoreboard counts: shares and their intervals, roles, times against limits."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.evaluation.clocks import encryption_seconds, landing_seconds
from bench.evaluation.counting import percentile, share_text, wilson
from bench.evaluation.limits import limits, tier_json
from bench.evaluation.roles import by_role, macro_f1, role_pairs
from bench.evaluation.running import Run
from bench.evaluation.scoring import score
from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from detector.alerts import Alert, Party
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Asset, Hospital, RegisteredLine
from detector.hosts import HostTable
from detector.incidents import Incident
from detector.words import Text
from tests.detector.windows import START_NS, S, flow

LANDING, SERVER, BEYOND = "10.0.9.5", "10.0.1.10", "10.0.1.20"
DAY_NS = 86_400 * S


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(6, 6, 0.6097, 1.0), (0, 10, 0.0, 0.2775), (10, 20, 0.2993, 0.7007), (57, 60, 0.8629, 0.9829)],
)
def test_the_interval_of_a_share_is_wilsons(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=5e-4)


def test_a_share_of_nothing_has_no_interval() -> None:
    assert share_text(0, 0) == "-" and share_text(6, 6) == "6/6 (61 % to 100 %)"
    with pytest.raises(ValueError, match="7 of 6 is no share"):
        wilson(7, 6)
    with pytest.raises(ValueError, match="0 of 0"):
        wilson(0, 0)


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([5.0, 1.0, 9.0], 0.9) == 9.0
    assert percentile([float(n) for n in range(1, 11)], 0.9) == 9.0
    assert percentile([], 0.9) == -1.0


def test_every_role_weighs_alike_and_wrong_guesses_cost() -> None:
    pairs = Counter({
        ("printer", "printer"): 3, ("printer", ""): 1, ("terminal", "printer"): 2,
        ("terminal", "terminal"): 6, ("monitor", "server"): 1, ("server", "server"): 1,
    })  # fmt: skip
    told = by_role(pairs)
    assert told["printer"] == (4, 5, 3, pytest.approx(6 / 9))
    assert told["terminal"] == (8, 6, 6, pytest.approx(12 / 14))
    assert told["server"] == (1, 2, 1, pytest.approx(2 / 3))
    assert (
        "monitor" not in told
    )  # nobody can infer it; being taken for a server is the server's loss
    assert macro_f1(pairs) == pytest.approx((6 / 9 + 12 / 14 + 2 / 3) / 3)
    assert macro_f1(Counter()) == -1.0


def test_roles_are_judged_by_behaviour_though_the_ledger_knows_them() -> None:
    listed = (
        Asset(ip="10.0.1.5", role="printer"),
        Asset(ip="10.0.1.6", role="emr_server"),
        Asset(ip="10.0.1.7", role="printer"),
        Asset(ip="10.0.1.8", role="printer"),
    )
    hospital = Hospital(assets=listed)
    engine = Engine(hospital, [], EngineSettings(), HostTable(hospital), EdgeMemory())
    printed = [flow(f"10.0.5.{n}", "10.0.1.5", 9100, app="printer") for n in range(3)]
    served = [flow(f"10.0.5.{n}", "10.0.1.6", 443, app="tls") for n in range(20)]
    idle = flow("10.0.5.1", "10.0.1.7", 22, app="ssh")
    flows = FlowBatch(np.concatenate([*printed, *served, idle]))
    engine.feed(Observations(flows, (), START_NS + 3600 * S, CollectorHealth()))
    engine.finish()
    assert role_pairs(engine) == {
        ("printer", "printer"): 1, ("server", "server"): 1, ("printer", ""): 1,
    }  # fmt: skip


def alert(id: str, detector: str, source: str, technique: str) -> Alert:
    words = Text("", "")
    return Alert(
        id, detector, "", "lateral_movement", (technique,), "high", 90.0, 1.0, START_NS + DAY_NS,
        START_NS + DAY_NS, Party(ip=source), (Party(ip=BEYOND),), words, words, words,
    )  # fmt: skip


def step(technique: str, actor: str, target: str, tiers: tuple[str, ...] = ("span",)) -> dict:
    start = START_NS + DAY_NS
    return {
        "name": technique, "technique": technique, "stage": "", "actors": [actor],
        "targets": [target], "start_ns": start, "end_ns": start + 60 * S,
        "visible_ns": dict.fromkeys(tiers, start),
    }  # fmt: skip


def run_of(*scenarios: dict, told: list[tuple[Alert, float]]) -> Run:
    line = RegisteredLine(
        id="L1", vendor="業者", line_type="拠点間VPN", landing=("10.0.9.0/28",),
        allowed_targets=(f"{SERVER}:3389",),
    )  # fmt: skip
    truth = {
        "seed": 1, "days": 3, "warm_days": 1, "warm_ns": START_NS + DAY_NS, "hosts": 1000,
        "first_ns": START_NS, "last_ns": START_NS + 3 * DAY_NS, "scenarios": list(scenarios),
    }  # fmt: skip
    run = Run(Path(), "span", truth, Hospital(lines=(line,)))
    for word, seconds in told:
        run.alerts[word.id] = word
        run.told_ns[word.id] = START_NS + DAY_NS + round(seconds * S)
        run.named_ns.update({(word.id, t.ip): run.told_ns[word.id] for t in word.targets})
    return run


def scenario(*steps: dict, id: str = "S2") -> dict:
    return {
        "id": id, "title": id, "is_attack": True, "line": "", "impact_ns": 0, "steps": list(steps),
    }  # fmt: skip


def test_the_clock_beyond_a_landing_host_starts_outside_the_contract() -> None:
    by_contract = step("T1133", LANDING, SERVER)
    beyond = step("T1021.001", LANDING, BEYOND)
    beyond["visible_ns"]["span"] += 30 * S
    pivot, other = alert("a", "landing_pivot", LANDING, "T1199"), alert("b", "x", LANDING, "T1199")
    run = run_of(told=[(pivot, 70.0), (other, 31.0)])
    both = scenario(by_contract, beyond)
    assert landing_seconds(run, both, run.alerts) == [40.0]
    assert landing_seconds(run, both, ["b"]) == [-1.0]
    assert landing_seconds(run, scenario(by_contract), run.alerts) == []
    unseen = scenario(step("T1021.001", LANDING, BEYOND, tiers=("netflow",)))
    assert landing_seconds(run, unseen, run.alerts) == []


def test_the_clock_of_encryption_wants_an_alert_that_says_so() -> None:
    fire, other = alert("a", "file_encryption", SERVER, "T1486"), alert("b", "x", SERVER, "T1021")
    run = run_of(told=[(fire, 21.5), (other, 3.0)])
    made = scenario(step("T1486", SERVER, BEYOND))
    assert encryption_seconds(run, made, run.alerts) == [21.5]
    assert encryption_seconds(run, made, ["b"]) == [-1.0]
    assert encryption_seconds(run, scenario(step("T1486", BEYOND, SERVER)), ["a"]) == [-1.0]


def incident(number: int, at_ns: int, priority: float, *alerts: str) -> Incident:
    return Incident(
        f"i{number}", alerts, (), (), at_ns, at_ns, (), (), "high", priority, "same_day"
    )


def test_budget_and_quiet_days_are_counted_by_incident() -> None:
    fire = alert("a", "file_encryption", SERVER, "T1486")
    run = run_of(scenario(step("T1486", SERVER, BEYOND)), told=[(fire, 20.0)])
    attack_day, quiet_day = START_NS + DAY_NS, START_NS + 2 * DAY_NS
    run.incidents = [
        incident(1, attack_day, 95.0, "a"),
        incident(2, quiet_day, 85.0, "wrong"),
        incident(3, quiet_day, 65.0, "wrong too"),
        *(incident(n, quiet_day, 45.0, "digest") for n in range(4, 12)),
        incident(99, START_NS, 99.0, "before the days that count"),
        replace(incident(98, START_NS, 99.0, "goes on low"), last_ns=quiet_day),
    ]
    told = score(run)
    assert (told.pushed, told.true_pushed) == (3, 1)
    assert (told.affordable, told.true_affordable) == (6, 1)  # 3 a day and 1,000 hosts, 2 days
    assert (told.quiet_days, told.quiet_pushed, told.quiet_critical) == (1, 2, 1)
    facts = tier_json([told])
    assert facts["encryption_s"] == [20.0] and facts["pushed_a_day"] == 1.5
    page = "\n".join(limits([("span", [told])]))
    assert "| encryption of files, LM-7 | ≤ 30 s | 1/1 (21 % to 100 %), slowest 20 s |" in page
    assert "| 1/6 (3 % to 56 %) |" in page and "| ≤ 3 | 2.00, in 1 d |" in page
    assert "| immediate or critical of these | 0 | 1 |" in page


def test_a_target_that_joins_an_alert_later_counts_from_then() -> None:
    """Two moves of one actor under one alert: the second is told when its target is named."""
    second = step("T1021.001", SERVER, "10.0.1.30")
    second["visible_ns"]["span"] += 40 * S
    both = scenario(step("T1021.001", SERVER, BEYOND), second)
    run = run_of(both, told=[(alert("a", "x", SERVER, "T1021"), 10.0)])
    assert [s for *_, s in score(run).caught[0].steps] == [10.0, -1.0]
    later = (Party(ip=BEYOND), Party(ip="10.0.1.30"))
    run.alerts["a"] = replace(run.alerts["a"], targets=later)
    run.named_ns["a", "10.0.1.30"] = START_NS + DAY_NS + 55 * S
    assert [s for *_, s in score(run).caught[0].steps] == [10.0, 15.0]
