"""Who came into a server by a vendor's line, and from there goes on, is told from bare flows."""

from __future__ import annotations

from detector.hospital import Asset, Hospital, RegisteredLine
from detector.lateral.onward import Onward
from tests.detector.windows import World, flow

POOL, SERVER, CHART, DC = "10.0.70.150", "10.0.48.10", "10.0.10.11", "10.0.80.1"


def world(**fields: object) -> World:
    line = RegisteredLine(
        id="L7", vendor="給食業者", line_type="拠点間VPN", landing=("10.0.70.144/28",),
        allowed_targets=(f"{SERVER}:3389", "10.0.48.11:3389"),
    )  # fmt: skip
    assets = (Asset(ip=DC, role="domain_controller"), Asset(ip="10.0.80.31", role="bastion"))
    made = World(Hospital(lines=(line,), assets=assets))
    made.age(5, flow(SERVER, "10.0.80.40", 445, app="smb"), flow(POOL, SERVER, 3389, app="rdp"))
    return made


def entry(at: float = 0.0) -> object:
    return flow(POOL, SERVER, 3389, at, app="rdp", seconds=5300)


def control(at: float, target: str = CHART, source: str = SERVER) -> object:
    return flow(source, target, 3389, at, app="rdp", seconds=600)


def tries(at: float, count: int, state: str = "S0") -> list[object]:
    return [flow(SERVER, f"10.0.10.{n + 20}", 445, at + n, state=state) for n in range(count)]


def found(seen: World, *flows: object) -> list[tuple[str, float, int]]:
    several = seen.run(Onward(), seen.window(flows))
    assert all(f.line == "L7" for f in several)
    return [(f.source, f.score, len(f.targets)) for f in several]


def test_control_of_a_further_host_during_the_visit() -> None:
    assert found(world(), entry(), control(3600)) == [(SERVER, 80.0, 1)]


def test_later_within_a_day_counts_less_and_then_nothing() -> None:
    assert found(world(), entry(), control(5300 + 7200)) == [(SERVER, 60.0, 1)]
    assert found(world(), entry(), control(5300 + 86_500)) == []


def test_the_visit_may_be_reported_after_what_followed_it() -> None:
    seen = world()
    seen.run(Onward(), seen.window([entry()]))
    assert found(seen, control(90)) == [(SERVER, 80.0, 1)]


def test_three_hosts_tried_tell_and_two_do_not() -> None:
    assert found(world(), entry(), *tries(60, 2)) == []
    assert found(world(), entry(), *tries(60, 3)) == [(SERVER, 70.0, 3)]
    assert found(world(), entry(), *tries(60, 3, "RSTO")) == [(SERVER, 70.0, 3)]


def test_without_a_visit_a_server_is_a_server() -> None:
    assert found(world(), control(60), *tries(60, 9)) == []


def test_what_it_always_does_and_its_own_contract_stay_quiet() -> None:
    used = flow(SERVER, "10.0.80.40", 445, 60, app="smb")
    logons = [flow(SERVER, DC, port, 60, app="smb") for port in (135, 445)]
    assert found(world(), entry(), used, control(60, "10.0.48.11"), *logons) == []


def test_a_bastion_is_there_to_go_on_from() -> None:
    through = flow(POOL, "10.0.80.31", 3389, app="rdp", seconds=600)
    assert found(world(), through, control(60, CHART, "10.0.80.31")) == []
