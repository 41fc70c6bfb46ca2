"""Nine net failed first contacts make a scanner; dead servers and warm edges do not."""

from detector.hospital import Asset, Hospital, Segment
from detector.lateral.host_scan import HostScan
from tests.detector.windows import World, flow

SCANNER = "10.0.1.77"
HOSTS = [f"10.0.2.{i}" for i in range(1, 60)]


def scan(count: int, state: str = "S0", start: float = 0.0) -> list:
    return [flow(SCANNER, h, 445, start + i, state=state) for i, h in enumerate(HOSTS[:count])]


def test_the_walk_fires_at_the_ninth_failure() -> None:
    world = World()
    several = [flow(SCANNER, h, 100 + i, i, state="S0") for i, h in enumerate(HOSTS[:9])]
    assert world.run(HostScan(), world.window(several[:8])) == []
    (found,) = world.run(HostScan(), world.window(several[8:]))
    assert found.source == SCANNER
    assert set(found.targets) == set(HOSTS[:9])


def test_half_open_knocks_count_as_failures() -> None:
    world = World()
    assert len(world.run(HostScan(), world.window(scan(12, state="RSTO")))) == 1


def test_a_lively_sweep_of_one_service_is_told_early() -> None:
    world = World()
    assert len(world.run(HostScan(), world.window(scan(6)))) == 1
    assert world.run(HostScan(), World().window(scan(5))) == []
    half_alive = [flow(SCANNER, h, 22, i, state=("S0", "SF")[i % 2]) for i, h in enumerate(HOSTS)]
    world = World()
    assert len(world.run(HostScan(), world.window(half_alive[:8]))) == 1
    assert World().run(HostScan(), world.window(half_alive[1::2])) == []


def test_empty_pings_are_a_sweep_though_all_answer() -> None:
    ping = {"protocol": 1, "source_port": 8, "packets": 1, "reply_packets": 1, "state": "OTH"}
    world = World()
    pings = [flow(SCANNER, h, 0, i, bytes=28, **ping) for i, h in enumerate(HOSTS[:8])]
    assert len(world.run(HostScan(), world.window(pings))) == 1
    full = [flow(SCANNER, h, 0, i, bytes=60, **ping) for i, h in enumerate(HOSTS)]
    assert World().run(HostScan(), World().window(full)) == []


def test_answers_pay_for_failures() -> None:
    world = World()
    flows = scan(12)
    flows = [flow(SCANNER, h, 100 + i, i, state="S0") for i, h in enumerate(HOSTS[:12])]
    flows += [flow(SCANNER, f"10.0.3.{i}", 445, i + 0.5) for i in range(1, 12)]
    assert world.run(HostScan(), world.window(flows)) == []


def test_repeated_tries_at_one_host_count_once() -> None:
    world = World()
    flows = [flow(SCANNER, HOSTS[0], 445, i, state="S0") for i in range(50)]
    assert world.run(HostScan(), world.window(flows)) == []


def test_a_dead_server_is_not_a_scan_by_its_clients() -> None:
    world = World()
    dead = HOSTS[:12]
    clients = [f"10.0.9.{i}" for i in range(1, 20)]
    for second, target in enumerate(dead):
        flows = [flow(c, target, 443, second, state="S0") for c in clients]
        found = world.run(HostScan(), world.window(flows, start_s=second * 30))
        assert [f for f in found if f.source in clients[5:]] == []


def test_the_registered_scanner_may() -> None:
    world = World(Hospital(assets=(Asset(ip=SCANNER, role="scanner"),)))
    assert world.run(HostScan(), world.window(scan(30))) == []


def test_half_seen_input_does_not_count() -> None:
    world = World()
    flows = [flow(SCANNER, h, 445, state="OTH", one_way=1, packets=9, flags=24) for h in HOSTS]
    assert world.run(HostScan(), world.window(flows)) == []


def test_a_lone_syn_of_a_flow_export_counts() -> None:
    world = World()
    flows = [flow(SCANNER, h, 445, i, state="S0", one_way=1) for i, h in enumerate(HOSTS)]
    (found,) = world.run(HostScan(), world.window(flows))
    assert found.facts["failed"] == len(HOSTS)


def test_addresses_that_nobody_uses_need_a_plan_and_a_week() -> None:
    plan = Segment(name="ward", prefixes=("10.0.0.0/16",))
    touches = [flow(SCANNER, h, 80 + i, i * 600, state="S0") for i, h in enumerate(HOSTS[:3])]
    daily = flow("10.0.5.5", "10.0.5.6", 443)
    world = World(Hospital(segments=(plan,)))
    world.age(8, daily)
    assert [f.variant for f in world.run(HostScan(), world.window(touches))] == ["dark"]
    cold = World(Hospital(segments=(plan,)))
    assert cold.run(HostScan(), cold.window(touches)) == []
    listed = tuple(Asset(ip=h) for h in HOSTS[:3])  # switched off, but in the ledger
    known = World(Hospital(segments=(plan,), assets=listed))
    known.age(8, daily)
    assert known.run(HostScan(), known.window(touches)) == []
