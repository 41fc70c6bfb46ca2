"""§6.1: what is seen against the asset ledger (機器台帳)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import Arp
from detector.detection import Detector, Finding, Window
from detector.distinct import distinct
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
from detector.lines.ledger_memory import HOUR_NS, LedgerMemory, SeenHost
from detector.lines.sessions import tool_sessions
from detector.lines.surroundings import gateway_macs

DAY_NS: Final = 24 * HOUR_NS
_SCORES: Final = {"mac": 50.0, "vlan": 50.0, "name": 35.0, "os": 30.0, "moved": 30.0}


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
        memory.see(window)
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
        host = memory.host(window, window.hosts.number_of(session.device), session.first_ns)
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
