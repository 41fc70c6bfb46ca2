"""The attacker who adds one step a week for a hundred days."""

from __future__ import annotations

from detector.detection import Finding
from detector.lateral.slow_drift import SlowDrift
from tests.detector.windows import World, flow

DAY_S = 86_400
PCS = [f"10.0.1.{n}" for n in range(1, 21)]


def everyday(at: float) -> list:
    """Twenty terminals with their servers; each prints on one printer of its own."""
    return [
        row
        for n, pc in enumerate(PCS)
        for row in (
            flow(pc, "10.0.0.1", 53, at, app="dns"),
            flow(pc, "10.0.0.5", 443, at, app="tls"),
            flow(pc, f"10.0.5.{n % 5 + 1}", 9100, at, app="printer"),
        )
    ]


def run(days: int, extra) -> list[tuple[int, Finding]]:
    world, found = World(), []
    for day in range(days):
        at = day * DAY_S
        window = world.window([*everyday(at), *extra(day, at)], start_s=at)
        found += [(day, f) for f in world.run(SlowDrift(), window)]
        world.edges.observe(window)
    return found


def test_one_new_partner_a_week_is_found_within_a_hundred_days() -> None:
    def step(day: int, at: float) -> list:
        return [flow(PCS[3], f"10.0.3.{week}", 3389, at, app="rdp") for week in range(day // 7 + 1)]

    told = run(100, step)
    assert told, "the slow attacker was not found"
    day, finding = told[0]
    assert finding.source == PCS[3]
    assert 42 <= day <= 100
    assert finding.facts["usual"] == 0
    assert {f.source for _, f in told} == {PCS[3]}


def test_a_roll_out_and_a_new_server_for_all_are_silent() -> None:
    def rollout(day: int, at: float) -> list:
        weeks = max(0, (day - 30) // 7)
        return [
            flow(pc, f"10.0.6.{w * 20 + n}", 7680, at)
            for n, pc in enumerate(PCS[:8])
            for w in range(weeks)
        ] + [flow(pc, f"10.0.0.{100 + w}", 443, at, app="tls") for pc in PCS for w in range(weeks)]

    assert run(95, rollout) == []
