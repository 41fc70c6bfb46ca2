"""Learns from traffic, without any plan, how the hospital's network is laid out."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.flows import STATE_CODE, mac_text
from collector.sightings import Arp, Dhcp, RouterAdvertisement
from detector.addresses import in_networks, is_one_host
from detector.detection import Window
from detector.distinct import distinct_rows, groups_of
from detector.lateral.calls import requests
from detector.lateral.rpc_rules import DRSUAPI
from detector.lines.addresses import PUBLIC
from detector.lines.register_match import local_time

MAX_BLOCKS: Final = 4096
MAX_HOSTS: Final = 50_000
MAX_PEERS: Final = 512
MAX_HOPS: Final = 100_000
HOUR_NS: Final = 3_600_000_000_000
_CONTROL: Final = np.array([APP_CODE[a] for a in ("rdp", "vnc", "ssh", "winrm", "telnet")])
_FAILED: Final = np.array([STATE_CODE[s] for s in ("S0", "REJ", "RSTOS0", "SH", "RSTRH")])
OUTSIDE: Final = -1  # in place of a block
FETCH: Final = 3  # DRSGetNCChanges (MS-DRSR §4.1.10)


@dataclass
class Block:
    """A /24 that hosts of the hospital live in."""

    hosts: set[int] = field(default_factory=set)
    vlans: Counter[int] = field(default_factory=Counter)
    answered: int = 0  # connections to the Internet that were answered
    attempts: int = 0


@dataclass
class Leaser:
    """What a DHCP server has handed out."""

    leases: int = 0
    routers: Counter[str] = field(default_factory=Counter)
    blocks: Counter[int] = field(default_factory=Counter)
    vlans: Counter[int] = field(default_factory=Counter)
    signs: set[str] = field(default_factory=set)  # option 43 and domain, which phones betray


@dataclass
class Doings:
    """What tells a host's part: whom it controls, tries, and how much it takes in at night."""

    controls: set[int] = field(default_factory=set)
    controlled_by: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)
    failed: int = 0
    night_bytes: Counter[int] = field(default_factory=Counter)  # by peer
    replicated: set[int] = field(default_factory=set)  # hours in which it fetched the directory


