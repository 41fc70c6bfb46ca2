"""Routers, shared lines and rogue DHCP or RA on the LAN: how many are told, and how soon.

    python -m bench.truth_routers [--each N] [--seed S]

Every case is a capture written anew: a VLAN of the sample hospital at work, and one device that
begins to lease, to advertise or to forward, its addresses, maker, timing and words drawn at random.
Half of the cases know the hospital's plan, half know nothing, not even what was there before: a
first router that nothing contradicts cannot be told then, so that only the planned half is held to
the mark. Only `hidden_line` runs, without the deep lane, which these frames do not need.
Time to tell is event time from the
device's first packet that the lane carries to the end of the step after which the alert is out.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

import numpy as np

from api.configuration import Configuration, read_configuration
from collector.data import read_reference
from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from collector.replay import Replay
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hosts import HostTable
from detector.lines.hidden_line import HiddenLine
from sample_pcaps import day, links
from sample_pcaps.hospital import NEWS_SITE, TERMINALS, Host, group
from sample_pcaps.links import ACK, DISCOVER, OFFER, REQUEST, dhcp_message
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import BROADCAST_MAC, SECOND, Span, checksum, ip_bytes, mac_bytes

STEP_NS: Final = 30 * SECOND
LIMIT_S: Final = 600.0
WANTED: Final = 0.98
MINUTE: Final = 60 * SECOND
_START: Final = day.clock("2026-10-16", "10:15")
SETTINGS: Final = Path(__file__).resolve().parents[1] / "sample_pcaps" / "mimawari.toml"
_MAKERS: Final = (
    "98:f1:99",
    "00:a0:de",
    "34:76:c5",
    "0c:5b:8f",
    "c4:41:37",
    "02:1a:2b",
    "5e:03:9c",
)
_DOMAINS: Final = ("", "lan", "home", "aterm.jp", "flets-east.jp", "spmode.ne.jp")


@dataclass(frozen=True)
class Case:
    """A written capture, the device's addresses, and its first packet."""

    kind: str
    has_plan: bool
    pcap: bytes
    names: frozenset[str]
    first_ns: int


Play = Callable[[Span, Random, int], tuple[frozenset[str], int]]


def mobile_router(span: Span, random: Random, at: int) -> tuple[frozenset[str], int]:
    """Leases a network of its own: a maker's default, or any private one."""
    listed = [r.prefix[1] for r in read_reference().tether_ranges if 24 <= r.prefix.prefixlen <= 28]
    drawn = IPv4Address(f"192.168.{random.randrange(256)}.1")
    router = _device(random, str(random.choice([drawn, *listed])))
    return _leases(span, random, at, router, router.ip.rsplit(".", 1)[0])


def connection_sharing(span: Span, random: Random, at: int) -> tuple[frozenset[str], int]:
    """A ward's own PC shares its phone: Windows' 192.168.137.1 from the PC's MAC."""
    owner = random.choice(TERMINALS[2:])
    sharing = replace(owner, name="ICS", ip="192.168.137.1", vlan=20)
    names, first_ns = _leases(span, random, at, sharing, "192.168.137")
    return names | {owner.ip}, first_ns


def rogue_dhcp(span: Span, random: Random, at: int) -> tuple[frozenset[str], int]:
    """Leases the VLAN's own addresses, with itself as router and name server."""
    return _leases(
        span, random, at, _device(random, f"10.20.20.{random.randrange(150, 250)}"), "10.20.20"
    )


def rogue_ra(span: Span, random: Random, at: int) -> tuple[frozenset[str], int]:
    """Advertises a prefix every few seconds to ten minutes (RFC 4861 §6.2.1)."""
    router = _device(random, "")
    own = link_local(router.mac)
    prefix = struct.pack("!I", 0x2400_0000 | random.randrange(1 << 24)) + random.randbytes(4)
    pause_s = random.choice([4, 30, 200, 600])
    for turn in range(2):
        moment = at + turn * pause_s * SECOND
        body = (
            struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\1\1" + mac_bytes(router.mac)
        )
        body += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 7200, 3600, 0) + prefix + bytes(8)
        everyone = bytes.fromhex("ff02") + bytes(13) + b"\1"
        total = checksum(own + everyone + struct.pack("!IxxxB", len(body), 58) + body)
        body = body[:2] + struct.pack("!H", total) + body[4:]
        head = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + own + everyone
        span.ethernet(moment, router.mac, "33:33:00:00:00:01", 0x86DD, head + body, 20)
    return frozenset({router.mac}), at


