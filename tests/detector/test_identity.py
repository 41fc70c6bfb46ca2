"""Machines keep what is remembered of them when DHCP gives them other addresses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, FlowBatch, address_number
from collector.observations import CollectorHealth, Observations
from collector.sightings import Arp, Dhcp, Sighting
from detector.alerts import party
from detector.detectors import DETECTORS
from detector.edges import DAY_NS, EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Asset, Hospital
from detector.hosts import HostsFull, HostTable
from detector.incidents import join_alerts
from detector.lateral.admin_edge import AdminEdge
from detector.lines.addresses import INSIDE
from detector.lines.arp_spoofing import ArpSpoofing
from detector.memories import load_memories, save_memories
from detector.store import Store
from tests.detector.windows import START_NS, S, flow

DHCP = "10.0.0.1"
MACS = {n: f"00:11:22:33:44:{n:02x}" for n in range(256)}


def lease(n: int, ip: str, at_s: float, server: str = DHCP) -> Dhcp:
    """The server acknowledges the address of machine n."""
    return Dhcp(
        time_ns=START_NS + int(at_s * S), ip=server, message="ack", client_mac=MACS[n],
        your_ip=ip, server_id=server, host_name=f"PC-{n:03}",
    )  # fmt: skip


def arp(n: int, ip: str, at_s: float, target: str = "10.0.0.254") -> Arp:
    """Machine n says in ARP that it has this address."""
    return Arp(
        time_ns=START_NS + int(at_s * S), operation=2, sender_mac=MACS[n], sender_ip=ip,
        target_mac="00:00:00:00:00:00", target_ip=target,
    )  # fmt: skip


@dataclass
class Ward:
    """An engine that is shown windows of 30 s."""

    hospital: Hospital = field(default_factory=Hospital)
    detectors: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        self.hosts = HostTable(self.hospital)
        self.engine = Engine(
            self.hospital, self.detectors, EngineSettings(), self.hosts, EdgeMemory()
        )
        self.alerts: list[Any] = []

    def see(self, at_s: float, flows: list[Any], sightings: list[Sighting]) -> None:
        rows = np.concatenate(flows) if flows else np.zeros(0, FLOW_DTYPE)
        rows = rows[np.argsort(rows["reported_ns"], kind="stable")]
        until = START_NS + int((at_s + 60) * S)
        self.alerts += self.engine.feed(
            Observations(FlowBatch(rows), tuple(sightings), until, CollectorHealth())
        )

    def number(self, ip: str) -> int:
        return self.hosts.number_of(ip)

    def knows(self, source: str, target: str, app: str) -> bool:
        return self.engine.edges.find(source, target, APP_CODE[app]) is not None


def test_a_machine_brings_its_number_and_edges_to_its_new_address() -> None:
    ward = Ward()
    ward.see(0, [flow("10.0.1.5", "10.0.0.9", 3389, 1, app="rdp")], [lease(1, "10.0.1.5", 0)])
    number = ward.number("10.0.1.5")
    ward.see(90_000, [], [lease(1, "10.0.1.77", 90_000)])
    assert ward.number("10.0.1.77") == number
    assert ward.hosts.ip(number) == "10.0.1.77"
    assert ward.knows("10.0.1.77", "10.0.0.9", "rdp")
    assert not ward.knows("10.0.1.5", "10.0.0.9", "rdp")
    numbered = ward.hosts.number(np.array([address_number("10.0.1.77")], np.uint64))
    assert numbered.tolist() == [number]


def test_who_gets_the_address_inherits_nothing() -> None:
    ward = Ward()
    rdp = flow("10.0.1.5", "10.0.0.9", 3389, 1, app="rdp")
    ward.see(0, [rdp], [lease(1, "10.0.1.5", 0)])
    number = ward.number("10.0.1.5")
    ward.see(90_000, [], [lease(2, "10.0.1.5", 90_000)])
    assert ward.number("10.0.1.5") != number
    assert not ward.knows("10.0.1.5", "10.0.0.9", "rdp")
    away = party(ward.hosts.ip(number), ward.hosts)
    assert (away.ip, away.name, away.asset) == ("10.0.1.5", "PC-001", "mac-001122334401")
    ward.see(99_000, [], [lease(1, "10.0.1.6", 99_000)])
    assert ward.number("10.0.1.6") == number
    assert ward.knows("10.0.1.6", "10.0.0.9", "rdp")


def test_two_machines_may_change_places() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0), lease(2, "10.0.1.6", 1)])
    one, two = ward.number("10.0.1.5"), ward.number("10.0.1.6")
    ward.see(90_000, [], [lease(1, "10.0.1.6", 90_000), lease(2, "10.0.1.5", 90_001)])
    assert (ward.number("10.0.1.6"), ward.number("10.0.1.5")) == (one, two)


def test_the_asset_keeps_its_id_and_tells_its_addresses() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    [before] = ward.engine.assets.take_changed()
    ward.see(90_000, [], [lease(2, "10.0.1.5", 90_000), lease(1, "10.0.1.6", 90_030)])
    rows = {a["id"]: a for a in ward.engine.assets.take_changed()}
    after = rows["mac-001122334401"]
    assert before["id"] == after["id"]
    assert (after["ip"], after["identity"], after["is_away"]) == ("10.0.1.6", "mac", False)
    assert [stay["ip"] for stay in after["addresses"]] == ["10.0.1.5", "10.0.1.6"]
    assert rows["mac-001122334402"]["ip"] == "10.0.1.5"


def test_behind_a_router_the_address_stays_the_identity() -> None:
    ward = Ward()
    ward.see(0, [flow("10.0.1.5", "10.0.0.9", 443, 1, app="tls", source_mac=0x0011)], [])
    [*assets] = ward.engine.assets.take_changed()
    told = {a["ip"]: (a["id"], a["identity"]) for a in assets}
    assert told["10.0.1.5"] == ("ip-10.0.1.5", "address")


def test_an_unknown_server_moves_nobody() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0), lease(2, "10.0.1.6", 1)])
    number = ward.number("10.0.1.5")
    ward.see(90_000, [], [lease(1, "10.0.1.66", 90_000, server="10.0.1.66")])
    assert ward.number("10.0.1.5") == number
    assert ward.engine.identities.refused["lease of an unknown DHCP server"] == 1


def test_a_second_server_is_believed_after_a_day_and_three_machines() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    number, other = ward.number("10.0.1.5"), "10.0.0.2"
    ward.see(100, [], [lease(n, f"10.0.1.{n}", 100, other) for n in (21, 22, 23)])
    ward.see(200, [], [lease(1, "10.0.1.66", 200, other)])
    assert ward.number("10.0.1.5") == number
    ward.see(90_000, [], [lease(1, "10.0.1.66", 90_000, other)])
    assert ward.number("10.0.1.66") == number


def test_a_machine_that_is_leased_about_is_held_where_it_is() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    number = ward.number("10.0.1.5")
    for hour, last in enumerate((6, 7, 8, 9), start=1):
        ward.see(3600 * hour, [], [lease(1, f"10.0.1.{last}", 3600 * hour)])
    assert ward.number("10.0.1.8") == number
    assert ward.engine.identities.refused == {"machine with several leases at a time": 1}


def test_a_forged_lease_is_undone_when_its_machine_still_speaks() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    number = ward.number("10.0.1.5")
    ward.see(90_000, [], [lease(1, "10.0.1.66", 90_000)])
    ward.see(90_300, [], [arp(1, "10.0.1.5", 90_300)])
    assert ward.number("10.0.1.5") == number
    ward.see(90_600, [], [lease(1, "10.0.1.66", 90_600)])
    assert ward.number("10.0.1.5") == number, "leases move it no more for a day"


def test_who_once_claimed_an_address_hinders_nobody_for_ever() -> None:
    ward = Ward()
    ward.see(0, [], [arp(1, "10.0.1.5", 0), arp(2, "10.0.1.6", 1)])
    one = ward.number("10.0.1.5")
    ward.see(50_000, [], [arp(3, "10.0.1.6", 50_000)])  # once, and never again
    for at in range(200_000, 204_001, 2_000):
        ward.see(at, [], [arp(1, "10.0.1.6", at)])
    assert ward.number("10.0.1.6") == one


def test_a_steady_change_in_arp_moves_a_machine_and_a_short_one_does_not() -> None:
    ward = Ward()
    ward.see(0, [], [arp(1, "10.0.1.5", 0), arp(2, "10.0.1.6", 1)])
    one, two = ward.number("10.0.1.5"), ward.number("10.0.1.6")
    ward.see(90_000, [], [arp(1, "10.0.1.6", 90_000)])
    ward.see(91_000, [], [arp(1, "10.0.1.6", 91_000)])
    assert ward.number("10.0.1.6") == two
    ward.see(94_000, [], [arp(1, "10.0.1.6", 94_000)])
    assert ward.number("10.0.1.6") == one


def test_an_arp_spoof_moves_no_identity_and_is_told() -> None:
    ward = Ward(detectors=(ArpSpoofing(),))
    victim, attacker = "10.0.1.5", "10.0.1.6"
    ward.see(0, [], [arp(1, victim, 0), arp(2, attacker, 1)])
    numbers = ward.number(victim), ward.number(attacker)
    for minute in range(180):
        at = 3600 + 60 * minute
        said: list[Sighting] = [arp(2, victim, at, "10.0.1.9"), arp(2, attacker, at + 1)]
        if minute % 10 == 0:
            said.append(arp(1, victim, at + 2))
        ward.see(at, [], said)
    assert (ward.number(victim), ward.number(attacker)) == numbers
    assert [a.detector for a in ward.alerts][:1] == ["arp_spoofing"]


def test_who_speaks_for_many_addresses_is_no_machine() -> None:
    ward = Ward()
    ward.see(0, [], [arp(n, f"10.0.1.{n}", n) for n in range(1, 6)])
    numbers = [ward.number(f"10.0.1.{n}") for n in range(1, 6)]
    for hour in range(1, 12):
        said = [arp(9, f"10.0.1.{n}", 3600 * hour + n) for n in range(1, 6)]
        ward.see(3600 * hour, [], said)
    assert [ward.number(f"10.0.1.{n}") for n in range(1, 6)] == numbers


def test_identities_outlive_a_restart(tmp_path: Path) -> None:
    ward = Ward()
    rdp = flow("10.0.1.5", "10.0.0.9", 3389, 1, app="rdp")
    ward.see(0, [rdp], [lease(1, "10.0.1.5", 0)])
    ward.see(90_000, [], [lease(2, "10.0.1.5", 90_000)])
    number = ward.number("10.0.1.5")
    save_memories(tmp_path / "m", ward.hosts, ward.engine.memories(), 1)
    ward.engine.edges.save(tmp_path / "e.npz")
    again = Ward()
    kept = load_memories(tmp_path / "m", again.hosts)
    assert not kept.faults
    again.engine.edges = EdgeMemory.load(tmp_path / "e.npz", again.hosts)
    again.engine.remember_all(kept)
    assert again.number("10.0.1.5") == number
    again.see(99_000, [], [lease(1, "10.0.1.6", 99_000)])
    assert again.knows("10.0.1.6", "10.0.0.9", "rdp")
    assert not again.knows("10.0.1.5", "10.0.0.9", "rdp")


def test_the_ledgers_role_stays_with_the_address_unless_it_names_the_mac() -> None:
    assets = (
        Asset(ip="10.0.1.5", role="modality", name="CT"),
        Asset(ip="10.0.1.6", role="admin", name="IT", mac=MACS[2]),
    )
    ward = Ward(Hospital(assets=assets))
    ward.see(0, [], [lease(1, "10.0.1.5", 0), lease(2, "10.0.1.6", 1)])
    ward.see(90_000, [], [lease(1, "10.0.1.7", 90_000), lease(2, "10.0.1.8", 90_001)])
    assert ward.hosts.at("10.0.1.7").role == "unknown"
    assert ward.hosts.at("10.0.1.8").role == "admin"
    assert ward.hosts.at("10.0.1.5").role == "modality"


def test_a_new_machine_does_not_get_the_ledgers_row_of_another(tmp_path: Path) -> None:
    pump = Asset(ip="10.0.1.5", role="medical_device", name="PUMP", mac=MACS[1])
    ward = Ward(Hospital(assets=(pump,)))
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    ward.see(90_000, [], [lease(2, "10.0.1.5", 90_000)])
    taker = ward.hosts.at("10.0.1.5")
    assert (taker.machine, taker.role, taker.name) == (MACS[2], "unknown", "PC-002")
    save_memories(tmp_path / "m", ward.hosts, ward.engine.memories(), 1)
    again = Ward(Hospital(assets=(pump,)))
    again.engine.remember_all(load_memories(tmp_path / "m", again.hosts))
    taker = again.hosts.at("10.0.1.5")
    assert (taker.machine, taker.role, taker.has_moved) == (MACS[2], "unknown", True)
    assert again.hosts.get(ward.engine.identities.machines[MACS[1]].number).role == "medical_device"


def test_a_move_takes_nobodys_name_and_no_text_breaks_the_look_up() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0), lease(2, "10.0.1.6", 1)])
    ward.see(90_000, [], [lease(1, "10.0.1.7", 90_000)])
    assert ward.hosts.name_of("10.0.1.6") == "PC-002"
    known = len(ward.hosts)
    assert [ward.hosts.name_of(t) for t in ("100::no", "100::77", "ct.example", "")] == [""] * 4
    assert len(ward.hosts) == known


def test_a_machine_that_is_away_is_still_of_the_inside() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    ward.see(90_000, [], [lease(2, "10.0.1.5", 90_000)])
    number = ward.engine.identities.machines[MACS[1]].number
    assert ward.hosts.kinds[number] == INSIDE
    ward.see(99_000, [], [lease(1, "10.0.1.6", 99_000)])
    assert ward.hosts.kinds[ward.number("10.0.1.6")] == INSIDE


def test_a_late_alert_is_of_the_machine_that_was_there() -> None:
    """It is told after another machine has got the address that it names."""
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    late = party("10.0.1.5", ward.hosts)
    first = ward.number("10.0.1.5")
    ward.see(90_000, [], [lease(2, "10.0.1.5", 90_000)])
    assert ward.number("10.0.1.5") != first
    assert ward.engine.assets.number_of(late) == first
    assert ward.engine.assets.number_of(replace(late, asset="")) == ward.number("10.0.1.5")
    assert ward.engine.assets.number_of(replace(late, asset="mac-0")) == ward.number("10.0.1.5")


def test_a_full_table_says_so_every_time() -> None:
    hosts = HostTable(Hospital(), most=-65_535)  # with the spare ones: room for one
    hosts.number_of("10.0.1.1")
    for _ in range(2):
        with pytest.raises(HostsFull):
            hosts.own_number_of("10.0.1.2")


WEEK = [f"10.0.1.{n}" for n in range(10, 40)]


def shuffled_weeks(follow: bool) -> Ward:
    """Thirty terminals whose leases shuffle daily; machine 3 controls one server more each day."""
    ward = Ward(detectors=(AdminEdge(),))
    rng = np.random.default_rng(7)
    for day in range(24):
        at = day * 86_400.0
        order = rng.permutation(len(WEEK)) if day else np.arange(len(WEEK))
        place = {n: WEEK[int(p)] for n, p in enumerate(order)}
        said = [lease(n, ip, at + 60 + n) for n, ip in place.items()] if follow else []
        ward.see(at + 60, [], said)
        # Two machines are administrators' and control a server each, every day.
        rows = [
            flow(ip, f"10.0.0.{20 + n}", 3389, at + 300, app="rdp")
            for n, ip in place.items()
            if n in (0, 6)
        ]
        rows += [flow(ip, "10.0.0.9", 443, at + 301, app="tls") for ip in place.values()]
        if day >= 20:  # the attacker, from wherever the machine is that day
            rows += [
                flow(place[3], f"10.0.0.{50 + n}", 22, at + 302 + n, app="ssh") for n in range(3)
            ]
        ward.see(at + 300, rows, [])
    ward.alerts += ward.engine.finish()
    return ward


def test_a_shuffle_of_leases_tells_nothing_new_and_hides_no_attacker() -> None:
    def late(ward: Ward) -> list[Any]:
        told = {a.id: a for a in ward.alerts}.values()
        return [a for a in told if a.first_ns > START_NS + DAY_NS]

    ward = shuffled_weeks(follow=True)
    assert {a.source.asset for a in late(ward)} == {"mac-001122334403"}
    assert {a.first_ns // DAY_NS - START_NS // DAY_NS for a in late(ward)} == {20}
    attacker = ward.engine.identities.machines[MACS[3]]
    assert len(attacker.stays) > 10
    now_there = attacker.ip
    assert ward.knows(now_there, "10.0.0.50", "ssh")
    others = [ip for ip in WEEK if ip != now_there]
    assert not any(ward.knows(ip, "10.0.0.50", "ssh") for ip in others)
    by_address = late(shuffled_weeks(follow=False))
    assert len({a.source.ip for a in by_address}) > 1, "without it, shuffles look like new edges"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=40))
def test_numbers_and_addresses_stay_one_to_one(moves: list[tuple[int, int]]) -> None:
    """Whatever is leased to whom, every number has one address and the index finds it."""
    hosts = HostTable(Hospital())
    ward = [hosts.number_of(f"10.0.1.{n}") for n in range(6)]
    for machine, place in moves:
        number = hosts.give(f"10.0.2.{place}", ward[machine])
        assert number == ward[machine] == hosts.number_of(f"10.0.2.{place}")
    addresses = hosts.table()
    assert len(np.unique(addresses, axis=0)) == len(addresses)
    assert hosts.number(addresses).tolist() == list(range(len(addresses)))


def test_the_cut_into_batches_changes_nothing() -> None:
    said = [
        lease(n, f"10.0.1.{(n * step) % 40}", 3_600 * step) for step in (1, 3, 7) for n in (1, 2, 3)
    ]
    rows = [flow(f"10.0.1.{n}", "10.0.0.9", 443, 3_600 * 8 + n, app="tls") for n in range(40)]

    def table(cuts: int) -> list[Any]:
        ward = Ward(detectors=DETECTORS)
        for part in range(cuts):
            mine = said[part * len(said) // cuts : (part + 1) * len(said) // cuts]
            ward.see(mine[-1].time_ns / S - START_NS / S - 60 if mine else 0, [], mine)
        ward.see(3_600 * 9, rows, [])
        ward.engine.finish()
        return ward.hosts.table().tolist()

    assert table(1) == table(3) == table(9)


def test_alerts_of_one_machine_at_two_addresses_are_one_incident() -> None:
    ward = shuffled_weeks(follow=True)
    [first, *_] = [a for a in ward.alerts if a.first_ns > START_NS + 20 * DAY_NS]
    here = replace(first, id="1", score=80.0)
    there = replace(
        here, id="2", first_ns=here.first_ns + DAY_NS, last_ns=here.last_ns + DAY_NS,
        source=replace(here.source, ip="10.0.1.99"), targets=(),
    )  # fmt: skip
    other = replace(there, id="3", source=replace(here.source, asset="mac-00aa00aa00aa"))
    told = join_alerts([here, there, other], {})
    assert sorted(sorted(i.alert_ids) for i in told) == [["1", "2"], ["3"]]


def test_the_store_keeps_one_row_a_machine(tmp_path: Path) -> None:
    ward, store = Ward(), Store(tmp_path / "mimawari.db").open()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    store.save_seen_assets(ward.engine.assets.take_changed())
    ward.see(90_000, [], [lease(2, "10.0.1.5", 90_000)])
    store.save_seen_assets(ward.engine.assets.take_changed())
    told = {a["id"]: (a["ip"], a["last_ip"], a["is_away"]) for a in store.seen_assets()}
    assert told["mac-001122334401"] == ("mac-001122334401", "10.0.1.5", True)
    assert told["mac-001122334402"] == ("10.0.1.5", "10.0.1.5", False)
    ward.see(99_000, [], [lease(1, "10.0.1.6", 99_000)])
    store.save_seen_assets(ward.engine.assets.take_changed())
    assert sorted(a["ip"] for a in store.seen_assets()) == ["10.0.1.5", "10.0.1.6"]
    store.close()


def test_alerts_are_found_by_the_machine_wherever_it_was(tmp_path: Path) -> None:
    ward, store = shuffled_weeks(follow=True), Store(tmp_path / "mimawari.db").open()
    store.save_alerts(ward.alerts)
    found = store.alerts(source="mac-001122334403")
    assert {a.source.asset for a in found} == {"mac-001122334403"}
    assert len(found) == 3
    store.close()


def test_what_the_engine_had_no_room_for_is_told_by_cause() -> None:
    ward = Ward()
    ward.see(0, [], [lease(1, "10.0.1.5", 0)])
    ward.see(90_000, [], [lease(1, "10.0.1.66", 90_000, server="10.0.1.66")])
    ward.engine.assets.turned_away, ward.engine.edges.forgotten = 4, 5
    assert ward.engine.shedding() == {
        "assets: beyond the list": 4,
        "edges: forgotten, the memory was full": 5,
        "identity: lease of an unknown DHCP server": 1,
    }