class SetupLearner:
    """Takes in windows; `detector.setup.proposal` makes a proposal of what it has learned."""

    gather_s: Final = 300  # as detectors have it

    def __init__(self) -> None:
        self.first_ns = 0
        self.last_ns = 0
        self.blocks: dict[int, Block] = {}
        self.neighbours: Counter[tuple[int, int]] = Counter()  # /24s that ask each other by ARP
        #: (from block, to block or OUTSIDE, MAC of the next hop) → flows
        self.hops: Counter[tuple[int, int, int]] = Counter()
        self.carried: dict[int, set[int]] = {}  # next hop → addresses it leads to, a few of them
        self.home: dict[str, Counter[str]] = defaultdict(Counter)  # MAC → addresses it speaks for
        self.leasers: dict[str, Leaser] = {}
        self.advertisers: dict[tuple[int, str], set[str]] = {}  # (VLAN, MAC) → IPv6 prefixes
        self.doings: dict[int, Doings] = {}

    def observe(self, window: Window) -> None:
        """Take in one window."""
        self.first_ns = self.first_ns or window.start_ns
        self.last_ns = max(self.last_ns, window.end_ns)
        self._observe_flows(window)
        for arp in window.of(Arp):
            self._observe_arp(arp, window)
        for dhcp in window.of(Dhcp):
            if dhcp.message in ("offer", "ack"):
                self._observe_lease(dhcp)
        for call, interface, operation in requests(window):
            if (interface, operation) == (DRSUAPI, FETCH) and window.hospital.is_inside(call.ip):
                hours = self._doings(window.hosts.number_of(call.ip)).replicated
                if len(hours) < MAX_PEERS:
                    hours.add(call.time_ns // HOUR_NS)
        for said in window.of(RouterAdvertisement):
            if said.lifetime_s > 0 and len(self.advertisers) < MAX_BLOCKS:
                prefixes = self.advertisers.setdefault((said.vlan, said.router_mac), set())
                prefixes.update(said.prefixes[:8])

    def _observe_flows(self, window: Window) -> None:
        flows = window.flows
        if not len(flows):
            return
        bits = window.hosts.kinds
        is_v4 = flows.family == 4
        ours = is_v4 & in_networks(flows.source, window.hospital.inside)
        ours &= is_one_host(flows.source)
        theirs = in_networks(flows.destination, window.hospital.inside)
        theirs &= is_one_host(flows.destination) & is_v4
        to_public = bits[window.destination] & PUBLIC != 0
        block, other = _blocks(flows.source), _blocks(flows.destination)
        answered = flows.reply_packets > 0
        rows = np.flatnonzero(ours)
        for number, at, vlan in distinct_rows(window.source[rows], block[rows], flows.vlan[rows]):
            self._live_in(at, number, vlan)
        rows = np.flatnonzero(theirs & answered)
        for number, at in distinct_rows(window.destination[rows], other[rows]):
            self._live_in(at, number, None)
        for at, count in _counted(block[ours & to_public & answered]):
            self.blocks[at].answered += count
        for at, count in _counted(block[ours & to_public & ~answered]):
            self.blocks[at].attempts += count
        self._observe_hops(window, ours & (theirs | to_public), block, other, to_public)
        self._observe_doings(window, ours & theirs, answered)

    def _live_in(self, at: int, number: int, vlan: int | None) -> None:
        if at not in self.blocks and len(self.blocks) >= MAX_BLOCKS:
            return
        block = self.blocks.get(at)
        if block is None:
            block = self.blocks[at] = Block()
        block.hosts.add(number)
        if vlan is not None:
            block.vlans[vlan] += 1

    def _observe_hops(
        self,
        window: Window,
        chosen: NDArray[np.bool_],
        block: NDArray[np.int64],
        other: NDArray[np.int64],
        to_public: NDArray[np.bool_],
    ) -> None:
        """The MAC to which a host hands what leaves its /24."""
        mac = window.flows.destination_mac
        is_group = (mac >> np.uint64(40)) & np.uint64(1) == 1
        rows = np.flatnonzero(chosen & (mac != 0) & ~is_group & (to_public | (block != other)))
        where = np.where(to_public[rows], OUTSIDE, other[rows])
        blocks, macs = block[rows], mac[rows]
        ways = groups_of(blocks, where, macs)
        columns = (column[ways.first].tolist() for column in (blocks, where, macs))
        for way, count in zip(zip(*columns, strict=True), ways.counts.tolist(), strict=True):
            if way in self.hops or len(self.hops) < MAX_HOPS:
                self.hops[way] += count
        for hop, number in distinct_rows(macs, window.destination[rows]):
            led = self.carried.setdefault(hop, set())
            if len(led) < 8 and len(self.carried) <= MAX_HOPS:
                led.add(number)

    def _observe_doings(
        self, window: Window, inside: NDArray[np.bool_], answered: NDArray[np.bool_]
    ) -> None:
        flows = window.flows
        first = inside & (flows.part == 0)
        controls = first & answered & np.isin(flows.app, _CONTROL)
        failed = first & (flows.protocol == 6) & np.isin(flows.state, _FAILED)
        local = local_time(window.start_ns, window.hospital.timezone)
        offset_ns = int((local.utcoffset() or timedelta()).total_seconds()) * 1_000_000_000
        hour = ((flows.first_ns + offset_ns) // HOUR_NS) % 24
        heavy = inside & answered & ((hour >= 20) | (hour < 6)) & (flows.bytes > 1_000_000)
        for mask, name in ((controls, "controls"), (failed, "failed"), (first, "tried")):
            pairs = distinct_rows(window.source[mask], window.destination[mask])
            for source, target in pairs:
                doings = self._doings(source)
                if name == "failed":
                    doings.failed += 1
                    continue
                peers = doings.tried if name == "tried" else doings.controls
                if len(peers) < MAX_PEERS:
                    peers.add(target)
                if name == "controls":
                    self._doings(target).controlled_by.add(source)
        for row in np.flatnonzero(heavy).tolist():
            taker = self._doings(int(window.destination[row]))
            if len(taker.night_bytes) < MAX_PEERS:
                taker.night_bytes[int(window.source[row])] += int(flows.bytes[row])

    def _doings(self, number: int) -> Doings:
        known = self.doings.get(number)
        if known is None:
            known = Doings()
            if len(self.doings) < MAX_HOSTS:
                self.doings[number] = known
        return known

    def _observe_arp(self, arp: Arp, window: Window) -> None:
        if not window.hospital.is_inside(arp.sender_ip):
            return
        if len(self.home) < MAX_HOSTS or arp.sender_mac in self.home:
            self.home[arp.sender_mac][arp.sender_ip] += 1
        if arp.operation == 1 and window.hospital.is_inside(arp.target_ip):
            pair = (block_of(arp.sender_ip), block_of(arp.target_ip))
            if pair[0] != pair[1]:
                self.neighbours[min(pair), max(pair)] += 1
        at, number = block_of(arp.sender_ip), window.hosts.number_of(arp.sender_ip)
        self._live_in(at, number, arp.vlan)

    def _observe_lease(self, dhcp: Dhcp) -> None:
        server = dhcp.server_id or dhcp.ip
        if server not in self.leasers and len(self.leasers) >= MAX_BLOCKS:
            return
        leaser = self.leasers.setdefault(server, Leaser())
        leaser.leases += 1
        leaser.routers.update(dhcp.routers[:4])
        if dhcp.your_ip and ":" not in dhcp.your_ip:
            leaser.blocks[block_of(dhcp.your_ip)] += 1
        leaser.vlans[dhcp.vlan] += 1
        leaser.signs.update(filter(None, (dhcp.vendor_info[:40], dhcp.domain[:80])))

    def homes(self) -> dict[str, str]:
        """The address that each MAC mostly speaks for."""
        return {mac: said.most_common(1)[0][0] for mac, said in self.home.items()}


def block_of(ip: str) -> int:
    """The /24 of an IPv4 address as a number; OUTSIDE for anything else."""
    parts = ip.split(".")
    if len(parts) != 4 or not all(p.isdigit() for p in parts):
        return OUTSIDE
    return int(parts[0]) << 16 | int(parts[1]) << 8 | int(parts[2])


def block_text(block: int) -> str:
    """10.1.2.0/24."""
    return f"{block >> 16 & 255}.{block >> 8 & 255}.{block & 255}.0/24"


def hop_text(mac: int) -> str:
    return mac_text(mac)


def _blocks(addresses: NDArray[np.uint64]) -> NDArray[np.int64]:
    blocks: NDArray[np.int64] = ((addresses[:, 1] >> np.uint64(8)) & np.uint64(0xFFFFFF)).astype(
        np.int64
    )
    return blocks


def _counted(blocks: NDArray[np.int64]) -> list[tuple[int, int]]:
    values, counts = np.unique(blocks, return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))
