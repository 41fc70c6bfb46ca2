"""Who lands by a vendor's line may reach what the contract names, and nothing else."""

from detector.hospital import Asset, Hospital, RegisteredLine
from detector.lateral.landing_pivot import LandingPivot
from tests.detector.windows import World, flow

LANDING, ALLOWED, OTHER, OUTSIDE = "10.0.50.10", "10.0.60.5", "10.0.2.20", "203.0.113.9"


def hospital(**fields: object) -> Hospital:
    line = RegisteredLine(
        id="L1", vendor="給食業者", line_type="拠点間VPN", outside=("203.0.113.0/28",),
        **{"landing": (LANDING,), "allowed_targets": (f"{ALLOWED}:443",), **fields},
    )  # fmt: skip
    dns = Asset(ip="10.0.0.53", role="dns")
    return Hospital(lines=(line,), assets=(dns,))


def session(at: float = 0.0) -> object:
    return flow(OUTSIDE, LANDING, 3389, at, app="rdp", seconds=600)


def found(*flows: object, **fields: object) -> list[tuple[str, float]]:
    world = World(hospital(**fields))
    several = world.run(LandingPivot(), world.window(flows))
    assert all((f.line, f.techniques) == ("L1", ()) for f in several)
    return [(f.variant, f.score) for f in several]


def test_beyond_the_contract_during_the_session() -> None:
    assert found(session(), flow(LANDING, OTHER, 3389, 60, app="rdp")) == [("", 90)]


def test_the_contract_may_be_used() -> None:
    assert found(session(), flow(LANDING, ALLOWED, 443, 60)) == []
    assert found(session(), flow(LANDING, ALLOWED, 3389, 60)) == [("", 90)]


def test_half_an_hour_after_still_counts() -> None:
    assert found(session(), flow(LANDING, OTHER, 445, 600 + 1700)) == [("", 90)]
    assert found(session(), flow(LANDING, OTHER, 445, 600 + 1900)) == []


def test_without_a_session_the_landing_server_is_just_a_server() -> None:
    assert found(flow(LANDING, OTHER, 445)) == []


def test_a_pool_and_the_device_are_always_the_vendor() -> None:
    assert found(flow("10.0.50.77", OTHER, 445), landing=("10.0.50.0/24",)) == [("", 90)]
    assert found(flow("10.0.50.1", OTHER, 445), device_ip="10.0.50.1") == [("", 90)]


def test_an_attempt_counts_less() -> None:
    assert found(session(), flow(LANDING, OTHER, 445, 60, state="S0")) == [("attempt", 75)]


def test_the_hospitals_name_server_may_be_asked() -> None:
    asked = flow(LANDING, "10.0.0.53", 53, 60, protocol=17, app="dns")
    assert found(session(), asked) == []
