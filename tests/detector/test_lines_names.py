"""What a host tells of its other addresses: by which protocol, and who only speaks for others."""

from __future__ import annotations

from typing import Any

import pytest

from collector.sightings import (
    Dhcp,
    DnsUpdate,
    NameAnnouncement,
    NeighborAdvertisement,
    RouterAdvertisement,
)
from tests.detector.lines_windows import START, flow
from tests.detector.test_lines_hidden import CONSOLE, CONSOLE_MAC, NO_PLAN, arp, found

HERE = arp(CONSOLE, CONSOLE_MAC)
DOCOMO = "240a:61:1234:5678:1c2:33ff:fe44:5566"


def told(protocol: str, operation: str, *addresses: str, ip: str = CONSOLE) -> NameAnnouncement:
    return NameAnnouncement(
        time_ns=START, vlan=30, ip=ip, mac=CONSOLE_MAC, protocol=protocol, operation=operation,
        names=("CONSOLE",), addresses=addresses,
    )  # fmt: skip


def update(address: str) -> DnsUpdate:
    return DnsUpdate(time_ns=START, vlan=30, ip=CONSOLE, mac=CONSOLE_MAC, is_response=False,
                     zone="sample.local", name="console", addresses=(address,))  # fmt: skip


def scores(*sightings: Any, **more: Any) -> list[float]:
    return [f.score for f in found(HERE, *sightings, **more)]


@pytest.mark.parametrize(
    ("protocol", "operation"),
    [
        ("nbns", "registration"), ("nbns", "multihomed_registration"), ("nbns", "datagram"),
        ("llmnr", "response"), ("mdns", "response"), ("mdns", "query"), ("wsd", "present"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "second", ["192.168.42.7", "172.20.10.3", "192.168.137.1", "100.71.3.9", "133.106.4.5",
               "10.135.74.203"],
)  # fmt: skip
def test_a_name_with_the_address_of_a_phones_line_goes_to_the_digest(
    protocol: str, operation: str, second: str
) -> None:
    assert scores(told(protocol, operation, CONSOLE, second)) == [50]


@pytest.mark.parametrize(
    "quiet",
    [
        told("llmnr", "query", "192.168.42.7"),
        told("nbns", "response", "192.168.42.7"),  # a WINS server tells of its clients
        told("mdns", "response", CONSOLE, "192.168.49.1"),  # the Wi-Fi that a printer opens
        told("mdns", "response", CONSOLE, "192.168.100.1"),  # a second card, say
        told("mdns", "response", CONSOLE, "192.168.56.1"),  # a virtual machine's host
        told("mdns", "response", CONSOLE, "fe80::1", "169.254.3.4"),
    ],
    ids=lambda said: f"{said.protocol} {said.operation} {said.addresses[-1]}",
)
def test_who_speaks_for_others_or_for_a_card_of_its_own_is_quiet(quiet: NameAnnouncement) -> None:
    assert scores(quiet) == []


def test_a_machine_that_stays_and_asks_for_a_public_lease_had_a_modem() -> None:
    asked = Dhcp(time_ns=START, vlan=30, ip="0.0.0.0", message="request",
                 client_mac=CONSOLE_MAC, requested_ip="133.106.4.5")  # fmt: skip
    assert scores(asked) == [50]


def test_ipv6_from_another_link_in_a_closed_segment() -> None:
    leak = flow(DOCOMO, "2404:6800:4004:80b::200e", source_mac=CONSOLE_MAC, vlan=30,
                reply_packets=0)  # fmt: skip
    assert scores(flows=[leak]) == [50]
    assert scores(told("mdns", "response", CONSOLE, DOCOMO)) == [50]
    assert scores(told("mdns", "response", DOCOMO, ip="fe80::1c2:33ff:fe44:5566")) == [50]
    claim = NeighborAdvertisement(time_ns=START, vlan=30, ip=DOCOMO, mac=CONSOLE_MAC,
                                  target_ip=DOCOMO, target_mac=CONSOLE_MAC)  # fmt: skip
    assert scores(claim) == [50]
    assert scores(update(DOCOMO)) == [80]


@pytest.mark.parametrize(
    "own", ["2001:0:53aa:64c::1", "2002:c000:204::1", "2001:db8::5efe:a14:1e33", "fd12:3456::1"]
)
def test_ipv6_that_a_pc_makes_up_for_itself_is_quiet(own: str) -> None:
    assert scores(update(own)) == []


def test_ipv6_that_a_router_of_this_lan_advertises_is_quiet() -> None:
    advertised = RouterAdvertisement(
        time_ns=START, vlan=30, ip="fe80::1", mac="00:12:e2:00:00:01", lifetime_s=1800,
        router_mac="00:12:e2:00:00:01", prefixes=("240a:61:1234:5678::/64",),
    )  # fmt: skip
    assert scores(advertised, update(DOCOMO)) == []
    assert scores(update(DOCOMO), hospital=NO_PLAN) == []
