"""Scripted scans of all shapes are told, by their packets, though nothing was learnt yet."""

from __future__ import annotations

import numpy as np
import pytest

from detector.lateral.port_scan import PortScan
from tests.detector.scripted_scans import (
    ACK,
    FIN,
    SCANNER,
    SYN,
    TOP,
    XMAS,
    Network,
    Packets,
    flows_of,
    hosts,
    odd_packets,
    some,
    strange_protocols,
    sweep,
    vertical,
)
from tests.detector.test_everyday import told
from tests.detector.windows import World, flow

#: nmap's timing templates as seconds between probes, T0 to T4.
_PACES = (300.0, 15.0, 0.4, 0.01, 0.001)


def tells(packets: Packets) -> bool:
    """Is the scanner named for reconnaissance, at least low."""
    alerts = told(flows_of(packets), np.random.default_rng(1))
    return any(a.source.ip == SCANNER and a.category == "reconnaissance" for a in alerts)


@pytest.mark.parametrize("port", [22, 80, 104, 445, 3389])
@pytest.mark.parametrize("count", [8, 16, 254])
@pytest.mark.parametrize("alive", [0.1, 0.5, 0.9])
def test_one_service_of_many_hosts(port: int, count: int, alive: float) -> None:
    assert tells(sweep(count, [port], alive, 0.01, opened=[port]))
    assert tells(sweep(count, [port], alive, 0.01, full=True, opened=[port]))


@pytest.mark.parametrize("pace_s", _PACES)
def test_at_any_pace(pace_s: float) -> None:
    assert tells(sweep(60, [445], 0.3, pace_s))
    assert tells(vertical(TOP, pace_s))
    assert tells(vertical(TOP, pace_s, is_filtered=True))


@pytest.mark.parametrize("count", [12, 20])
def test_few_ports_of_one_host(count: int) -> None:
    assert tells(vertical(TOP[:count], 0.01, opened=()))


def test_services_that_are_all_open() -> None:
    opened = (21, 22, 80, 443, 445, 3389)
    assert tells(vertical(opened, 0.01, opened))
    assert tells(vertical(opened, 0.01, opened, full=True))


@pytest.mark.parametrize("flags", [ACK, 0, FIN, XMAS, FIN | ACK, SYN | FIN])
def test_packets_without_a_connection(flags: int) -> None:
    assert tells(odd_packets(flags, 40, [445], 0.01))
    assert tells(odd_packets(flags, 1, TOP, 0.01))


@pytest.mark.parametrize("port", [53, 69, 123, 161, 500, 1434, 5060, 47808])
def test_udp_services_of_many_hosts(port: int) -> None:
    every = hosts(60)
    network = Network(some(every, 0.3), frozenset({port}))
    assert tells(
        packet
        for n, target in enumerate(every)
        for packet in network.datagram(n * 0.01, target, port, bytes(40))
    )


def test_udp_services_of_one_host() -> None:
    asked = (53, 67, 69, 123, 135, 137, 138, 139, 161, 162, 445, 500, 514, 520, 631, 1434, 1900)
    network = Network(frozenset({"10.1.1.9"}), frozenset({53}))
    assert tells(
        packet
        for n, port in enumerate(asked)
        for packet in network.datagram(n * 0.4, "10.1.1.9", port)
    )


@pytest.mark.parametrize("kind", [8, 13, 17])
@pytest.mark.parametrize("size", [0, 32, 56])
def test_pings_for_echo_time_and_netmask(kind: int, size: int) -> None:
    every = hosts(254)
    network = Network(some(every, 0.3))
    assert tells(
        packet
        for n, target in enumerate(every)
        for packet in network.ping(n * 0.01, target, kind, bytes(size))
    )


def test_sctp() -> None:
    every = hosts(60)
    network = Network(some(every, 0.5))
    assert tells(p for n, h in enumerate(every) for p in network.sctp(n * 0.01, h, 2905))
    assert tells(p for n in range(52) for p in network.sctp(n * 0.01, "10.1.1.1", 1000 + n))


def test_ip_protocols_of_one_host() -> None:
    assert tells(strange_protocols())


def test_ipv6() -> None:
    every = [f"fd00:1::{n:x}" for n in range(1, 60)]
    network = Network(some(every, 0.3), frozenset({445}))
    alerts = told(
        flows_of(
            packet
            for n, target in enumerate(every)
            for packet in network.syn(n * 0.01, target, 445, source="fd00:1::aaaa")
        ),
        np.random.default_rng(1),
    )
    assert [a.detector for a in alerts if a.source.ip == "fd00:1::aaaa"] == ["host_scan"]


def test_what_management_sends_to_one_server_is_no_scan() -> None:
    """Logs, traps, flow records, time and configuration that no one answers, to one server."""
    udp = {"protocol": 17, "flags": 0, "packets": 2, "bytes": 300, "state": "S0"}
    ports = (69, 123, 162, 514, 1514, 2055, 4739, 6343, 9995)
    sent = [flow("10.0.1.1", "10.0.2.9", port, n, **udp) for n, port in enumerate(ports)]
    assert World().run(PortScan(), World().window(sent)) == []
    protocols = (2, 4, 41, 47, 50, 51, 88, 89, 103, 112)
    spoken = [
        flow("10.0.1.1", "10.0.2.9", 0, n, **{**udp, "protocol": protocol})
        for n, protocol in enumerate(protocols)
    ]
    assert World().run(PortScan(), World().window(spoken)) == []
