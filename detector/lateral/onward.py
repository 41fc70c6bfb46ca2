"""Onward (LM-6a by the second host): what a vendor's session reached goes on into the hospital."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.apps import APPS, app_name
from detector.addresses import in_networks
from detector.detection import Category, Detector, Finding, FlowKey, Reads, Window, app_table
from detector.hospital import RegisteredLine
from detector.landing import allowed_targets, line_networks
from detector.lateral.contacts import flow_keys
from detector.window_kernels import ANSWERED, FAILED, OURS, THEIRS, TO_ONE, VENDOR
from detector.words import Text, Wording

_S: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _S
_SESSIONS: Final = ("rdp", "vnc", "ssh", "winrm", "telnet", "radmin")
_IS_SESSION: Final = app_table(_SESSIONS)
#: Administration, by port: what was only tried has no application.
_APP_OF_PORT: Final = {
    22: "SSH", 23: "Telnet", 135: "RPC", 139: "SMB", 445: "SMB", 3389: "RDP", 5900: "VNC",
    5985: "WinRM", 5986: "WinRM",
}  # fmt: skip
_PORTS: Final = np.array(list(_APP_OF_PORT), np.uint16)
#: To go on from these is what they are for.
_RELAYS: Final = frozenset({"bastion", "admin", "scanner", "vendor_landing"})
#: Every machine turns to these by itself.
_ASKED_BY_ALL: Final = frozenset({"domain_controller", "dns", "dhcp", "wsus", "printer"})
_MOST_HOSTS: Final = 2_000
_MOST_STEPS: Final = 300


@dataclass
class _Step:
    """A contact of a reached host with one that it never spoke to, or never controlled."""

    at_ns: int
    is_session: bool
    flow: FlowKey


@dataclass
class _Reached:
    """A host into which somebody came by a vendor's line."""

    line: RegisteredLine
    source: int
    app: str
    first_ns: int
    last_ns: int
    steps: dict[int, _Step] = field(default_factory=dict)  # by target


