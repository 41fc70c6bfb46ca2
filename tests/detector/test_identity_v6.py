"""IPv6: a machine draws address after address and stays one asset; and who only claims them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from collector.sightings import Dhcpv6, NeighborAdvertisement
from detector.hospital import Hospital, Segment
from detector.hosts import HostTable
from detector.identity_v6 import MOST_OF_ONE, SixAddresses
from detector.memories import load_memories, save_memories
from detector.store import Store
from tests.detector.test_identity import MACS, Ward, arp, lease
from tests.detector.windows import START_NS, S, flow

PREFIX, LINK = "2001:db8:1::", "fe80::211:22ff:fe33:440"
DAY_S = 86_400
PLAN = Hospital(
    timezone="UTC",
    segments=(Segment(name="病棟", vlan=10, prefixes=(ip_network("10.0.0.0/16"),
                                                    ip_network(f"{PREFIX}/48"))),),
)  # fmt: skip


def takes(n: int, ip: str, at_s: float = 0) -> NeighborAdvertisement:
    """Machine n is about to take an address: duplicate address detection."""
    return NeighborAdvertisement(
        time_ns=START_NS + int(at_s * S), mac=MACS[n], ip="::", target_ip=ip, target_mac=MACS[n],
        is_tentative=True,
    )  # fmt: skip


def ward() -> Ward:
    return Ward(hospital=PLAN)


def test_link_local_slaac_privacy_and_leased_addresses_are_one_host() -> None:
    here = ward()
    here.see(0, [], [arp(1, "10.0.1.5", 0)])
    number = here.number("10.0.1.5")
    six = [f"{LINK}1", f"{PREFIX}211:22ff:fe33:4401", f"{PREFIX}a1b2:c3d4:e5f6:7788", f"{PREFIX}51"]
    leased = Dhcpv6(
        time_ns=START_NS + 61 * S, mac=MACS[1], ip=six[0], message="renew", addresses=(six[3],)
    )
    here.see(60, [], [*(takes(1, ip, 60) for ip in six[:3]), leased])
    here.see(120, [flow(six[2], "10.0.0.9", 3389, 120, app="rdp")], [])
    assert [here.number(ip) for ip in six] == [number] * 4
    assert here.knows("10.0.1.5", "10.0.0.9", "rdp")
    [asset] = [a for a in here.engine.assets.take_changed() if a["mac"] == MACS[1]]
    assert (asset["id"], asset["ip"]) == ("mac-001122334401", "10.0.1.5")
    assert [a["ip"] for a in asset["addresses"]] == ["10.0.1.5", *six]


def test_tomorrows_privacy_address_is_familiar_and_costs_no_new_asset() -> None:
    here = ward()
    here.see(0, [], [arp(1, "10.0.1.5", 0)])
    for day in range(30):
        ip = f"{PREFIX}dead:beef:0:{day + 1:x}"
        here.see(day * DAY_S, [], [takes(1, ip, day * DAY_S)])
        at = day * DAY_S + 60
        here.see(at, [flow(ip, "10.0.0.9", 445, at, app="smb")], [])
    assert len({a["id"] for a in here.engine.assets.take_changed()}) == 2  # and the server


def test_the_neighbours_address_cannot_be_claimed_while_it_speaks() -> None:
    here, ip = ward(), f"{PREFIX}7"
    here.see(0, [], [arp(1, "10.0.1.5", 0), arp(2, "10.0.1.6", 0), takes(1, ip, 1)])
    mine, theirs = here.number("10.0.1.5"), here.number("10.0.1.6")
    here.see(60, [], [takes(2, ip, 60)])
    assert here.number(ip) == mine
    assert here.engine.identities.refused["IPv6 address of another machine"] == 1
    here.see(DAY_S, [flow(ip, "10.0.0.9", 445, DAY_S)], [])  # it speaks, and nobody asks for it
    here.see(2 * DAY_S, [], [takes(2, ip, 2 * DAY_S)])
    assert here.number(ip) == mine
    here.see(5 * DAY_S, [], [takes(2, ip, 5 * DAY_S)])  # its first owner fell silent
    assert here.number(ip) == theirs


def test_addresses_outside_the_plan_and_those_set_by_hand_are_no_further_ones() -> None:
    here = ward()
    here.see(0, [], [arp(1, "10.0.1.5", 0)])
    for ip in ("2001:4860:4860::8888", "fe80::1", "ff02::1"):
        here.see(60, [], [takes(1, ip, 60)])
        assert here.number(ip) != here.number("10.0.1.5")


def test_a_host_without_ipv4_is_a_machine_too_and_keeps_to_it_once_ipv4_comes() -> None:
    here = ward()
    one, other = f"{PREFIX}aa", f"{PREFIX}bb"
    here.see(0, [], [takes(1, one, 0), takes(1, other, 1)])
    assert here.number(one) == here.number(other)
    assert here.hosts.at(one).asset == "mac-001122334401"
    here.see(60, [], [arp(1, "10.0.1.5", 60)])
    assert here.number(one) == here.number(other) == here.number("10.0.1.5")
    here.see(DAY_S, [], [lease(1, "10.0.1.77", DAY_S)])
    assert here.number(other) == here.number("10.0.1.77")
    assert here.number("10.0.1.5") != here.number("10.0.1.77")


def test_an_address_that_was_a_host_of_its_own_leaves_the_list(tmp_path: Path) -> None:
    here, store = ward(), Store(tmp_path / "mimawari.db").open()
    ip = f"{PREFIX}9"
    here.see(0, [flow(ip, "10.0.0.9", 445)], [arp(1, "10.0.1.5", 0)])
    store.save_seen_assets(here.engine.assets.take_changed())
    assert ip in {a["ip"] for a in store.seen_assets()}
    here.see(60, [flow(ip, "10.0.0.9", 445, at=60)], [takes(1, ip, 60)])
    store.save_seen_assets(here.engine.assets.take_changed())
    assert sorted(a["ip"] for a in store.seen_assets()) == ["10.0.0.9", "10.0.1.5"]
    store.close()


def test_it_outlives_a_restart(tmp_path: Path) -> None:
    here, ip, file = ward(), f"{PREFIX}7", tmp_path / "memories.bin"
    here.see(0, [], [arp(1, "10.0.1.5", 0), takes(1, ip, 1)])
    assert not save_memories(file, here.hosts, here.engine.memories(), 1)
    again = ward()
    again.engine.hosts = again.hosts = HostTable(PLAN)
    again.engine.remember_all(load_memories(file, again.hosts))
    assert again.number(ip) == again.number("10.0.1.5")


def test_a_flood_of_claims_stays_bounded() -> None:
    six = SixAddresses()
    told = [six.take("a", f"{PREFIX}{n:x}", n) for n in range(1_000)]
    assert told.count("") == 32
    for day in range(9):
        for n in range(32):
            six.take("b", f"{PREFIX}b:{day}:{n:x}", (day + 1) * DAY_S * S)
    assert len(six.of("b")) == MOST_OF_ONE
    assert set(six.by_mac) == {"a", "b"}
    assert len(six.held) == 32 + MOST_OF_ONE
