"""Scans as scan tools send them, packet by packet, and what a network of hosts answers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from collector.flows import FlowBatch
from tests.collector.fastlane_frames import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    chunk,
    ethernet,
    icmp,
    ipv4,
    ipv6,
    run,
    tcp,
    udp,
)

Packets = Iterator[tuple[float, bytes]]
SCANNER: Final = "10.1.20.40"
XMAS: Final = FIN | PSH | 32
#: The twenty ports that nmap's `--top-ports 20` asks.
TOP: Final = (21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 443, 445, 993, 995, 1723, 3306, 3389,
              5900, 8080)  # fmt: skip


@dataclass
class Network:
    """Hosts that live, and their open ports; the others are nobody."""

    alive: frozenset[str]
    opened: frozenset[int] = frozenset({80, 445})
    is_filtered: bool = False  # closed ports are silent
    wait_s: float = 0.0005
    _sequence: int = field(default=1000)

    def syn(
        self, at: float, target: str, port: int, source: str = SCANNER, sport: int = 40_000,
        full: bool = False, hello: bytes = b"",
    ) -> Packets:  # fmt: skip
        """One probe by SYN, repeated if nobody answers, or a whole connection (`full`)."""
        probe = tcp(sport, port, SYN, seq=1000)
        yield at, _wrap(source, target, 6, probe)
        if target in self.alive and port in self.opened:
            answer = tcp(port, sport, SYN | ACK, seq=5000, ack=1001)
            yield at + self.wait_s, _wrap(target, source, 6, answer)
            if full:
                met = tcp(sport, port, ACK, seq=1001, ack=5001)
                yield at + 2 * self.wait_s, _wrap(source, target, 6, met)
                if hello:
                    said = tcp(sport, port, PSH | ACK, hello, seq=1001, ack=5001)
                    yield at + 3 * self.wait_s, _wrap(source, target, 6, said)
            end = tcp(sport, port, RST | (ACK if full else 0), seq=1001 + len(hello), ack=5001)
            yield at + 4 * self.wait_s, _wrap(source, target, 6, end)
        elif target in self.alive and not self.is_filtered:
            refused = tcp(port, sport, RST | ACK, ack=1001)
            yield at + self.wait_s, _wrap(target, source, 6, refused)
        else:
            yield at + 1.0, _wrap(source, target, 6, probe)

    def odd(self, at: float, target: str, port: int, flags: int, sport: int = 40_000) -> Packets:
        """One TCP packet without a connection; closed ports refuse it, open ones are silent."""
        yield at, _wrap(SCANNER, target, 6, tcp(sport, port, flags, seq=7, ack=9))
        is_refused = target in self.alive and (port not in self.opened or flags & ACK)
        if is_refused and not self.is_filtered:
            yield at + self.wait_s, _wrap(target, SCANNER, 6, tcp(port, sport, RST, seq=9))

    def datagram(self, at: float, target: str, port: int, payload: bytes = b"") -> Packets:
        probe = _wrap(SCANNER, target, 17, udp(40_000, port, payload))
        yield at, probe
        if target in self.alive and port in self.opened:
            yield at + self.wait_s, _wrap(target, SCANNER, 17, udp(port, 40_000, b"\0" * 40))
        elif target in self.alive and not self.is_filtered:
            closed = icmp(3, 3, probe[14:42])
            yield at + self.wait_s, _wrap(target, SCANNER, 1, closed)
        else:
            yield at + 1.0, probe

    def ping(self, at: float, target: str, kind: int = 8, payload: bytes = b"") -> Packets:
        yield at, _wrap(SCANNER, target, 1, icmp(kind, 0, payload))
        if target in self.alive:
            back = {8: 0, 13: 14, 17: 18}[kind]
            yield at + self.wait_s, _wrap(target, SCANNER, 1, icmp(back, 0, payload))

    def sctp(self, at: float, target: str, port: int) -> Packets:
        """INIT; an ABORT where nobody listens."""
        init = struct.pack("!HHIIBBHIIHHI", 40_000, port, 0, 0, 1, 0, 20, 7, 32_768, 10, 2048, 1)
        yield at, _wrap(SCANNER, target, 132, init)
        if target in self.alive:
            abort = struct.pack("!HHIIBBH", port, 40_000, 7, 0, 6, 0, 4)
            yield at + self.wait_s, _wrap(target, SCANNER, 132, abort)


def _wrap(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    if ":" in target:
        return ethernet(ipv6(source, target, protocol, payload), 0x86DD)
    return ethernet(ipv4(source, target, protocol, payload))


def flows_of(packets: Iterable[tuple[float, bytes]]) -> FlowBatch:
    """The flows that the collector makes of these packets."""
    return run([chunk(sorted(packets, key=lambda told: told[0]))])


def hosts(count: int, prefix: str = "10.1.1.") -> list[str]:
    return [f"{prefix}{n}" for n in range(1, count + 1)]


def some(of: list[str], share: float) -> frozenset[str]:
    """That share of the hosts, spread evenly."""
    return frozenset(h for n, h in enumerate(of) if int((n + 1) * share) > int(n * share))


def sweep(
    count: int, ports: Iterable[int], alive: float, gap_s: float, full: bool = False,
    seed: int = 1, opened: Iterable[int] = (),
) -> Packets:  # fmt: skip
    """One or a few ports of many hosts, in random order."""
    every = hosts(count)
    network = Network(some(every, alive), frozenset(opened) or frozenset({80, 445}))
    order = np.random.default_rng(seed).permutation(len(every))
    probes = [(every[n], port) for n in order for port in ports]
    for n, (target, port) in enumerate(probes):
        yield from network.syn(n * gap_s, target, port, sport=40_000 + n % 20_000, full=full)


def vertical(
    ports: Iterable[int], gap_s: float, opened: Iterable[int] = (80, 445), full: bool = False,
    is_filtered: bool = False,
) -> Packets:  # fmt: skip
    """Many ports of one host."""
    network = Network(frozenset({"10.1.1.9"}), frozenset(opened), is_filtered)
    for n, port in enumerate(ports):
        yield from network.syn(n * gap_s, "10.1.1.9", port, sport=40_000 + n, full=full)


def odd_packets(flags: int, count: int, ports: Iterable[int], gap_s: float) -> Packets:
    every = hosts(count)
    network = Network(some(every, 0.5))
    at = 0.0
    for target in every:
        for port in ports:
            yield from network.odd(at, target, port, flags)
            at += gap_s


def strange_protocols() -> Packets:
    """Every IP protocol but those with ports, without content (nmap -sO)."""
    for number in range(256):
        if number not in (1, 6, 17):
            yield number * 0.01, _wrap(SCANNER, "10.1.1.9", number, b"")