def next_hop(span: Span, random: Random, at: int) -> tuple[frozenset[str], int]:
    """A terminal is pointed by hand at a router that has an address of the VLAN."""
    router = _device(random, f"10.20.20.{random.randrange(150, 250)}")
    terminal = random.choice(TERMINALS[:2])
    _surf(span, random, at, terminal, router)
    return frozenset({router.mac, router.ip, terminal.ip}), at


PLAYS: Final[dict[str, tuple[Play, bool]]] = {  # kind: how, and whether a VLAN listener can see it
    "mobile router": (mobile_router, True),
    "connection sharing": (connection_sharing, True),
    "rogue DHCP": (rogue_dhcp, True),
    "rogue RA": (rogue_ra, True),
    "next hop": (next_hop, False),
}


def link_local(mac: str) -> bytes:
    """The EUI-64 address of RFC 4291 §2.5.1."""
    raw = mac_bytes(mac)
    return b"\xfe\x80" + bytes(6) + bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]


def _device(random: Random, ip: str) -> Host:
    mac = random.choice(_MAKERS) + "".join(f":{random.randrange(256):02x}" for _ in range(3))
    return Host("ROUTER", ip, mac, system="device", vlan=20)


def _leases(
    span: Span, random: Random, at: int, server: Host, network: str
) -> tuple[frozenset[str], int]:
    """It answers one to three terminals; some answers are unicast, which a listener misses."""
    everyone = group("broadcast", "255.255.255.255")
    first_ns = at
    for terminal in random.sample(TERMINALS[:2], random.choice([1, 2])):
        moved = replace(terminal, ip=f"{network}.{random.randrange(2, 14)}", vlan=20)
        offered = links.lease(
            server.ip, server.ip, [server.ip], random.choice(_DOMAINS), "255.255.255.0"
        )
        is_unicast, number = random.random() < 0.5, random.randrange(1 << 32)
        for asked, answered in ((DISCOVER, OFFER), (REQUEST, ACK)):
            options = links.windows_options(terminal)
            if asked == REQUEST:
                options += [(50, ip_bytes(moved.ip)), (54, ip_bytes(server.ip))]
            links.dhcp_broadcast(
                span, at, terminal, dhcp_message(asked, number, terminal.mac, options)
            )
            reply = dhcp_message(answered, number, terminal.mac, offered, your_ip=moved.ip)
            to, hop = (moved, terminal.mac) if is_unicast else (everyone, BROADCAST_MAC)
            span.udp(at + 2_000_000, server, 67, to, 68, reply, next_hop=hop)
            at += 20_000_000
        if random.random() < 0.7:
            _surf(span, random, at + 2 * SECOND, moved, server)
        at += int(random.uniform(5, 240) * SECOND)
    return frozenset({server.ip, server.mac}), first_ns


def _surf(span: Span, random: Random, at: int, client: Host, router: Host) -> None:
    site = replace(NEWS_SITE, mac=router.mac, vlan=20)
    for _ in range(random.randrange(1, 4)):
        tcp = Tcp(span, client, site, 443, at, delay_ms=30).open()
        at = tcp.send(random.randbytes(300)).reply(random.randbytes(2000)).close().now + SECOND


def _nothing(span: Span, random: Random, at: int) -> tuple[frozenset[str], int]:
    """The benign twin: whoever is told of, it is wrong."""
    return frozenset(host.ip for host in TERMINALS), at


def make_case(kind: str, seed: str, *, has_plan: bool, is_listener: bool) -> Case:
    """Write one capture, without a device where `kind` is empty.

    A listener gets what is sent to groups and to all.
    """
    random, span = Random(seed), Span(seed)
    day.bustle(span, _START, 3, share=0.15)
    begins_ns = _START + int(random.uniform(40, 150) * SECOND)
    play = PLAYS[kind][0] if kind else _nothing
    names, first_ns = play(span, random, begins_ns)
    span.ethernet(_START + 16 * MINUTE, TERMINALS[5].mac, BROADCAST_MAC, 0x88B5, bytes(46), 20)
    pcap = span.pcap()
    return Case(kind, has_plan, only_groups(pcap) if is_listener else pcap, names, first_ns)


