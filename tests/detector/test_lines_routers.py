"""Routers and servers that nobody sanctioned, beyond the plain DHCP lease."""

from __future__ import annotations

from typing import Any

import pytest

from collector.sightings import Dhcpv6, Ssdp
from detector.hospital import Asset
from tests.detector.lines_windows import START, S
from tests.detector.test_lines_hidden import CONSOLE, GATEWAY_MAC, NO_PLAN, PLAN, arp, dhcp, found

STRANGER, SERVER, SERVER_MAC = "98:f1:99:3b:71:0e", "10.20.80.12", "00:15:5d:80:00:12"
LISTED = PLAN.model_copy(update={"assets": (Asset(ip=SERVER, mac=SERVER_MAC),)})


def dhcpv6(mac: str = STRANGER, message: str = "reply", **fields: Any) -> Dhcpv6:
    fields.setdefault("dns_servers", ("fe80::7",))
    return Dhcpv6(time_ns=START + S, vlan=30, ip=fields.pop("ip", "fe80::7"), mac=mac,
                  message=message, **fields)  # fmt: skip


def test_a_dhcpv6_server_that_is_not_on_the_plan_stands_alone() -> None:
    [alert] = found(dhcpv6())
    assert (alert.source, alert.source_mac, alert.score) == ("fe80::7", STRANGER, 80)
    assert [f.score for f in found(dhcpv6(message="advertise", addresses=("fd00::9",)))] == [80]


@pytest.mark.parametrize(
    "quiet",
    [
        dhcpv6(GATEWAY_MAC),
        dhcpv6("00:05:73:a0:00:01"),  # a virtual router
        dhcpv6(message="solicit"),
        dhcpv6(dns_servers=()),
        dhcpv6(ip="2001:db8::9"),  # between a relay and its server
    ],
)
def test_sanctioned_ways_of_leasing_ipv6_are_quiet(quiet: Dhcpv6) -> None:
    assert found(quiet) == []


def test_the_listed_dhcp_server_may_lease_ipv6_too() -> None:
    assert found(dhcpv6(SERVER_MAC), hospital=LISTED) == []
    assert found(dhcpv6(), hospital=NO_PLAN) == []


@pytest.mark.parametrize(("mac", "scores"), [(STRANGER, [50]), (SERVER_MAC, []), (GATEWAY_MAC, [])])
def test_an_answer_in_the_servers_name_comes_from_the_server(mac: str, scores: list[float]) -> None:
    answer = dhcp("ack", SERVER, "10.20.30.88", mac=mac, vlan=30, routers=("10.20.30.240",))
    assert [f.score for f in found(answer, hospital=LISTED)] == scores
    assert found(answer) == []  # nobody knows the server's MAC


def test_an_unpacked_router_shows_its_default_address_and_its_maker() -> None:
    router = arp("192.168.11.1", "00:0d:0b:12:34:56")  # Buffalo
    [alert] = found(router)
    assert (alert.source, alert.score) == ("00:0d:0b:12:34:56", 50)
    assert found(arp("192.168.11.1", "00:1b:a9:12:34:56")) == []  # a printer's maker
    assert found(arp("192.168.11.7", "00:0d:0b:12:34:56")) == []
    assert found(arp(CONSOLE, "00:1c:73:00:00:51"), arp("192.168.11.1", "00:1c:73:00:00:51")) == []


def test_a_gateway_service_on_its_own_network_counts_in_a_closed_vlan() -> None:
    def said(vlan: int) -> Ssdp:
        return Ssdp(
            time_ns=START, vlan=vlan, ip="192.168.10.1", mac=STRANGER, method="NOTIFY",
            search_target="urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        )  # fmt: skip

    assert [f.score for f in found(said(30))] == [50]
    assert found(said(31)) == []
