"""EX-1: hidden lines are found with and without a plan, and a home network stays quiet."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sightings import (
    Arp,
    Dcerpc,
    Dhcp,
    DnsUpdate,
    NameAnnouncement,
    RouterAdvertisement,
    Sighting,
    Smb,
)
from detector.detection import Finding
from detector.hospital import Asset, Hospital, Segment
from detector.lines.clues import HALF_LIFE_NS, Clue, EvidenceLedger, probability
from detector.lines.hidden_line import HiddenLine
from detector.words import Text
from tests.detector.lines_windows import START, S, findings, flow, window

CONSOLE, CONSOLE_MAC = "10.20.30.51", "00:1c:73:00:00:51"
GATEWAY_MAC = "00:12:e2:00:00:01"
PLAN = Hospital(
    segments=(
        Segment(
            name="放射線", vlan=30, prefixes=(ip_network("10.20.30.0/24"),),
            gateway_macs=(GATEWAY_MAC,), dhcp_servers=("10.20.80.12",), closed=True,
        ),
    )
)  # fmt: skip
NO_PLAN = Hospital()


def arp(ip: str, mac: str, target: str = "", at_s: float = 0) -> Arp:
    return Arp(time_ns=START + int(at_s * S), mac=mac, ip=ip, operation=1, sender_mac=mac,
               sender_ip=ip, target_mac="", target_ip=target or ip)  # fmt: skip


def dhcp(message: str, server: str, leased: str, **fields: Any) -> Dhcp:
    fields.setdefault("mac", "00:0a:79:00:00:01")
    fields.setdefault("client_mac", "00:1c:73:00:00:99")
    fields.setdefault("routers", (server,))
    return Dhcp(time_ns=START + int(fields.pop("at_s", 0) * S), ip=server, message=message,
                server_id=server, your_ip=leased, **fields)  # fmt: skip


def update(*addresses: str) -> DnsUpdate:
    return DnsUpdate(
        time_ns=START,
        ip=CONSOLE,
        mac=CONSOLE_MAC,
        peer_ip="10.20.80.12",
        is_response=False,
        zone="h.example",
        name="us-3",
        addresses=addresses,
    )


def found(*sightings: Sighting, flows: Any = (), hospital: Hospital = PLAN) -> list[Finding]:
    return findings(HiddenLine(), flows, sightings, hospital)


def strange_packet() -> Any:
    return flow("192.168.42.183", "203.0.113.9", source_mac=CONSOLE_MAC, reply_packets=0)


@pytest.mark.parametrize("hospital", [PLAN, NO_PLAN])
def test_a_name_update_with_a_tether_address_stands_alone(hospital: Hospital) -> None:
    alerts = found(update(CONSOLE, "192.168.42.183"), hospital=hospital)
    assert [(f.source, f.variant) for f in alerts] == [(CONSOLE, "host")]
    assert alerts[0].score >= 80


@pytest.mark.parametrize(
    "sighting",
    [
        Smb(time_ns=START, ip=CONSOLE, mac=CONSOLE_MAC, dialect=2, command=11, is_response=True,
            addresses=(CONSOLE, "192.168.42.183")),
        Dcerpc(time_ns=START, ip=CONSOLE, mac=CONSOLE_MAC, packet="response",
               addresses=(CONSOLE, "172.20.10.3")),
    ],
)  # fmt: skip
def test_adapter_lists_stand_alone(sighting: Sighting) -> None:
    assert [f.source for f in found(sighting)] == [CONSOLE]


def test_names_and_leaks_together_are_urgent() -> None:
    sightings = (
        arp(CONSOLE, CONSOLE_MAC), arp("192.168.42.183", CONSOLE_MAC, at_s=1),
        NameAnnouncement(time_ns=START, ip=CONSOLE, mac=CONSOLE_MAC, protocol="mdns",
                         operation="response", addresses=("192.168.42.183",)),
    )  # fmt: skip
    alerts = found(*sightings, flows=[strange_packet()])
    assert len(alerts) == 1
    assert alerts[0].score * alerts[0].confidence >= 70
    assert alerts[0].facts["families"] == ["leak", "names"]


def test_a_leak_alone_goes_to_the_digest() -> None:
    alerts = found(arp(CONSOLE, CONSOLE_MAC), flows=[strange_packet()])
    assert [f.score for f in alerts] == [50]


def test_the_ledger_says_whose_mac_leaks_before_it_speaks_as_itself() -> None:
    plan = Hospital(segments=PLAN.segments, assets=(Asset(ip=CONSOLE, mac=CONSOLE_MAC),))
    assert [f.source for f in found(flows=[strange_packet()], hospital=plan)] == [CONSOLE]
    assert found(flows=[strange_packet()]) == []


def test_a_router_that_is_no_gateway_of_its_vlan_advertises() -> None:
    def said(mac: str, vlan: int = 30) -> RouterAdvertisement:
        return RouterAdvertisement(time_ns=START, vlan=vlan, ip="fe80::7", mac=mac, router_mac=mac,
                                   lifetime_s=12, prefixes=("2001:db8:77:1::/64",))  # fmt: skip

    alerts = found(said("98:f1:99:3b:71:0e"))
    assert [(f.source, f.source_mac) for f in alerts] == [("fe80::7", "98:f1:99:3b:71:0e")]
    assert alerts[0].score >= 80
    assert found(said(GATEWAY_MAC)) == []
    assert found(said("00:05:73:a0:00:01")) == []
    assert found(said("98:f1:99:3b:71:0e", vlan=31)) == []


def test_a_leak_to_the_internet_from_any_private_range_goes_to_the_digest() -> None:
    def leak(ip: str, destination: str) -> Any:
        return flow(ip, destination, source_mac=CONSOLE_MAC, reply_packets=0)

    known = arp(CONSOLE, CONSOLE_MAC)
    assert [f.score for f in found(known, flows=[leak("10.135.74.203", "203.0.113.9")])] == [50]
    assert found(known, flows=[leak("192.168.100.1", "10.20.30.9")]) == []  # a second card, say
    assert found(known, flows=[leak("172.17.0.2", "203.0.113.9")]) == []  # a container's packet


@pytest.mark.parametrize(
    ("leaked", "scores"),
    [
        ("10.135.74.203", [50]),  # as newer phones draw them
        ("192.168.187.94", [50]),
        ("10.0.0.2", []), ("10.1.1.10", []), ("192.168.100.1", []), ("192.168.1.85", []),
        ("172.23.181.94", []),  # Hyper-V draws there too
    ],
)  # fmt: skip
def test_an_address_drawn_by_lot_is_no_card_that_somebody_numbered(
    leaked: str, scores: list[float]
) -> None:
    here, leak = arp(CONSOLE, CONSOLE_MAC), arp(leaked, CONSOLE_MAC, "10.20.30.9", at_s=1)
    assert [f.score for f in found(here, leak)] == scores
    asset = Asset(ip=CONSOLE, mac=CONSOLE_MAC, private_nics=(leaked,))
    assert found(here, leak, hospital=PLAN.model_copy(update={"assets": (asset,)})) == []


def test_two_consoles_on_one_strange_network_have_it_by_design() -> None:
    """The second does not add: what two machines share is a network of their maker."""
    other, other_mac = "10.20.30.52", "00:1c:73:00:00:52"
    here = [arp(CONSOLE, CONSOLE_MAC), arp(other, other_mac)]
    leaks = [arp("10.135.74.203", CONSOLE_MAC, at_s=1), arp("10.135.74.204", other_mac, at_s=2)]
    assert [f.source for f in found(*here, *leaks)] == [CONSOLE]


def test_a_lease_drawn_by_lot_is_asked_for_by_a_machine_that_stays() -> None:
    wanted = Dhcp(time_ns=START, mac=CONSOLE_MAC, vlan=30, message="request",
                  client_mac=CONSOLE_MAC, requested_ip="10.135.74.203")  # fmt: skip
    assert [f.score for f in found(arp(CONSOLE, CONSOLE_MAC), wanted)] == [50]
    assert found(wanted) == []  # a visitor's


def test_asking_for_a_tether_gateway_alone_is_not_enough() -> None:
    assert found(arp(CONSOLE, CONSOLE_MAC, target="192.168.42.129")) == []


@pytest.mark.parametrize("gateway", ["192.168.137.1", "192.168.8.1", "192.168.42.129"])
def test_who_claims_a_sharing_gateway_is_one(gateway: str) -> None:
    """Connection sharing whose inner side is this LAN: its leases may go past the sensor."""
    (told,) = found(arp(CONSOLE, CONSOLE_MAC), arp(gateway, CONSOLE_MAC, at_s=20))
    assert (told.source, told.score) == (CONSOLE, 80)
    (stranger,) = found(arp(gateway, "00:0a:79:00:00:01"))
    assert (stranger.source, stranger.score) == (gateway, 80)
    assert found(arp(gateway, "00:0a:79:00:00:01"), hospital=NO_PLAN) == []  # as homes are


def test_a_known_second_card_is_no_line() -> None:
    asset = Asset(ip=CONSOLE, mac=CONSOLE_MAC, private_nics=("192.168.42.183",))
    plan = Hospital(segments=PLAN.segments, assets=(asset,))
    assert found(update(CONSOLE, "192.168.42.183"), hospital=plan) == []


def test_virtual_machines_on_a_pc_are_no_line() -> None:
    assert found(update(CONSOLE, "192.168.56.1")) == []
    assert found(update(CONSOLE, "169.254.3.4", "fe80::1")) == []


def test_a_foreign_network_that_many_show_is_a_network_nobody_entered() -> None:
    sightings = [
        DnsUpdate(time_ns=START, ip=f"10.20.30.{n}", mac=f"00:1c:73:00:00:{n}", is_response=False,
                  zone="h.example", name="x", addresses=(f"10.99.0.{n}",))
        for n in range(10, 20)
    ]  # fmt: skip
    told = found(*sightings)
    assert found(sightings[0]) != []
    assert len(told) < 5


def test_an_unlisted_dhcp_server_stands_alone() -> None:
    alerts = found(dhcp("offer", "192.168.179.1", "192.168.179.20", vlan=30))
    assert [(f.source, f.variant) for f in alerts] == [("192.168.179.1", "router")]
    assert found(dhcp("offer", "10.20.80.12", "10.20.30.60", vlan=30)) == []


def test_the_clients_of_a_rogue_router_are_not_alerts_of_their_own() -> None:
    sightings = [dhcp("ack", "192.168.179.1", f"192.168.179.{n}", vlan=30) for n in (20, 21)]
    sightings += [arp(f"10.20.30.{n}", f"00:1c:73:00:00:{n}") for n in (20, 21)]  # type: ignore[misc]
    flows = [
        flow(f"192.168.179.{n}", "8.8.8.8", vlan=30, source_mac=f"00:1c:73:00:00:{n}",
             destination_mac="00:0a:79:00:00:01")
        for n in (20, 21)
    ]  # fmt: skip
    alerts = found(*sightings, flows=flows)
    assert {f.source for f in alerts} == {"192.168.179.1"}
    assert {"10.20.30.20", "10.20.30.21"} <= set(alerts[0].targets)
    assert alerts[0].score * alerts[0].confidence >= 70


def test_a_next_hop_that_is_no_gateway_stands_alone() -> None:
    sneaky = flow(CONSOLE, "8.8.8.8", source_mac=CONSOLE_MAC, destination_mac="00:0a:79:00:00:01")
    proper = flow(CONSOLE, "8.8.8.8", source_mac=CONSOLE_MAC, destination_mac=GATEWAY_MAC)
    assert len(found(flows=[sneaky])) == 1
    assert found(flows=[proper]) == []


# Without any plan


def test_a_home_network_is_quiet() -> None:
    """A router that leases, routes and announces itself, and two PCs: nothing is odd."""
    router, mac = "192.168.1.1", "00:0a:79:00:00:01"
    sightings: list[Sighting] = [
        dhcp("offer", router, "192.168.1.20"), dhcp("ack", router, "192.168.1.20"),
        arp("192.168.1.20", "00:1c:73:00:00:20", target=router),
        RouterAdvertisement(time_ns=START, ip="fe80::1", mac=mac, router_mac=mac, lifetime_s=1800,
                            prefixes=("2001:db8:1::/64",)),
        DnsUpdate(time_ns=START, ip="192.168.1.20", is_response=False, zone="lan", name="pc",
                  addresses=("192.168.1.20",)),
    ]  # fmt: skip
    flows = [
        flow("192.168.1.20", "8.8.8.8", source_mac="00:1c:73:00:00:20", destination_mac=mac),
        flow("192.168.0.9", "192.168.1.20", source_mac="00:1c:73:00:00:21"),
    ]
    assert found(*sightings, flows=flows, hospital=NO_PLAN) == []


@pytest.mark.parametrize(
    "offer",
    [
        dhcp("offer", "192.168.43.1", "192.168.43.20"),
        dhcp("ack", "10.5.5.1", "10.5.5.9", vendor_info="ANDROID_METERED"),
        dhcp("ack", "10.5.5.1", "10.5.5.9", domain="spmode.ne.jp"),
        dhcp("ack", "192.168.2.1", "192.168.2.17", mac="c6:2c:03:60:6a:64"),
    ],
)
def test_sharing_devices_betray_themselves_when_they_lease(offer: Dhcp) -> None:
    assert [f.variant for f in found(offer, hospital=NO_PLAN)] == ["router"]


@pytest.mark.parametrize(
    ("mac", "score"),
    [
        ("c6:2c:03:60:6a:64", 80),  # Apple's, with the local bit on
        ("66:90:c1:00:00:01", 80),  # Xiaomi's
        ("fa:fb:fc:00:00:01", 50),  # made up, maker unknown: some home routers do so too
        ("52:54:00:12:34:56", 0),  # a virtual machine
        ("00:0a:79:00:00:01", 0),
    ],
)
def test_a_made_up_mac_weighs_by_its_maker(mac: str, score: float) -> None:
    offer = dhcp("ack", "192.168.2.1", "192.168.2.17", mac=mac)
    assert [f.score for f in found(offer, hospital=NO_PLAN)] == ([score] if score else [])


def test_the_second_dhcp_server_is_the_odd_one() -> None:
    proper = [dhcp("ack", "192.168.1.1", f"192.168.1.{n}", client_mac=f"00:1c:73:00:01:{n}")
              for n in range(20, 30)]  # fmt: skip
    rogue = dhcp("offer", "192.168.1.66", "192.168.1.99", at_s=9, routers=("192.168.1.66",))
    assert [f.source for f in found(*proper, rogue, hospital=NO_PLAN)] == ["192.168.1.66"]


def test_a_failover_pair_is_quiet() -> None:
    pair = [dhcp("offer", f"192.168.1.{n}", "192.168.1.50", routers=("192.168.1.1",))
            for n in (2, 3, 2, 3)]  # fmt: skip
    assert found(*pair, hospital=NO_PLAN) == []


def test_different_vlans_behind_relays_are_quiet() -> None:
    offers = [dhcp("offer", f"10.0.{n}.2", f"10.0.{n}.50", routers=(f"10.0.{n}.1",), vlan=n,
                   relay_ip=f"10.0.{n}.1") for n in (1, 2, 3)]  # fmt: skip
    assert found(*offers, hospital=NO_PLAN) == []


def test_a_lan_in_a_hotspot_range_goes_to_the_digest() -> None:
    out = flow("192.168.43.167", "8.8.8.8", source_mac=CONSOLE_MAC)
    alerts = found(flows=[out], hospital=NO_PLAN)
    assert [(f.source, f.score) for f in alerts] == [("192.168.43.1", 50)]


def test_a_second_router_with_another_prefix_goes_to_the_digest() -> None:
    def said(n: int, prefix: str) -> RouterAdvertisement:
        mac = f"00:0a:79:00:00:0{n}"
        return RouterAdvertisement(time_ns=START + n, ip=f"fe80::{n}", mac=mac, router_mac=mac,
                                   lifetime_s=1800, prefixes=(prefix,))  # fmt: skip

    first, second = said(1, "2001:db8:1::/64"), said(2, "2001:db8:bad::/64")
    assert [f.source for f in found(first, second, hospital=NO_PLAN)] == ["fe80::2"]
    assert found(first, said(2, "2001:db8:1::/64"), hospital=NO_PLAN) == []


# The evidence itself


def clue(weight: float, family: str = "leak", time_ns: int = START, **fields: Any) -> Clue:
    words = Text("", "")
    return Clue(host="h", family=family, signal=fields.pop("signal", "s"), weight=weight,  # type: ignore[arg-type]
                time_ns=time_ns, what=words, confirm=words, **fields)  # fmt: skip


def test_the_strongest_of_each_family_is_added() -> None:
    ledger = EvidenceLedger()
    for n, (weight, family) in enumerate([(2, "leak"), (3.5, "leak"), (2.5, "names")]):
        ledger.add(clue(weight, family, signal=str(n)))
    assert ledger.sum("h", START) == pytest.approx(6)


def test_evidence_halves_in_a_week() -> None:
    ledger = EvidenceLedger()
    ledger.add(clue(4))
    assert ledger.sum("h", START + HALF_LIFE_NS) == pytest.approx(2)


def test_probability_follows_the_odds() -> None:
    assert probability(3) == pytest.approx(0.5)
    assert probability(4) == pytest.approx(10 / 11)
    assert probability(5) == pytest.approx(100 / 101)


@given(st.text(max_size=40), st.text(max_size=20))
def test_no_words_on_the_wire_crash_it(address: str, domain: str) -> None:
    sightings = [
        update(address), dhcp("offer", address or "x", address, domain=domain),
        arp(address, "00:11:22:33:44:55"),
        NameAnnouncement(time_ns=START, ip=CONSOLE, protocol="nbns", operation="registration",
                         addresses=(address,)),
    ]  # fmt: skip
    for hospital in (PLAN, NO_PLAN):
        detector = HiddenLine()
        list(detector.find(window([], sightings, hospital), detector.remember()))
