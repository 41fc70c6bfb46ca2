"""Spoofed addresses, names and leases are found; redundancy and WINS stay quiet."""

from __future__ import annotations

from ipaddress import ip_network

from collector.sightings import Arp, Dhcp, NameAnnouncement, RouterAdvertisement
from detector.hospital import Hospital, Segment
from detector.lines.arp_spoofing import ArpSpoofing
from detector.lines.lease_flood import LeaseFlood
from detector.lines.name_poisoning import NamePoisoning
from tests.detector.lines_windows import START, S, findings, flow

ROUTER, VICTIM, ATTACKER = "172.16.0.1", "172.16.0.107", "172.16.0.105"
ROUTER_MAC, VICTIM_MAC, ATTACKER_MAC = (f"00:1c:73:00:00:0{n}" for n in (1, 2, 3))


def ask(ip: str, mac: str, target: str, at_s: float) -> Arp:
    return Arp(time_ns=START + int(at_s * S), mac=mac, ip=ip, operation=1, sender_mac=mac,
               sender_ip=ip, target_mac="", target_ip=target)  # fmt: skip


def answer(ip: str, mac: str, target: str, at_s: float) -> Arp:
    return Arp(time_ns=START + int(at_s * S), mac=mac, ip=ip, operation=2, sender_mac=mac,
               sender_ip=ip, target_mac="", target_ip=target)  # fmt: skip


def test_finds_a_host_that_passes_itself_off_as_the_router() -> None:
    arps = [
        ask(ROUTER, ROUTER_MAC, VICTIM, 0), answer(VICTIM, VICTIM_MAC, ROUTER, 0.1),
        ask(ATTACKER, ATTACKER_MAC, VICTIM, 7), answer(VICTIM, VICTIM_MAC, ATTACKER, 7.1),
        answer(ROUTER, ATTACKER_MAC, VICTIM, 8),
    ]  # fmt: skip
    found = findings(ArpSpoofing(), sightings=arps)
    assert [(f.source, f.targets[0], f.score) for f in found] == [(ATTACKER, ROUTER, 85)]


def test_finds_it_without_having_heard_the_router_before() -> None:
    arps = [answer(ROUTER, ATTACKER_MAC, VICTIM, 1), ask(ATTACKER, ATTACKER_MAC, ROUTER, 9)]
    assert [f.source_mac for f in findings(ArpSpoofing(), sightings=arps)] == [ATTACKER_MAC]


def test_a_router_with_many_addresses_that_is_asked_is_quiet() -> None:
    arps = []
    for n in range(1, 6):
        arps += [ask(VICTIM, VICTIM_MAC, f"172.16.{n}.1", n), answer(f"172.16.{n}.1", ROUTER_MAC,
                 VICTIM, n + 0.1)]  # fmt: skip
    assert findings(ArpSpoofing(), sightings=arps) == []


def test_a_failover_is_quiet() -> None:
    arps = [
        ask(ROUTER, ROUTER_MAC, VICTIM, 0), ask(ATTACKER, ATTACKER_MAC, VICTIM, 1),
        answer(ROUTER, ATTACKER_MAC, ROUTER, 2),  # gratuitous: told to all
        answer(ROUTER, "00:00:5e:00:01:05", VICTIM, 3),
        answer(ATTACKER, "00:00:5e:00:01:05", VICTIM, 4),
    ]  # fmt: skip
    assert findings(ArpSpoofing(), sightings=arps) == []


def test_finds_redirects_that_no_gateway_sent() -> None:
    plan = Hospital(
        segments=(
            Segment(name="x", prefixes=(ip_network("172.16.0.0/24"),), gateway_macs=(ROUTER_MAC,)),
        )
    )
    for mac, variants in ((ATTACKER_MAC, ["redirect"]), (ROUTER_MAC, [])):
        told = flow(ATTACKER, VICTIM, 1, protocol=1, source_port=5, source_mac=mac)
        assert [f.variant for f in findings(ArpSpoofing(), [told], hospital=plan)] == variants


def name(names: tuple[str, ...], address: str, protocol: str = "llmnr", n: int = 0):  # type: ignore[no-untyped-def]
    return NameAnnouncement(time_ns=START + n * S, ip=ATTACKER, peer_ip=VICTIM, protocol=protocol,
                            operation="response", names=names, addresses=(address,))  # fmt: skip


def test_finds_a_host_that_answers_for_many_names() -> None:
    said = [name((f"file{n}",), ATTACKER, n=n) for n in range(3)]
    assert [f.source for f in findings(NamePoisoning(), sightings=said)] == [ATTACKER]
    assert findings(NamePoisoning(), sightings=said[:2]) == []


def test_finds_a_host_that_claims_to_be_the_proxy() -> None:
    assert len(findings(NamePoisoning(), sightings=[name(("wpad.local",), ATTACKER, "mdns")])) == 1


def test_a_wins_server_and_bonjour_are_quiet() -> None:
    wins = [name((f"PC{n}<00>",), f"172.16.0.{n}", "nbns") for n in range(10, 20)]
    bonjour = [name((f"printer{n}.local",), ATTACKER, "mdns") for n in range(10)]
    own = [name((f"NAS<{n:02x}>", "NAS<20>"), ATTACKER, "nbns") for n in range(10)]
    assert findings(NamePoisoning(), sightings=wins + bonjour + own) == []


def dhcp(n: int, mac: str = ATTACKER_MAC, **fields: str) -> Dhcp:
    fields.setdefault("client_mac", mac)
    return Dhcp(time_ns=START + n, mac=mac, ip="0.0.0.0", message="discover", **fields)  # type: ignore[arg-type]


def test_finds_dhcp_floods() -> None:
    many = [dhcp(n) for n in range(150)]
    clients = [dhcp(n, client_mac=f"02:00:00:00:00:{n:02x}") for n in range(12)]
    wanted = [dhcp(n, requested_ip=f"172.16.0.{n}") for n in range(12)]
    for flood in (many, clients, wanted):
        assert [f.source for f in findings(LeaseFlood(), sightings=flood)] == [ATTACKER_MAC]


def test_a_morning_of_logons_and_a_relay_are_quiet() -> None:
    morning = [dhcp(n, f"00:1c:73:00:{n // 256:02x}:{n % 256:02x}") for n in range(400)]
    relay = [dhcp(n, client_mac=f"00:1c:73:00:01:{n:02x}", relay_ip=ROUTER) for n in range(200)]
    assert findings(LeaseFlood(), sightings=morning + relay) == []


def test_finds_floods_of_advertisements() -> None:
    said = [
        RouterAdvertisement(time_ns=START + n, ip=f"fe80::{n}", mac=ATTACKER_MAC, lifetime_s=9,
                            router_mac=f"02:00:00:00:00:{n:02x}", prefixes=(f"2001:db8:{n}::/64",))
        for n in range(1, 30)
    ]  # fmt: skip
    assert [f.variant for f in findings(LeaseFlood(), sightings=said)] == ["advertisements"]
    assert findings(LeaseFlood(), sightings=said[:3]) == []