def only_groups(pcap: bytes) -> bytes:
    """The frames whose destination has the group bit set."""
    out, at = [pcap[:24]], 24
    while at < len(pcap):
        size = struct.unpack_from("<I", pcap, at + 8)[0]
        if pcap[at + 16] & 1:
            out.append(pcap[at : at + 16 + size])
        at += 16 + size
    return b"".join(out)


def time_to_tell(case: Case, configuration: Configuration) -> float | None:
    """Seconds until an alert names the device as a line; None if none does."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case.pcap"
        file.write_bytes(case.pcap)
        deep = configuration.collector.deep_lane.model_copy(update={"enabled": False})
        settings = configuration.collector.model_copy(update={"deep_lane": deep})
        read = list(Replay(settings).read([file]))
    hosts = HostTable(configuration.hospital)
    settled = configuration.detector.engine
    engine = Engine(configuration.hospital, (HiddenLine(),), settled, hosts, EdgeMemory())
    rows = np.concatenate(
        [seen.flows.rows for seen in read if len(seen.flows)] or [FlowBatch().rows]
    )
    rows = rows[np.argsort(rows["reported_ns"], kind="stable")]
    sighted = sorted((s for seen in read for s in seen.sightings), key=lambda s: s.time_ns)
    times = np.array([s.time_ns for s in sighted], np.int64)
    for end_ns in range(_START + STEP_NS, _START + 17 * MINUTE, STEP_NS):
        flows = rows[(rows["reported_ns"] >= end_ns - STEP_NS) & (rows["reported_ns"] < end_ns)]
        first, last = np.searchsorted(times, [end_ns - STEP_NS, end_ns]).tolist()
        seen = Observations(FlowBatch(flows), tuple(sighted[first:last]), end_ns, CollectorHealth())
        for alert in engine.feed(seen):
            if (
                alert.category == "external_line"
                and {alert.source.ip, alert.source.mac} & case.names
            ):
                return (end_ns - case.first_ns) / 1e9
    return None


def main() -> int:
    """Print one row a kind and lane; 1 where fewer than 98 % are told, the plan being known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    planned, bare = read_configuration(SETTINGS), read_configuration(None)
    took: dict[tuple[str, str, str], list[float | None]] = defaultdict(list)
    for kind, (_, is_seen_by_all) in PLAYS.items():
        for number in range(asked.each):
            for lane in ("SPAN", "listener") if is_seen_by_all else ("SPAN",):
                has_plan = number % 2 == 0
                case = make_case(kind, f"{asked.seed} {kind} {number}",
                                 has_plan=has_plan, is_listener=lane == "listener")  # fmt: skip
                told = time_to_tell(case, planned if has_plan else bare)
                took[kind, lane, "plan" if has_plan else "no plan"].append(told)
    return _tell(took)


def _tell(took: dict[tuple[str, str, str], list[float | None]]) -> int:
    print(f"{'what':20}{'lane':10}{'':9}{'in 10 min':>10}  median / longest")
    sums: dict[str, list[int]] = {"plan": [0, 0], "no plan": [0, 0]}
    for (kind, lane, plan), delays in took.items():
        told = [d for d in delays if d is not None]
        within = sum(d <= LIMIT_S for d in told)
        sums[plan] = [sums[plan][0] + within, sums[plan][1] + len(delays)]
        shown = f"{median(told):.0f} s / {max(told):.0f} s" if told else "-"
        print(f"{kind:20}{lane:10}{plan:9}{within:>5}/{len(delays):<4}  {shown}")
    for plan, (soon, total) in sums.items():
        print(f"{'all':30}{plan:9}{soon:>5}/{total:<4}  {soon / max(1, total):.1%}")
    soon, total = sums["plan"]
    return 0 if soon >= WANTED * total else 1


if __name__ == "__main__":
    sys.exit(main())
