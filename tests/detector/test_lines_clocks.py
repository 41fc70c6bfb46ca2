"""EX-1: clocks that come right by themselves, old leases, and what a lost line leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from collector.sightings import Clock, Dhcp
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.lines.hidden_line import HiddenLine, HiddenLineMemory
from tests.detector.lines_windows import START, S, findings, flow, window
from tests.detector.test_lines_families import PC, PC_MAC, PEER, PLAN, SERVER, arp, clues, noted

OUTSIDE = "203.0.113.9"


def clock(at_s: float, off_s: float, ip: str = PC) -> Clock:
    at_ns = START + int(at_s * S)
    return Clock(time_ns=at_ns, ip=ip, vlan=30, protocol="smb2", clock_ns=at_ns + int(off_s * S))


OFF = [clock(n * 1200, 71 + n * 0.05) for n in range(5)]
RIGHT = clock(6000, 0.2)


def test_a_clock_that_comes_right_though_nobody_inside_set_it() -> None:
    assert clues(sightings=[*OFF, RIGHT])[PC] == [("clock", 1)]


@pytest.mark.parametrize(
    "told",
    [
        [*OFF, clock(6000, 71.3)],
        [*OFF[:2], RIGHT],
        [clock(0, 71), clock(1800, 30), clock(3700, 71), RIGHT],
    ],
    ids=["still off", "off for less than an hour", "set by hand again and again"],
)  # fmt: skip
def test_clocks_that_say_nothing(told: list[Clock]) -> None:
    assert clues(sightings=told) == {}


def test_the_time_server_inside_explains_it() -> None:
    asked = flow(PC, SERVER, 123, protocol=17, app="ntp", at_s=5900)
    outside = flow(PC, OUTSIDE, 123, protocol=17, app="ntp", at_s=5900)
    assert clues([asked], [*OFF, RIGHT]) == {}
    assert ("clock", 1) in clues([outside], [*OFF, RIGHT])[PC]


def test_hosts_that_all_step_together_mean_the_sensors_own_clock() -> None:
    detector, memory = HiddenLine(), HiddenLineMemory()
    hosts = [f"10.20.30.{n}" for n in range(51, 58)]
    told = [clock(n * 1200, 71, ip) for n in range(5) for ip in hosts]
    told += [clock(6000, 0.2, ip) for ip in hosts]
    list(detector.find(window((), told, PLAN), memory))
    assert memory.evidence.sum(PC, START + 6000 * int(S)) == 0


def request(ip: str, mac: str = PC_MAC, vlan: int = 30) -> Dhcp:
    return Dhcp(time_ns=START, mac=mac, vlan=vlan, message="request", client_mac=mac,
                requested_ip=ip)  # fmt: skip


def test_a_console_that_asks_for_a_phones_lease_is_told_at_once_a_visitor_is_not() -> None:
    here = [arp(PC, PC_MAC), request("192.168.42.77")]
    assert clues(sightings=here)[PC] == [("names", 3.0)]
    assert [f.variant for f in findings(HiddenLine(), (), here, PLAN)] == ["host"]
    assert clues(sightings=[request("192.168.42.77")])[PC_MAC] == [("names", 2.5)]
    assert findings(HiddenLine(), (), [request("192.168.42.77")], PLAN) == []


def test_a_lease_of_any_other_network_weighs_less_and_only_for_those_who_stay() -> None:
    assert clues(sightings=[arp(PC, PC_MAC), request("192.168.83.20")])[PC] == [("names", 2.0)]
    assert clues(sightings=[request("192.168.83.20")]) == {}
    assert clues(sightings=[arp(PC, PC_MAC), request("10.20.30.51")]) == {}


def routed(source: str, destination: str, **more: Any) -> Any:
    return flow(source, destination, 8081, source_mac="", **more)


def test_what_a_pulled_phone_leaves_behind_is_seen_in_flow_exports() -> None:
    assert clues([routed("192.168.42.100", OUTSIDE)])["192.168.42.100"] == [("leak", 3.5)]
    assert clues([routed("192.168.83.100", OUTSIDE)])["192.168.83.100"] == [("leak", 3.0)]
    assert clues([routed("192.168.83.100", PEER)])["192.168.83.100"] == [("leak", 2.0)]


def test_a_guests_network_that_nobody_planned_is_silent_once_five_use_it() -> None:
    detector, memory, hosts = HiddenLine(), HiddenLineMemory(), HostTable(PLAN)
    flows = [routed(f"192.168.43.{n}", OUTSIDE) for n in range(20, 26)]
    assert list(detector.find(window(flows, (), PLAN, hosts), memory)) == []
    assert len(noted(memory)) == 6


def test_a_clients_broadcast_names_the_sharing_device_that_leased_to_it() -> None:
    """A VLAN listener sees no unicast OFFER, and on the first day there is no plan."""
    wants = replace(request("192.168.137.20"), server_id="192.168.137.1")
    assert clues(sightings=[wants], hospital=Hospital())["192.168.137.1"] == [("router", 4)]
    other = replace(request("10.9.8.20"), server_id="10.9.8.1")
    assert clues(sightings=[other], hospital=Hospital()) == {}
