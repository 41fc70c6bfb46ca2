"""New control between hosts: silent, low, capped or plain, by how much has been learnt."""

import pytest

from detector.hospital import Asset, Hospital, RegisteredLine, Role
from detector.lateral.admin_edge import AdminEdge
from tests.detector.windows import World, flow

CLIENT, SERVER = "10.0.1.7", "10.0.2.9"


def found(world: World, *flows: object) -> list[tuple[str, float]]:
    return [(f.variant, f.score) for f in world.run(AdminEdge(), world.window(flows))]


def warm(days: int, hospital: Hospital | None = None) -> World:
    """A world with some days of other admin traffic."""
    world = World(hospital)
    admin = [flow("10.0.9.1", f"10.0.2.{i}", 3389, app="rdp") for i in range(1, 6)]
    others = [flow(f"10.0.1.{i}", SERVER, 443, app="tls") for i in range(1, 250)]
    world.age(days, *admin, *others)
    return world


def ledger(ip: str, role: Role) -> Hospital:
    return Hospital(assets=(Asset(ip=ip, role=role),))


@pytest.mark.parametrize("app", ["ssh", "smb", "mssql", "telnet"])
def test_a_cold_memory_does_not_cry_for_every_shell(app: str) -> None:
    assert found(World(), flow(CLIENT, SERVER, 22, app=app)) == []


def test_a_cold_memory_tells_screens_as_low() -> None:
    assert found(World(), flow(CLIENT, SERVER, 3389, app="rdp")) == [("cold", 35)]
    assert found(World(), flow("198.51.100.7", SERVER, 3389, app="rdp")) == [("cold", 40)]
    assert found(World(ledger(CLIENT, "admin")), flow(CLIENT, SERVER, 3389, app="rdp")) == []


def test_winrm_is_known_by_port_and_http() -> None:
    assert found(World(), flow(CLIENT, SERVER, 5985, app="http")) == [("cold", 55)]


def test_a_port_that_does_not_answer_is_no_control() -> None:
    assert found(World(), flow(CLIENT, SERVER, 3389, app="rdp", state="S0")) == []


def test_a_new_edge_is_capped_until_four_weeks_are_learnt() -> None:
    assert found(warm(10), flow(CLIENT, SERVER, 3389, app="rdp")) == [("new", 60)]
    ((variant, score),) = found(warm(30), flow(CLIENT, SERVER, 3389, app="rdp"))
    assert variant == "new" and score > 60


def test_a_known_edge_is_silent() -> None:
    assert found(warm(10), flow("10.0.9.1", "10.0.2.3", 3389, app="rdp")) == []


def test_what_a_registered_line_may_do_is_not_told_here() -> None:
    line = RegisteredLine(
        id="L1", vendor="V", line_type="拠点間VPN", landing=("10.0.50.0/28", "10.0.60.1"),
        allowed_targets=(f"{SERVER}:3389",),
    )  # fmt: skip
    hospital = Hospital(lines=(line,))
    vendor = "10.0.50.3"
    assert found(World(hospital), flow(vendor, "10.0.60.1", 3389, app="rdp")) == []
    assert found(World(hospital), flow(vendor, SERVER, 3389, app="rdp")) == []
    assert found(World(hospital), flow(vendor, SERVER, 5900, app="vnc")) == [("cold", 35)]


def test_a_modality_that_opens_a_session_needs_no_baseline() -> None:
    world = World(ledger(CLIENT, "modality"))
    assert found(world, flow(CLIENT, SERVER, 3389, app="rdp")) == [("never_controller", 80)]


def asks_around(role: Role, app: str, every_s: float) -> list[tuple[str, float, int]]:
    """What is told of a machine that turns to four others that it never met."""
    world = warm(10, ledger(CLIENT, role))
    told = []
    for n in range(4):
        asked = world.window([flow(CLIENT, f"10.0.3.{n}", 135, n * every_s, app=app)])
        told += [(f.variant, f.score, len(f.targets)) for f in world.run(AdminEdge(), asked)]
    return told


def test_a_modality_that_asks_around_needs_no_session() -> None:
    told = asks_around("modality", "dcerpc", 60.0)
    assert [t[0] for t in told] == ["new", "new", "never_controller", "never_controller"]
    assert told[2][1:] == (72.0, 3) and told[3][1:] == (72.0, 4)


@pytest.mark.parametrize(
    ("role", "app", "every_s"),
    [("modality", "dcerpc", 2000.0), ("terminal", "dcerpc", 60.0), ("printer", "smb", 60.0)],
)
def test_a_few_new_machines_a_day_or_folders_for_scans_are_no_asking_around(
    role: Role, app: str, every_s: float
) -> None:
    assert {variant for variant, *_ in asks_around(role, app, every_s)} <= {"new"}


def test_a_landing_server_that_goes_beyond_its_contract() -> None:
    line = RegisteredLine(
        id="L-1", vendor="v", line_type="拠点間VPN", landing=("10.0.7.5",),
        allowed_targets=("10.0.2.9",),
    )  # fmt: skip
    world = warm(10, Hospital(lines=(line,)))
    assert found(world, flow("10.0.7.5", "10.0.0.8", 3389, app="rdp")) == [("new", 75.0)]
    assert found(world, flow("10.0.7.5", "10.0.2.9", 3389, app="rdp")) == []


def test_an_asset_tools_round_is_one_alert_and_a_burst_another() -> None:
    world = warm(30)
    rounds = []
    for day in range(20):
        many = 30 if day == 15 else 3
        flows = [
            flow("10.0.9.9", f"10.0.{20 + day}.{n}", 445, day * 86_400 + n, app="smb")
            for n in range(many)
        ]
        window = world.window(flows, start_s=day * 86_400)
        rounds += [(day, f) for f in world.run(AdminEdge(), window)]
        world.edges.observe(window)
    early = [f for day, f in rounds if day < 2]
    late = [f for day, f in rounds if day >= 2 and not f.key.endswith("burst")]
    assert len({f.key for f in early if len(f.targets) == 1}) == 5
    assert {f.key for f in late} == {"10.0.9.9 smb"}
    assert {f.first_ns for f in late} == {min(f.last_ns for f in early)}
    assert {day for day, f in rounds if f.key.endswith("burst")} == {15}
