"""The attacker who adds one step a week for a hundred days."""

from __future__ import annotations

import pytest

from collector.sightings import Dhcp
from detector.assets import AssetLog
from detector.hospital import Asset, Hospital
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


def run(days: int, extra, hospital: Hospital | None = None, split: int = 1) -> list:
    """Days of `everyday` and what `extra` adds; `split`: into how many windows a day is cut."""
    world, found = World(hospital), []
    for day in range(days):
        at = day * DAY_S
        rows = [*everyday(at), *extra(day, at)]
        for part in range(split):
            start = at + part * 30
            window = world.window(rows[part::split], start_s=start)
            found += [(day, f) for f in world.run(SlowDrift(), window)]
            world.edges.observe(window)
    return found


def servers(count: int, app: str = "rdp", source: str = PCS[3], first: int = 1):
    """Control of some of the servers that every terminal also uses for its work."""
    return lambda at: [
        flow(source, f"10.0.0.{n}", 3389, at, app=app) for n in range(first, first + count)
    ]


def shared(at: float) -> list:
    """Twenty servers that every terminal uses by HTTPS."""
    return [flow(pc, f"10.0.0.{n}", 443, at, app="tls") for pc in PCS for n in range(1, 21)]


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
    assert {f.variant for _, f in told} == {"", "control"}


def walker(day: int, at: float) -> list:
    """One more of the servers that all use is controlled each week, as S11 does."""
    return [*shared(at), *servers(day // 7 + 1)(at)]


def controls(told: list) -> list:
    return [(day, f) for day, f in told if f.variant == "control"]


def test_control_of_servers_that_all_use_is_found_within_ten_weeks() -> None:
    told = controls(run(80, walker))
    day, finding = told[0]
    assert {f.source for _, f in told} == {PCS[3]}
    assert 56 <= day <= 70
    assert finding.facts["gained"] == 5 and finding.facts["usual"] == 0
    assert finding.targets[0] == f"10.0.0.{day // 7 + 1}"


@pytest.mark.parametrize("split", [2, 7])
def test_how_a_day_is_cut_into_windows_changes_nothing(split: int) -> None:
    def gist(told: list) -> list:
        return [(day, f.source, f.targets, f.score, dict(f.facts)) for day, f in told]

    assert gist(run(80, walker, split=split)) == gist(run(80, walker))


def test_a_management_server_keeps_its_pace() -> None:
    def tool(day: int, at: float) -> list:
        return [flow(PCS[0], f"10.0.7.{day + n}", 445, at, app="smb") for n in range(2)]

    assert controls(run(95, tool)) == []


def test_a_management_server_that_doubles_its_pace_is_told() -> None:
    def tool(day: int, at: float) -> list:
        met = day // 2 if day < 28 else 14 + 3 * (day - 28)
        return [flow(PCS[0], f"10.0.7.{met + n}", 445, at, app="smb") for n in range(3)]

    assert {f.source for _, f in controls(run(80, tool))} == {PCS[0]}


ADMINS = [f"10.0.9.{n}" for n in range(1, 8)]


def administrators(day: int, at: float) -> list:
    """Six work from the start, the seventh PC begins on day 40; each week another server."""
    return [
        row
        for n, pc in enumerate(ADMINS)
        if n < 6 or day >= 40
        for row in servers(max(1, day // 7 - (5 if n == 6 else 0)), source=pc)(at)
    ]


def test_a_new_administrators_pc_works_as_its_peers_do() -> None:
    known = Hospital(assets=tuple(Asset(ip=pc, role="admin") for pc in ADMINS))
    assert controls(run(100, administrators, known)) == []
    unregistered = Hospital(assets=tuple(Asset(ip=pc, role="admin") for pc in ADMINS[:3]))
    assert ADMINS[6] in {f.source for _, f in controls(run(100, administrators, unregistered))}


def test_files_of_a_file_server_are_no_control() -> None:
    hospital = Hospital(
        assets=tuple(Asset(ip=f"10.0.0.{n}", role="file_server") for n in range(20))
    )

    def opens(day: int, at: float) -> list:
        return [*shared(at), *servers(day // 7 + 1, app="smb")(at)]

    assert controls(run(90, opens, hospital)) == []


def test_a_machine_whose_lease_moves_stays_one_machine() -> None:
    """Two addresses by halves are too few targets each; together they are enough."""
    world, found = World(), []
    assets = AssetLog(world.hosts, world.hospital)
    for day in range(75):
        at, ip = day * DAY_S, "10.0.1.77" if day < 48 else "10.0.1.78"
        lease = Dhcp(
            time_ns=0, message="ack", client_mac="b0:0c:d1:00:00:13", your_ip=ip, ip="10.0.0.1"
        )
        week = day // 7
        steps = servers(1, source=ip, first=week + 1)(at)
        window = world.window([*everyday(at), *shared(at), *steps], [lease], start_s=at)
        assets.observe(window)
        found += [(day, f) for f in world.run(SlowDrift(), window)]
        world.edges.observe(window)
    assert {f.source for _, f in controls(found)} == {"10.0.1.78"}


def test_a_roll_out_and_a_new_server_for_all_are_silent() -> None:
    def rollout(day: int, at: float) -> list:
        weeks = max(0, (day - 30) // 7)
        return [
            flow(pc, f"10.0.6.{w * 20 + n}", 7680, at)
            for n, pc in enumerate(PCS[:8])
            for w in range(weeks)
        ] + [flow(pc, f"10.0.0.{100 + w}", 443, at, app="tls") for pc in PCS for w in range(weeks)]

    assert run(95, rollout) == []
