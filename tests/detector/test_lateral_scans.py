"""Port scans, odd packets, scans of the Internet, ARP sweeps; and what must stay quiet."""

import numpy as np

from collector.sightings import Arp
from detector.lateral.arp_sweep import ArpSweep
from detector.lateral.outside_scan import OutsideScan
from detector.lateral.port_scan import PortScan
from tests.detector.windows import START_NS, S, World, flow

SOURCE, TARGET = "10.0.1.77", "10.0.2.9"


def variants(flows: list, detector=None) -> list[str]:
    world = World()
    return [f.variant for f in world.run(detector or PortScan(), world.window(flows))]


def tries(count: int, state: str = "REJ", **columns: object) -> list:
    return [flow(SOURCE, TARGET, 2000 + i, i / 10, state=state, **columns) for i in range(count)]


def test_25_ports_make_a_port_scan() -> None:
    assert variants(tries(24)) == []
    assert variants(tries(25)) == ["ports"]


def test_a_port_scan_from_outside_is_active_scanning() -> None:
    world = World()
    flows = [flow("198.51.100.7", TARGET, 2000 + i, i / 10, state="REJ") for i in range(25)]
    (found,) = world.run(PortScan(), world.window(flows))
    assert found.techniques == ("T1046", "T1595")
    (inside,) = world.run(PortScan(), world.window(tries(25)))
    assert inside.techniques == ("T1046",)


def test_a_slow_scan_is_counted_over_windows() -> None:
    world, found = World(), []
    for i in range(25):
        one = flow(SOURCE, TARGET, 2000 + i, i * 20, state="S0")
        found += world.run(PortScan(), world.window([one], start_s=i * 20))
    assert [f.variant for f in found] == ["ports"]


def services(count: int, apart_s: float, state: str = "S0") -> list[str]:
    """What is told of so many well-known services, one each so many seconds."""
    world, found = World(), []
    for i in range(count):
        one = flow(SOURCE, TARGET, 20 + i, i * apart_s, state=state)
        found += world.run(PortScan(), world.window([one], start_s=i * apart_s))
    return [f.variant for f in found]


def test_a_dozen_services_of_which_none_answers_are_a_scan_however_slow() -> None:
    assert services(12, 0.1) == ["ports"]
    assert services(12, 300) == ["ports"]  # nmap -T0
    assert services(11, 0.1) == []
    assert services(12, 0.1, state="SF") == []


def test_a_domain_controller_that_is_gone_is_no_scan() -> None:
    asked = (53, 88, 123, 135, 137, 139, 389, 445, 464, 636, 3268)
    assert (
        variants([flow(SOURCE, TARGET, port, i, state="S0") for i, port in enumerate(asked)]) == []
    )


def test_lone_acks_are_probes_of_a_filter() -> None:
    ack = {"state": "OTH", "flags": 16, "packets": 1, "bytes": 40}
    asked = [flow(SOURCE, TARGET, 20 + i, i / 10, **ack) for i in range(12)]
    assert variants(asked) == ["ports"]
    reply = {"reply_packets": 1, "reply_flags": 16, "reply_bytes": 40}
    answered = [flow(SOURCE, TARGET, 20 + i, i, **ack, **reply) for i in range(12)]
    assert variants(answered) == []
    with_options = [flow(SOURCE, TARGET, 20 + i, i, **{**ack, "bytes": 52}) for i in range(12)]
    assert variants(with_options) == []


def test_many_working_services_are_no_scan() -> None:
    assert variants(tries(60, state="SF") + tries(5)) == []


def test_three_services_knocked_at_half_open() -> None:
    assert variants(tries(3, state="RSTO")) == ["half_open"]
    assert variants(tries(2, state="RSTO")) == []
    assert variants(tries(5, state="RSTO", packets=12, bytes=6000)) == []


def test_odd_flags_are_fingerprinting() -> None:
    xmas = flow(SOURCE, TARGET, 135, state="OTH", flags=0x29, packets=1, bytes=40)
    null = flow(SOURCE, TARGET, 135, state="OTH", flags=0, packets=1, bytes=40)
    data = flow(SOURCE, TARGET, 135, state="OTH", flags=0x18, packets=1, bytes=400)
    assert variants([xmas, null]) == ["odd"]
    assert variants([data]) == []


def outside(count: int, port: int, state: str = "S0", **columns: object) -> list:
    return [
        flow(SOURCE, f"203.0.{i // 250}.{i % 250 + 1}", port, i / 10, state=state, **columns)
        for i in range(count)
    ]


def test_a_worm_tries_telnet_on_the_internet() -> None:
    assert variants(outside(10, 2323), OutsideScan()) == ["scan"]
    assert variants(outside(9, 2323), OutsideScan()) == []


def test_a_blocked_browser_is_quiet() -> None:
    assert variants(outside(200, 443), OutsideScan()) == []


def test_answers_are_no_scan() -> None:
    assert variants(outside(30, 22, state="SF"), OutsideScan()) == []


def test_peer_to_peer_is_policy() -> None:
    flows = [f.copy() for f in outside(80, 6881, protocol=17)]
    for i, f in enumerate(flows):
        f["destination_port"] = 20000 + i * 17
    world = World()
    (found,) = world.run(OutsideScan(), world.window(flows))
    assert (found.variant, found.category) == ("p2p", "policy")
    assert found.score < 50


def ask(last: int, at: float, mac: str = "02:00:00:00:00:01") -> Arp:
    return Arp(time_ns=START_NS + int(at * S), mac=mac, operation=1, sender_mac=mac,
               sender_ip=SOURCE, target_mac="", target_ip=f"10.0.1.{last}")  # fmt: skip


def arp(sightings: list) -> list:
    world = World()
    return world.run(ArpSweep(), world.window([], sightings))


def test_an_arp_sweep_asks_for_the_next_and_the_next() -> None:
    (found,) = arp([ask(i, i / 10) for i in range(1, 40)])
    assert (found.source, found.source_mac) == (SOURCE, "02:00:00:00:00:01")
    assert arp([ask(i, i / 10) for i in range(1, 20)]) == []


def test_a_router_asking_here_and_there_is_quiet() -> None:
    scattered = np.random.default_rng(7).permutation(range(1, 250, 5))
    assert arp([ask(int(i), n) for n, i in enumerate(scattered)]) == []


def test_asking_for_the_living_is_quiet() -> None:
    alive = [
        Arp(time_ns=START_NS, operation=2, sender_mac=f"02:00:00:00:01:{i:02x}",
            sender_ip=f"10.0.1.{i}", target_mac="", target_ip=SOURCE)
        for i in range(1, 40)
    ]  # fmt: skip
    assert arp([*alive, *[ask(i, i / 10) for i in range(1, 40)]]) == []
