"""§6.1: what is seen against the asset ledger (機器台帳)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.apps import APP_CODE
from collector.flows import mac_text
from collector.sightings import Arp, Dhcp, NameAnnouncement, Ntlm
from detector.detection import Detector, Finding, Window
from detector.distinct import distinct
from detector.edges import ADMIN_APPS
from detector.hospital import Asset, Hospital, Segment
from detector.landing import is_one_of
from detector.ledger_check import (
    differs_in_mac,
    differs_in_name,
    differs_in_os,
    differs_in_vlan,
    is_remotely_maintained,
)
from detector.lines.asset_ledger_words import WORDINGS
from detector.lines.sessions import tool_sessions
from detector.lines.surroundings import Surroundings, gateway_macs
from detector.window_kernels import IN_PLAN, ONE_HOST

S: Final = 1_000_000_000
DAY_NS: Final = 86_400 * S
SETTLE_NS: Final = 120 * S  # by then it is known which MACs are routers'
HOUR_NS: Final = 3600 * S
MAX_HOSTS: Final = 50_000
_ADMIN: Final = np.array([APP_CODE[a] for a in ADMIN_APPS])
_SCORES: Final = {"mac": 50.0, "vlan": 50.0, "name": 35.0, "os": 30.0, "moved": 30.0}


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


class AssetLedger(Detector):
    """A machine is not in the ledger, is gone, or is not what the ledger says.

    Why it matters: a hospital can only protect what it knows it has; a machine that nobody listed
    is where an intruder or a brought-in device looks around from.
    How: where a ledger has been read, every inside address that speaks is looked up by address and
    MAC, two minutes after its first packet. Unlisted in a closed segment 55, and 20 more if it
    administers others or met more than five peers in its first hour; elsewhere 35. Where more than
    half of a segment is unlisted the gap is told once. Listed machines are compared by MAC, name,
    Windows version and VLAN; what the ledger leaves empty is not compared. Also: one address used
    by two machines, retired but alive, remote maintenance that the ledger denies, and (by segment,
    once a month) what has not been seen for 30 days.
    False alarms: pools of changing addresses (list their machines by MAC), spare cards (known
    second NICs), a sensor that does not see a segment.
    """

    id = "asset_ledger"
    category = "asset"
    techniques = ("T1200",)
    wordings: ClassVar = WORDINGS

    missing_days: int = Field(default=30, ge=1, le=400, description="days unseen that are told")
    many_share: float = Field(
        default=0.5, gt=0, le=1, description="unlisted share of a segment told as one gap"
    )
    many_hosts: int = Field(default=10, ge=2, description="machines seen before a share counts")

    def remember(self) -> LedgerMemory:
        return LedgerMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        hospital = window.hospital
        if not hospital.assets:
            return
        if memory.listed_from != hospital.assets:
            memory.listed_from = hospital.assets
            memory.by_mac = {a.mac.lower(): a for a in hospital.assets if a.mac}
        memory.around.observe(window)
        memory.since_ns = memory.since_ns or window.start_ns
        self._see(window, memory)
        yield from _duplicates(window, memory)
        for number in memory.settled(window.end_ns):
            del memory.unsettled[number]
            yield from self._judge(memory.hosts[number], window, memory)
        yield from _contradictions(window, memory)
        yield from self._late(window, memory)
        day = window.start_ns // DAY_NS
        if day != memory.checked_day:
            memory.checked_day = day
            yield from self._missing(window, memory)

    def _see(self, window: Window, memory: LedgerMemory) -> None:
        grown = len(window.hosts) - len(memory.last_ns)
        if grown > 0:
            memory.last_ns = np.concatenate([memory.last_ns, np.zeros(grown, np.int64)])
        flows = window.flows
        traits = window.hosts.traits[window.source]
        speaks = traits & (IN_PLAN | ONE_HOST) == IN_PLAN | ONE_HOST
        rows = np.flatnonzero(speaks)
        np.maximum.at(memory.last_ns, window.source[rows], flows.last_ns[rows])
        numbers, macs = window.source[rows], flows.source_mac[rows]
        order = np.lexsort((macs, numbers))
        is_first = np.ones(len(rows), bool)
        is_first[1:] = np.diff(numbers[order]) != 0
        is_first[1:] |= np.diff(macs[order]) != 0
        for row in rows[order[is_first]].tolist():
            mac = mac_text(flows.source_mac[row])
            host = _host(memory, window, int(window.source[row]), int(flows.first_ns[row]))
            if host is not None:
                host.vlan = int(flows.vlan[row]) or host.vlan
                if mac and (mac in host.macs or len(host.macs) < 8):
                    host.macs[mac] = host.macs.get(mac, 0) + 1
        self._meet(window, memory, rows)
        for arp in window.of(Arp):
            _hear(memory, window, arp.sender_ip, arp.time_ns, mac=arp.sender_mac, vlan=arp.vlan)
        for dhcp in window.of(Dhcp):
            if dhcp.message == "ack" and dhcp.your_ip:
                _hear(memory, window, dhcp.your_ip, dhcp.time_ns, name=dhcp.host_name)
        for said in window.of(NameAnnouncement):
            if said.operation.endswith("registration") and said.names and not said.group:
                _hear(memory, window, said.ip, said.time_ns, name=said.names[0], vlan=said.vlan)
        for login in window.of(Ntlm):
            if login.message == "challenge" and login.build:
                _hear(memory, window, login.ip, login.time_ns, build=login.build)

    def _meet(self, window: Window, memory: LedgerMemory, rows: NDArray[np.int64]) -> None:
        """Peers and administration of hosts within their first hour."""
        flows = window.flows
        answered = rows[(flows.reply_packets[rows] > 0) & (flows.part[rows] == 0)]
        ends = window.source[answered].astype(np.uint64) << np.uint64(32)
        ends |= window.destination[answered]
        pairs = ends << np.uint64(1) | np.isin(flows.app[answered], _ADMIN)  # numbers have 31 bits
        for pair in distinct(pairs).tolist():
            source, target, is_admin = pair >> 33, pair >> 1 & 0xFFFF_FFFF, pair & 1
            host = memory.hosts.get(source)
            if host is None or window.start_ns - host.first_ns > HOUR_NS or len(host.peers) > 64:
                continue
            host.peers.add(target)
            host.is_admin |= bool(is_admin)

    def _judge(self, host: SeenHost, window: Window, memory: LedgerMemory) -> Iterator[Finding]:
        """A host's first judgement, once routers are known."""
        hospital = window.hospital
        listed = hospital.asset_by_ip.get(host.ip)
        macs = [m for m in host.macs if not memory.around.is_router(m, hospital)]
        owner = next((memory.by_mac[m] for m in macs if m in memory.by_mac), None)
        if listed is None:
            if owner is not None:
                yield _finding("moved", host, window, owner, owner.ip, host.ip)
            elif not _is_known_otherwise(host, hospital):
                yield from self._unlisted(host, window, memory)
            return
        if listed.is_retired and "retired" not in host.told:
            host.told.add("retired")
            yield _finding("retired", host, window, listed, score=60)
        if macs and differs_in_mac(macs[-1], listed):
            yield _finding("mac", host, window, listed, listed.mac, macs[-1])
        if differs_in_name(host.names, listed):
            yield _finding("name", host, window, listed, listed.name, ", ".join(host.names))
        if macs and differs_in_vlan(host.vlan, listed):
            yield _finding("vlan", host, window, listed, str(listed.vlan), str(host.vlan))
        if differs_in_os(host.build, listed):
            yield _finding("os", host, window, listed, listed.os, f"build {host.build}")

    def _unlisted(self, host: SeenHost, window: Window, memory: LedgerMemory) -> Iterator[Finding]:
        segment = window.hospital.segment_of(host.ip, host.vlan)
        gap = self._gap(segment, window, memory) if segment else None
        if segment is not None and gap is not None:
            yield _segment_finding("unlisted_many", segment, window, gap, 40)
            return
        if "unlisted" in host.told:  # told at an earlier address
            return
        host.told.add("unlisted")
        yield _unlisted_finding(host, segment, window)

    def _late(self, window: Window, memory: LedgerMemory) -> Iterator[Finding]:
        """An unlisted host that goes on to administer others, or to meet many, weighs more."""
        for number in distinct(window.source).tolist():
            host = memory.hosts.get(number)
            if host is None or "unlisted" not in host.told or "active" in host.told:
                continue
            if host.is_admin or len(host.peers) > 5:
                host.told.add("active")
                segment = window.hospital.segment_of(host.ip, host.vlan)
                yield _unlisted_finding(host, segment, window)

    def _gap(
        self, segment: Segment, window: Window, memory: LedgerMemory
    ) -> tuple[list[str], int] | None:
        """Unlisted machines of a segment, and all seen, where most are unlisted."""
        hospital = window.hospital
        here = [h for h in memory.hosts.values() if is_one_of(h.ip, _prefixes(segment))]
        unlisted = [
            h.ip for h in here
            if h.ip not in hospital.asset_by_ip and not set(h.macs) & set(memory.by_mac)
        ]  # fmt: skip
        if len(here) < self.many_hosts or len(unlisted) <= self.many_share * len(here):
            return None
        return unlisted, len(here)

    def _missing(self, window: Window, memory: LedgerMemory) -> Iterator[Finding]:
        limit_ns = self.missing_days * DAY_NS
        if window.start_ns - memory.since_ns < limit_ns:
            return
        if window.start_ns - memory.told_missing_ns < limit_ns:
            return
        memory.told_missing_ns = window.start_ns
        by_segment: dict[str, tuple[Segment, list[str]]] = {}
        for asset in window.hospital.assets:
            segment = window.hospital.segment_of(asset.ip, asset.vlan)
            if asset.is_retired or segment is None:
                continue
            number = window.hosts.number_of(asset.ip)
            last = int(memory.last_ns[number]) if number < len(memory.last_ns) else 0
            if window.start_ns - last >= limit_ns:
                by_segment.setdefault(segment.name, (segment, []))[1].append(asset.ip)
        seen = {h.ip for h in memory.hosts.values()}
        for segment, gone in by_segment.values():
            if any(is_one_of(ip, _prefixes(segment)) for ip in seen):  # else the sensor is blind
                told = (gone, len(gone))
                yield _segment_finding("missing", segment, window, told, 20, self.missing_days)