class Onward(Detector):
    """A server that a vendor controls by its line begins to control or to try further hosts.

    The contract ends at the server that the line may reach. When somebody came into it by RDP, VNC,
    SSH or the like from where the line lands, then within 24 hours a session from it to a host that
    it never controlled, or administrative ports of three hosts that it never spoke to, is told:
    within 30 minutes of the vendor's session as high, later as medium. Targets of the same
    contract, and servers that every machine turns to, do not count. Bare flows suffice (NetFlow).

    Why it matters: in Osaka in 2022 the intruders came by the caterer's line, by contract, to the
    nutrition server, and went on from there by RDP to the electronic charts.

    False alarms: a vendor who checks a connection on the hospital's behalf; approve the edge.
    """

    id = "onward"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1199", "T1021", "T1018")
    reads = Reads(marks=VENDOR, apps=(*_SESSIONS, "smb", "dcerpc", "unknown"))
    wordings = {
        "": Wording(
            Text(
                "{vendor} の回線から操作された {source} が、さらに {target} など {count} 台へ"
                "進みました（{apps}）",
                "{source}, controlled by the line of {vendor}, went on to {count} hosts "
                "({target}; {apps})",
            ),
            Text(
                "{entered} に {vendor} 側（{from_ip}）から {source} へ {entry_app} で入り、"
                "その {after} 分後に、学習した {days} 日間に一度も接続のなかった {count} 台へ"
                "管理用の通信を始めました。契約で認めた行き先はこの回線では {source} までです。",
                "At {entered} somebody came from {from_ip} into {source} by {entry_app}; {after} "
                "minutes later it turned to {count} hosts that it had not turned to in {days} days "
                "of learning. The contract of this line ends at {source}.",
            ),
            Text(
                "まず {vendor}（連絡先：{contact}）に電話し、いま誰が何の作業をしているか確認"
                "してください。確認が取れなければ回線 {line_name} を切り、{source} の画面を見て、"
                "情報システム責任者へ報告してください。",
                "First phone {vendor} (contact: {contact}): who is working, and on what? If it "
                "cannot be confirmed, cut line {line_name}, look at the screen of {source}, and "
                "report to the head of IT.",
            ),
        ),
    }

    least_tried: int = Field(default=3, ge=2, description="hosts only tried that tell")
    least_session_s: int = Field(default=30, ge=1, description="seconds that make a session")
    soon_s: int = Field(default=1800, ge=0, description="seconds after the session that count full")
    cold_days: int = Field(default=3, ge=1, description="days below which only sessions tell")

    def remember(self) -> OrderedDict[int, _Reached]:
        return OrderedDict()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        if not window.hospital.lines or len(window.flows) == 0:
            return
        if window.every_mark & VENDOR:
            self._note_entries(window, memory)
        while memory and next(iter(memory.values())).last_ns < window.end_ns - _DAY_NS:
            memory.popitem(last=False)
        if not memory:
            return
        for host in self._note_steps(window, memory):
            yield from self._judge(window, host, memory[host])

    def _note_entries(self, window: Window, memory: OrderedDict[int, _Reached]) -> None:
        """Who came from where a line lands and controls a host."""
        flows = window.flows
        came = (window.marks & VENDOR != 0) & _IS_SESSION[flows.app] & (flows.reply_packets > 0)
        for line in window.hospital.lines if came.any() else ():
            landing = line_networks(line)
            if not landing:
                continue
            here = came & in_networks(flows.source, landing)
            here &= ~in_networks(flows.destination, landing)
            for row in np.flatnonzero(here).tolist():
                host = int(window.destination[row])
                if window.hosts.get(host).role in _RELAYS:
                    continue
                first, last = int(flows.first_ns[row]), int(flows.last_ns[row])
                known = memory.get(host)
                if known is None or known.line is not line:
                    known = memory[host] = _Reached(
                        line, int(window.source[row]), APPS[int(flows.app[row])], first, last
                    )
                known.first_ns = min(known.first_ns, first)
                known.last_ns = max(known.last_ns, last)
                memory.move_to_end(host)
        while len(memory) > _MOST_HOSTS:
            memory.popitem(last=False)

    def _note_steps(self, window: Window, memory: OrderedDict[int, _Reached]) -> list[int]:
        """The reached hosts that took a step in this window."""
        flows = window.flows
        reached = np.fromiter(memory, np.uint32, len(memory))
        chosen = np.isin(window.source, reached) & (flows.protocol == 6)
        wanted = OURS | THEIRS | TO_ONE
        chosen &= window.marks & wanted == wanted
        is_session = _IS_SESSION[flows.app] & (flows.reply_packets > 0)
        is_session &= flows.last_ns - flows.first_ns >= self.least_session_s * _S
        is_try = np.isin(flows.destination_port, _PORTS)
        is_try &= (window.marks & (ANSWERED | FAILED) != 0) | (flows.part != 0)
        chosen &= is_session | is_try
        rows = np.flatnonzero(chosen)
        if len(rows) == 0:
            return []
        ends = window.source[rows], window.destination[rows]
        is_new = np.where(
            is_session[rows],
            ~window.edges.knows(*ends, flows.app[rows]),
            ~window.edges.has_spoken(*ends),
        )
        moved: dict[int, None] = {}
        for row in rows[is_new].tolist():
            host, target = int(window.source[row]), int(window.destination[row])
            there = memory[host]
            if len(there.steps) >= _MOST_STEPS or not _is_beyond(window, there.line, target):
                continue
            before = there.steps.get(target)
            if before is None or (bool(is_session[row]) and not before.is_session):
                [flow] = flow_keys(flows, [row])
                step = _Step(int(flows.first_ns[row]), bool(is_session[row]), flow)
                there.steps[target] = step
                moved[host] = None
        return list(moved)

    def _judge(self, window: Window, host: int, there: _Reached) -> Iterator[Finding]:
        since, until = there.first_ns, there.last_ns + _DAY_NS
        steps = {t: s for t, s in there.steps.items() if since <= s.at_ns <= until}
        sessions = [s for s in steps.values() if s.is_session]
        is_cold = window.edges.active_days < self.cold_days
        if not sessions and (is_cold or len(steps) < self.least_tried):
            return
        told = dict(sorted(steps.items(), key=lambda kept: (not kept[1].is_session, kept[1].at_ns)))
        first_ns = min(s.at_ns for s in told.values())
        is_soon = first_ns <= there.last_ns + self.soon_s * _S
        score = 80.0 if sessions else 70.0
        if is_cold or not is_soon:
            score = 60.0
        line = there.line
        apps = {_APP_OF_PORT.get(s.flow.destination_port, "") for s in told.values()}
        yield Finding(
            source=window.hosts.ip(host),
            targets=tuple(window.hosts.ip(t) for t in list(told)[:50]),
            score=score,
            confidence=0.9,
            first_ns=first_ns,
            last_ns=max(s.at_ns for s in told.values()),
            facts={
                "vendor": line.vendor,
                "line_name": line.system or line.id,
                "contact": line.contact or "台帳に記載なし / not in the register",
                "from_ip": window.hosts.ip(there.source),
                "entry_app": app_name(there.app),
                "entered": _clock(there.first_ns, window.hospital.timezone),
                "after": max(0, round((first_ns - there.first_ns) / (60 * _S))),
                "count": len(told),
                "sessions": len(sessions),
                "apps": "・".join(sorted(apps - {""})) or "TCP",
                "days": window.edges.active_days,
            },
            key=line.id,
            line=line.id,
            app="rdp" if sessions and "RDP" in apps else "",
            flows=tuple(s.flow for s in list(told.values())[:20]),
            warmth=window.edges.warmth,
        )


def _is_beyond(window: Window, line: RegisteredLine, target: int) -> bool:
    """Is this host neither the contract's own business nor everybody's."""
    if window.hosts.get(target).role in _ASKED_BY_ALL:
        return False
    address: NDArray[np.uint64] = window.hosts.addresses(np.array([target], np.uint32))
    ours = tuple(network for network, _ in allowed_targets(line)) + line_networks(line)
    return not in_networks(address, ours)[0]


def _clock(time_ns: int, timezone: str) -> str:
    return datetime.fromtimestamp(time_ns // _S, ZoneInfo(timezone)).strftime("%m-%d %H:%M")
