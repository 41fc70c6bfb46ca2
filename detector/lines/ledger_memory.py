"""What the asset ledger is held against: inside addresses as they were seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.flows import mac_text
from collector.sightings import Arp, Dhcp, NameAnnouncement, Ntlm
from detector.detection import Window
from detector.distinct import distinct
from detector.edges import ADMIN_APPS
from detector.hospital import Asset
from detector.lines.surroundings import Surroundings
from detector.window_kernels import IN_PLAN, ONE_HOST

S: Final = 1_000_000_000
SETTLE_NS: Final = 120 * S  # by then it is known which MACs are routers'
HOUR_NS: Final = 3600 * S
MAX_HOSTS: Final = 50_000
_ADMIN: Final = np.array([APP_CODE[a] for a in ADMIN_APPS])


@dataclass
class SeenHost:
    """One inside address since its first packet."""

    ip: str
    first_ns: int
    vlan: int = 0
    macs: dict[str, int] = field(default_factory=dict)  # MAC → times it answered for the address
    names: dict[str, None] = field(default_factory=dict)
    build: str = ""
    peers: set[int] = field(default_factory=set)  # of its first hour
    is_admin: bool = False
    told: set[str] = field(default_factory=set)
    arps: list[tuple[int, str]] = field(default_factory=list)  # when and from which MAC, lately


@dataclass
class LedgerMemory:
    """Hosts seen, and when each number last spoke."""

    hosts: dict[int, SeenHost] = field(default_factory=dict)
    last_ns: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    unsettled: dict[int, None] = field(default_factory=dict)
    around: Surroundings = field(default_factory=Surroundings)
    since_ns: int = 0
    checked_day: int = 0
    told_missing_ns: int = 0
    listed_from: tuple[Asset, ...] = ()
    by_mac: dict[str, Asset] = field(default_factory=dict)

    def settled(self, now_ns: int) -> list[int]:
        """Hosts whose judgement is due."""
        return [n for n in self.unsettled if now_ns - self.hosts[n].first_ns >= SETTLE_NS]

    def see(self, window: Window) -> None:
        """Take in who spoke, from which MAC, under which name, and whom it met."""
        grown = len(window.hosts) - len(self.last_ns)
        if grown > 0:
            self.last_ns = np.concatenate([self.last_ns, np.zeros(grown, np.int64)])
        flows = window.flows
        traits = window.hosts.traits[window.source]
        speaks = traits & (IN_PLAN | ONE_HOST) == IN_PLAN | ONE_HOST
        rows = np.flatnonzero(speaks)
        np.maximum.at(self.last_ns, window.source[rows], flows.last_ns[rows])
        numbers, macs = window.source[rows], flows.source_mac[rows]
        order = np.lexsort((macs, numbers))
        is_first = np.ones(len(rows), bool)
        is_first[1:] = np.diff(numbers[order]) != 0
        is_first[1:] |= np.diff(macs[order]) != 0
        for row in rows[order[is_first]].tolist():
            mac = mac_text(flows.source_mac[row])
            host = self.host(window, int(window.source[row]), int(flows.first_ns[row]))
            if host is not None:
                host.vlan = int(flows.vlan[row]) or host.vlan
                if mac and (mac in host.macs or len(host.macs) < 8):
                    host.macs[mac] = host.macs.get(mac, 0) + 1
        self._meet(window, rows)
        for arp in window.of(Arp):
            self._hear(window, arp.sender_ip, arp.time_ns, mac=arp.sender_mac, vlan=arp.vlan)
        for dhcp in window.of(Dhcp):
            if dhcp.message == "ack" and dhcp.your_ip:
                self._hear(window, dhcp.your_ip, dhcp.time_ns, name=dhcp.host_name)
        for said in window.of(NameAnnouncement):
            if said.operation.endswith("registration") and said.names and not said.group:
                self._hear(window, said.ip, said.time_ns, name=said.names[0], vlan=said.vlan)
        for login in window.of(Ntlm):
            if login.message == "challenge" and login.build:
                self._hear(window, login.ip, login.time_ns, build=login.build)

    def _meet(self, window: Window, rows: NDArray[np.int64]) -> None:
        """Peers and administration of hosts within their first hour."""
        flows = window.flows
        answered = rows[(flows.reply_packets[rows] > 0) & (flows.part[rows] == 0)]
        ends = window.source[answered].astype(np.uint64) << np.uint64(32)
        ends |= window.destination[answered]
        pairs = ends << np.uint64(1) | np.isin(flows.app[answered], _ADMIN)  # numbers have 31 bits
        for pair in distinct(pairs).tolist():
            source, target, is_admin = pair >> 33, pair >> 1 & 0xFFFF_FFFF, pair & 1
            host = self.hosts.get(source)
            if host is None or window.start_ns - host.first_ns > HOUR_NS or len(host.peers) > 64:
                continue
            host.peers.add(target)
            host.is_admin |= bool(is_admin)

    def host(self, window: Window, number: int, time_ns: int) -> SeenHost | None:
        """The host of this number, which is new or has moved; None where there are too many."""
        host = self.hosts.get(number)
        if host is not None and host.ip != window.hosts.ip(number):
            # The machine has moved; the ledger lists addresses, so it is judged anew.
            host = self.hosts[number] = SeenHost(window.hosts.ip(number), time_ns, told=host.told)
            self.unsettled[number] = None
        if host is None and len(self.hosts) < MAX_HOSTS:
            host = self.hosts[number] = SeenHost(window.hosts.ip(number), time_ns)
            self.unsettled[number] = None
        return host

    def _hear(
        self,
        window: Window,
        ip: str,
        time_ns: int,
        mac: str = "",
        name: str = "",
        build: str = "",
        vlan: int = 0,
    ) -> None:
        """What a sighting tells of an inside address."""
        if not ip or not window.hospital.is_inside(ip):
            return
        host = self.host(window, window.hosts.number_of(ip), time_ns)
        if host is None:
            return
        host.vlan, host.build = vlan or host.vlan, build or host.build
        if name and len(host.names) < 8:
            host.names[name] = None
        if mac and (mac in host.macs or len(host.macs) < 8):
            host.macs[mac] = host.macs.get(mac, 0) + 1
            host.arps = [*host.arps[-7:], (time_ns, mac)]
