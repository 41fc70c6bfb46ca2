"""Two days of a ward by real DHCP packets: memory follows the machine, not the address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from collector.apps import APP_CODE
from collector.replay import Replay
from collector.settings import CollectorSettings
from detector.detectors import DETECTORS
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.lateral.admin_edge import AdminEdge
from detector.lateral.rounds import Rounds
from sample_pcaps.hospital import HOSTS, Host
from sample_pcaps.links import dhcp_lease
from sample_pcaps.remote import rdp
from sample_pcaps.wire import SECOND, Span
from tests.detector.test_identity import lease
from tests.detector.windows import START_NS, World

DAY = 86_400 * SECOND
SERVER = HOSTS["EMR-AP1"]
OLD, NEW = "10.20.20.201", "10.20.20.222"
ADMIN = Host("PC-ADMIN", OLD, "48:4d:7e:00:00:01")
STRANGER = Host("PC-NEW", OLD, "48:4d:7e:00:00:09")


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, list[Any]]:
    """An administrator works on a server; overnight the PC is leased another address."""
    span = Span("two days of leases")
    at = dhcp_lease(span, START_NS, ADMIN)
    for hour in (1, 3, 5):
        rdp(span, at + hour * 3600 * SECOND, ADMIN, SERVER, "sato", 120)
    moved = replace(ADMIN, ip=NEW)
    at = dhcp_lease(span, START_NS + DAY, moved)
    dhcp_lease(span, at + SECOND, STRANGER)
    rdp(span, at + 3600 * SECOND, moved, SERVER, "sato", 120)
    rdp(span, at + 4000 * SECOND, STRANGER, SERVER, "suzuki", 120)
    path = tmp_path_factory.mktemp("leases") / "ward.pcap"
    path.write_bytes(span.pcap())
    hospital = Hospital()
    settings, hosts = EngineSettings(), HostTable(hospital)
    detectors = tuple(d for d in DETECTORS if isinstance(d, AdminEdge))
    engine = Engine(hospital, detectors, settings, hosts, EdgeMemory())
    told = [a for seen in Replay(CollectorSettings()).read([path]) for a in engine.feed(seen)]
    return engine, [*told, *engine.finish()]


def test_edges_follow_and_a_stranger_at_the_old_address_begins_anew(
    ward: tuple[Engine, list[Any]],
) -> None:
    engine, told = ward
    rdp_edge = APP_CODE["rdp"]
    follows, fresh = (engine.edges.find(ip, SERVER.ip, rdp_edge) for ip in (NEW, OLD))
    assert follows is not None and fresh is not None
    # The PC's edge is a day old, the stranger's began today.
    assert follows.first_ns < START_NS + DAY <= fresh.first_ns
    late = {a.source.asset for a in told if a.first_ns >= START_NS + DAY}
    assert late == {"mac-484d7e000009"}, "the old machine does nothing new"


def test_the_asset_keeps_its_first_sight_and_its_names(ward: tuple[Engine, list[Any]]) -> None:
    engine, _ = ward
    rows = {a["id"]: a for a in engine.assets.take_changed()}
    moved, stranger = rows["mac-484d7e000001"], rows["mac-484d7e000009"]
    assert [stay["ip"] for stay in moved["addresses"]] == [OLD, NEW]
    assert (moved["ip"], stranger["ip"]) == (NEW, OLD)
    here, there = engine.hosts.at(NEW), engine.hosts.at(OLD)
    assert (here.name, there.name) == (ADMIN.name, STRANGER.name)
    assert here.first_ns < START_NS + DAY <= there.first_ns


def test_a_settled_round_follows_the_machine_and_is_not_inherited() -> None:
    """Who gets the address of a management tool is told in full, and the tool itself is not."""
    from detector.identity import Identities

    world, rounds, identities = World(), Rounds(), Identities()

    def tell(ip: str, day: int) -> bool:
        who = world.hosts.at(ip).identity
        ns = START_NS + day * DAY
        return rounds.tell(ip, SERVER.ip, "service", ns, ns, 4, who=who).is_settled

    identities.observe([lease(1, "10.0.1.5", 0)], world.hosts, world.hospital)
    assert [tell("10.0.1.5", day) for day in range(4)] == [False, False, False, True]
    changed = [lease(1, "10.0.1.6", 4 * 86_400), lease(2, "10.0.1.5", 4 * 86_400 + 1)]
    identities.observe(changed, world.hosts, world.hospital)
    assert tell("10.0.1.6", 4)
    assert not tell("10.0.1.5", 4)
