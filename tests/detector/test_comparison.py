"""Every alert says how this pair, this host and its peers behaved so far."""

from __future__ import annotations

from detector.alerts import Alert, make_alert
from detector.comparison import compared
from detector.detection import Finding
from detector.hospital import Asset, Hospital
from detector.lateral.admin_edge import AdminEdge
from detector.words import Text
from tests.detector.windows import START_NS, World, flow

PC, SERVER, OTHER = "10.0.1.5", "10.0.2.5", "10.0.2.6"
PEERS = [f"10.0.1.{n}" for n in range(10, 13)]


def world() -> World:
    every = [PC, *PEERS]
    made = World(Hospital(assets=tuple(Asset(ip=ip, role="terminal") for ip in every)))
    made.age(6, *(flow(ip, OTHER, 3389, app="rdp") for ip in every[:3]), flow(PC, SERVER, 80))
    return made


def alert_of(seen: World, target: str, app: str) -> Alert:
    facts = {"app": app, "role": "", "surprise": 0, "days": 0}
    finding = Finding(PC, (target,), 80, 1.0, START_NS, START_NS, facts, "new", app=app)
    return make_alert(AdminEdge(), finding, seen.hosts)


def told(seen: World, target: str, app: str = "rdp") -> str:
    text = compared(
        alert_of(seen, target, app), seen.edges, lambda party: seen.hosts.number_of(party.ip)
    )
    assert text is not None
    return text.en


def test_a_pair_that_never_spoke_and_one_that_did() -> None:
    seen = world()
    assert f"RDP from {PC} to {SERVER} was never seen" in told(seen, SERVER)
    assert f"RDP from {PC} to {OTHER} was seen on 6 days" in told(seen, OTHER)


def test_the_host_and_its_peers_are_counted() -> None:
    assert "used RDP with 1 host; of other hosts of its kind (terminal), 2 use RDP" in told(
        world(), SERVER
    )
    assert "used SSH with 0 hosts; of other hosts of its kind (terminal), 0 use SSH" in told(
        world(), SERVER, "ssh"
    )


def test_without_an_application_the_partners_are_counted() -> None:
    assert f"has spoken to 2 hosts, to {SERVER} on 6 days" in told(world(), SERVER, "")
    assert "has spoken to 2 hosts, never to 10.0.9.9" in told(world(), "10.0.9.9", "")


def test_a_cold_memory_says_so() -> None:
    assert "learning began today" in told(World(), SERVER)


def test_one_of_a_thing_is_no_plural() -> None:
    filled = Text("{n} 日", "{n} days of {m} hosts, v1.1 hosts").fill({"n": 1, "m": 11})
    assert filled == Text("1 日", "1 day of 11 hosts, v1.1 hosts")