def _host(memory: LedgerMemory, window: Window, number: int, time_ns: int) -> SeenHost | None:
    host = memory.hosts.get(number)
    if host is not None and host.ip != window.hosts.ip(number):
        # The machine has moved; the ledger lists addresses, so it is judged anew.
        host = memory.hosts[number] = SeenHost(window.hosts.ip(number), time_ns, told=host.told)
        memory.unsettled[number] = None
    if host is None and len(memory.hosts) < MAX_HOSTS:
        host = memory.hosts[number] = SeenHost(window.hosts.ip(number), time_ns)
        memory.unsettled[number] = None
    return host


def _hear(
    memory: LedgerMemory,
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
    host = _host(memory, window, window.hosts.number_of(ip), time_ns)
    if host is None:
        return
    host.vlan, host.build = vlan or host.vlan, build or host.build
    if name and len(host.names) < 8:
        host.names[name] = None
    if mac and (mac in host.macs or len(host.macs) < 8):
        host.macs[mac] = host.macs.get(mac, 0) + 1
        host.arps = [*host.arps[-7:], (time_ns, mac)]


def _duplicates(window: Window, memory: LedgerMemory) -> Iterator[Finding]:
    """Two MACs that take turns for one address within the hour; routers and clusters do so too."""
    for ip in {arp.sender_ip for arp in window.of(Arp)}:
        if not window.hospital.is_inside(ip):
            continue
        host = memory.hosts.get(window.hosts.number_of(ip))
        if host is None or "duplicate" in host.told:
            continue
        lately = [m for t, m in host.arps if window.end_ns - t < HOUR_NS]
        turns = [m for n, m in enumerate(lately) if n == 0 or lately[n - 1] != m]
        if len(turns) < 4 or len(set(turns)) != 2:
            continue
        if any(memory.around.is_router(m, window.hospital) for m in set(turns)):
            continue
        host.told.add("duplicate")
        listed = window.hospital.asset_by_ip.get(ip)
        yield _finding("duplicate", host, window, listed, seen=" / ".join(dict.fromkeys(turns)),
                       score=45)  # fmt: skip


def _contradictions(window: Window, memory: LedgerMemory) -> Iterator[Finding]:
    """Remote tools or tunnels to outside on machines that are not maintained from afar."""
    for session in window.once(tool_sessions):
        listed = window.hospital.asset_by_ip.get(session.device)
        if listed is None or session.direction not in ("in", "out") or not session.is_answered:
            continue
        host = _host(memory, window, window.hosts.number_of(session.device), session.first_ns)
        if host is None or is_remotely_maintained(listed) is not False:
            continue
        if session.tool.tool_class == "quiet" or "maintenance" in host.told:
            continue
        host.told.add("maintenance")
        vendor = listed.vendor or listed.maintenance
        yield _finding("maintenance", host, window, listed, vendor, session.tool.label, 60)


def _is_known_otherwise(host: SeenHost, hospital: Hospital) -> bool:
    """Ends of registered lines, and what the plan names itself."""
    ip = host.ip
    if set(host.macs) & gateway_macs(hospital):
        return True
    plan = {s for segment in hospital.segments for s in segment.dhcp_servers}
    lines = hospital.lines
    return ip in plan or any(is_one_of(ip, (*n.landing, n.device_ip)) for n in lines)


def _prefixes(segment: Segment) -> tuple[str, ...]:
    return tuple(str(p) for p in segment.prefixes)


def _unlisted_finding(host: SeenHost, segment: Segment | None, window: Window) -> Finding:
    is_closed = segment is not None and segment.closed
    is_active = host.is_admin or len(host.peers) > 5
    facts: dict[str, Any] = {
        "segment": segment.name if segment else "-",
        "peers": len(host.peers),
        "admin": "あり / yes" if host.is_admin else "なし / no",
    }
    score = (55 if is_closed else 35) + (20 if is_closed and is_active else 0)
    return _finding("unlisted", host, window, None, score=score, **facts)


def _finding(
    variant: str,
    host: SeenHost,
    window: Window,
    asset: Asset | None,
    listed: str = "-",
    seen: str = "-",
    score: float = 0,
    **facts: Any,
) -> Finding:
    mac = max(host.macs, key=lambda m: host.macs[m]) if host.macs else ""
    return Finding(
        source=host.ip,
        targets=(),
        score=score or _SCORES[variant],
        confidence=0.9,
        first_ns=host.first_ns,
        last_ns=window.end_ns,
        facts={
            "device": host.ip,
            "mac": mac or "-",
            "listed": listed or "-",
            "seen": seen,
            "place": (asset.place if asset else "") or "-",
            "department": (asset.department if asset else "") or "-",
            **facts,
        },
        variant=variant,
        key=variant,
        source_mac=mac,
    )


def _segment_finding(
    variant: str,
    segment: Segment,
    window: Window,
    gap: tuple[list[str], int],
    score: float,
    days: int = 0,
) -> Finding:
    addresses, whole = gap
    return Finding(
        source=str(segment.prefixes[0]),
        targets=tuple(addresses[:50]),
        score=score,
        confidence=0.9,
        first_ns=window.start_ns,
        last_ns=window.end_ns,
        facts={
            "segment": segment.name,
            "count": len(addresses),
            "seen_count": whole,
            "days": days,
            "examples": addresses[:5],
        },
        variant=variant,
        key=f"{variant} {segment.name}",
    )
