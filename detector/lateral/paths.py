"""Paths (LM-6 b-d): control that goes on from host to host, begins nowhere, or grows a tree."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.apps import APP_CODE, APPS, app_name
from collector.sightings import Ntlm
from detector.care import care_class
from detector.detection import Category, Detector, Finding, FlowKey, Window
from detector.lateral.admin_edge import is_contracted
from detector.lateral.calls import flow_of, requests
from detector.lateral.path_words import WORDINGS
from detector.lateral.rpc_rules import RULE_OF
from detector.sift import CONTROL_APPS, sift
from detector.sift_kernels import SESSION
from detector.words import Text

_S: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _S
#: Through these a path goes on by design.
_RELAYS: Final = frozenset({"bastion", "admin", "scanner", "backup"})
#: Which controls nobody unless somebody came in and made it.
_ORPHANS: Final = frozenset(
    {"modality", "analyser", "server", "pacs", "database", "emr_server", "file_server", "camera",
     "hl7_engine", "printer", "monitor", "medical_device", "network_device", "pharmacy"}
)  # fmt: skip


_MOST_SESSIONS: Final = 20_000
#: Paths are looked for among so many of the latest sessions.
_NEAR: Final = 2000


@dataclass
class _Session:
    source: int
    target: int
    first_ns: int
    last_ns: int
    app: str
    is_new: bool
    flow: FlowKey
    user: str = ""
    number: int = 0  # in order of their beginning


@dataclass
class _Memory:
    sessions: deque[_Session] = field(default_factory=lambda: deque(maxlen=_MOST_SESSIONS))
    of_host: dict[int, deque[_Session]] = field(default_factory=dict)  # from or to it
    count: int = 0
    waiting: deque[_Session] = field(default_factory=lambda: deque(maxlen=5_000))
    by_edge: OrderedDict[tuple[int, int, str], _Session] = field(default_factory=OrderedDict)
    users: OrderedDict[tuple[str, str], str] = field(default_factory=OrderedDict)

    def add(self, session: _Session) -> None:
        self.count += 1
        session.number = self.count
        self.sessions.append(session)
        for host in {session.source, session.target}:
            self.of_host.setdefault(host, deque(maxlen=_NEAR)).append(session)
        if len(self.of_host) > 2 * _MOST_SESSIONS:
            oldest = self.sessions[0].number
            self.of_host = {h: s for h, s in self.of_host.items() if s[-1].number >= oldest}

    def near(self, session: _Session) -> list[_Session]:
        """Of the latest sessions those that share a host with this one, in order."""
        oldest = max(self.sessions[0].number, self.count - _NEAR + 1)
        ends = (*self.of_host[session.source], *self.of_host[session.target])
        return sorted(
            {s.number: s for s in ends if s.number >= oldest}.values(), key=lambda s: s.number
        )


class Paths(Detector):
    """Sessions of control form a path, start at a host nobody entered, or branch out.

    A session is RDP, VNC, SSH, WinRM or Telnet of half a minute, or a remote call that runs a
    program. *Path*: A controls B while, or up to a day before, B controls C; at least one of the
    edges is new (6 bits of surprise or never seen), and the account changes on the way or the end
    is a core system. *Orphan*: a server, modality or network device opens a new session though
    nobody entered it in a day (told half an hour later: who came in may still be there, and
    a flow is told of when it ends). *Tree*: three new edges of control grow from one host in a day.

    Each edge of a path weighs by its novelty, times exp(-gap / 2 h) where the sessions do not
    overlap; the score is 100 (1 - prod(1 - w)). Without three days of memory every edge is new:
    then only sessions that overlap are told, low. Paths go on through registered bastions.

    Why it matters: an intruder needs a path; each step alone looks like maintenance.

    False alarms: technicians who hop by habit. Approve the edges once.
    """

    id = "paths"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1021", "T1570")
    wordings = WORDINGS

    least_session_s: int = Field(default=30, ge=1, description="seconds that make a session")
    least_bits: float = Field(default=6.0, ge=0, description="surprise that makes an edge new")
    tree_edges: int = Field(default=3, ge=2, description="new edges of one root in a day")
    cold_days: int = Field(default=3, ge=1, description="days below which all edges are new")
    wait_s: int = Field(
        default=1800, ge=0, description="seconds to wait for a session that came in and still lasts"
    )

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for login in window.of(Ntlm):
            if login.message == "authenticate" and login.user and not login.user.endswith("$"):
                memory.users[login.ip, login.peer_ip] = login.user.lower()
        fresh = [*self._from_flows(window, memory), *self._from_calls(window, memory)]
        while len(memory.users) > 20_000:
            memory.users.popitem(last=False)
        if not fresh and not memory.waiting:
            return
        while memory.sessions and memory.sessions[0].last_ns < window.end_ns - _DAY_NS:
            memory.sessions.popleft()
        is_warm = window.edges.active_days >= self.cold_days
        for session in fresh:
            memory.add(session)
            yield from self._paths_of(window, memory, session, is_warm)
            if is_warm and session.is_new:
                memory.waiting.append(session)
                yield from self._tree(window, memory, session)
        while memory.waiting and memory.waiting[0].last_ns < window.end_ns - self.wait_s * _S:
            yield from self._orphan(window, memory, memory.waiting.popleft())

    def _from_flows(self, window: Window, memory: _Memory) -> list[_Session]:
        flows = window.flows
        if len(flows) == 0:
            return []
        rows = window.once(sift).rows(SESSION)
        lasted_ns = flows.last_ns[rows] - flows.first_ns[rows]
        found = []
        for row in rows[lasted_ns >= self.least_session_s * _S].tolist():
            ends = (int(window.source[row]), int(window.destination[row]))
            first, last = int(flows.first_ns[row]), int(flows.last_ns[row])
            ports = (int(flows.source_port[row]), int(flows.destination_port[row]))
            ips = (window.hosts.ip(ends[0]), window.hosts.ip(ends[1]))
            flow = FlowKey(first, ips[0], ports[0], ips[1], ports[1], 6)
            found += self._note(window, memory, ends, first, last, APPS[int(flows.app[row])], flow)
        return found

    def _from_calls(self, window: Window, memory: _Memory) -> list[_Session]:
        found = []
        for call, interface, operation in requests(window):
            rule = RULE_OF.get((interface, operation))
            if rule is None or not rule.executes or call.ip == call.peer_ip:
                continue
            ends = (window.hosts.number_of(call.ip), window.hosts.number_of(call.peer_ip))
            at = call.time_ns
            found += self._note(window, memory, ends, at, at, "dcerpc", flow_of(call))
        return found

    def _note(
        self, window: Window, memory: _Memory, ends: tuple[int, int], first: int, last: int,
        app: str, flow: FlowKey,
    ) -> list[_Session]:  # fmt: skip
        """A session that is not yet known, or none where it only went on."""
        known = memory.by_edge.get((*ends, app))
        if known is not None and first - known.last_ns < 600 * _S:
            known.last_ns = max(known.last_ns, last)
            known.first_ns = min(known.first_ns, first)
            return []
        code = np.array([APP_CODE[app]], np.uint16)
        pair = np.array([ends[0]], np.uint32), np.array([ends[1]], np.uint32)
        is_known = bool(window.edges.knows(*pair, code)[0])
        is_new = not is_known
        if is_new and app != "dcerpc" and window.edges.active_days >= self.cold_days:
            is_new = window.edges.surprise(*ends, APP_CODE[app]) >= self.least_bits
        is_new &= not is_contracted(window, *ends, flow.destination_port)
        user = memory.users.get((flow.source, flow.destination), "")
        session = _Session(*ends, first, last, app, is_new, flow, user)
        memory.by_edge[(*ends, app)] = session
        while len(memory.by_edge) > 20_000:
            memory.by_edge.popitem(last=False)
        return [session]

    def _paths_of(
        self, window: Window, memory: _Memory, session: _Session, is_warm: bool
    ) -> Iterator[Finding]:
        """Paths that this session ends, and paths that it begins (its own end comes later)."""
        for other in memory.near(session):
            for before, after in ((other, session), (session, other)):
                if before.target != after.source or before.source == after.target:
                    continue
                found = self._path(window, before, after, is_warm)
                if found is not None:
                    yield found

    def _path(
        self, window: Window, before: _Session, after: _Session, is_warm: bool
    ) -> Finding | None:
        gap_s = (after.first_ns - before.last_ns) / _S
        if after.first_ns < before.first_ns or gap_s > 86_400:
            return None
        hosts = [window.hosts.get(n) for n in (before.source, before.target, after.target)]
        if hosts[1].role in _RELAYS or not (before.is_new or after.is_new):
            return None
        overlaps = gap_s <= 0
        listed = window.hospital.asset_by_ip.get(hosts[2].ip)
        is_core = care_class(hosts[2].role, listed) in ("C3", "C4")
        changes = bool(before.user and after.user and before.user != after.user)
        if not is_warm and not (overlaps and before.is_new and after.is_new):
            return None
        if is_warm and not (is_core or changes or (overlaps and before.is_new and after.is_new)):
            return None
        fade = 1.0 if overlaps else math.exp(-gap_s / 7200)
        calm = 1.0
        for edge in (before, after):
            calm *= 1 - (0.55 if edge.is_new else 0.15) * fade
        score = 100 * (1 - calm) + 10 * is_core + 5 * changes
        named = dict.fromkeys(user for user in (before.user, after.user) if user)
        users = " → ".join(named)
        gap = _gap(overlaps, gap_s)
        return Finding(
            source=hosts[0].ip,
            targets=(hosts[1].ip, hosts[2].ip),
            score=min(95.0, score if is_warm else min(score, 58.0)),
            confidence=0.8,
            first_ns=before.first_ns,
            last_ns=max(before.last_ns, after.last_ns),
            facts={
                "middle": hosts[1].ip, "end": hosts[2].ip,
                "apps": f"{app_name(before.app)} → {app_name(after.app)}",
                "users": f"、利用者 {users}" if users else "",
                "users_en": f", users {users}" if users else "",
                "gap": gap.ja,
                "gap_en": gap.en,
                "path": [h.ip for h in hosts],
            },
            variant="path",
            key=f"{hosts[1].ip} {hosts[2].ip}",
            app=after.app,
            flows=(before.flow, after.flow),
            warmth=window.edges.warmth,
        )  # fmt: skip

    def _orphan(self, window: Window, memory: _Memory, session: _Session) -> Iterator[Finding]:
        host = window.hosts.get(session.source)
        if host.role not in _ORPHANS or session.app not in CONTROL_APPS:
            return
        since = session.first_ns - _DAY_NS
        if any(s.target == session.source and s.last_ns >= since for s in memory.sessions):
            return
        yield Finding(
            source=host.ip,
            targets=(window.hosts.ip(session.target),),
            score=55.0,
            confidence=0.85,
            first_ns=session.first_ns,
            last_ns=session.last_ns,
            facts={"app": app_name(session.app), "role": host.role},
            variant="orphan",
            app=session.app,
            flows=(session.flow,),
            warmth=window.edges.warmth,
        )

    def _tree(self, window: Window, memory: _Memory, session: _Session) -> Iterator[Finding]:
        since = session.first_ns - _DAY_NS
        recent = [s for s in memory.sessions if s.is_new and s.first_ns >= since]
        root, steps = session.source, 0
        while steps < 8:  # up to where it began
            above = [s for s in recent if s.target == root and s.first_ns <= session.first_ns]
            if not above or above[0].source == session.source:
                break
            root, steps = above[0].source, steps + 1
        reached, frontier = {root: None}, [root]
        edges: list[_Session] = []
        while frontier:
            at = frontier.pop()
            for s in recent:
                if s.source == at and s.target not in reached:
                    reached[s.target] = None
                    frontier.append(s.target)
                    edges.append(s)
        host = window.hosts.get(root)
        if len(edges) < self.tree_edges or host.role in _RELAYS:
            return
        if all(e.app == "dcerpc" and e.source == root for e in edges):
            return  # a tool's round from one host: `remote_calls` tells it, as one
        yield Finding(
            source=host.ip,
            targets=tuple(window.hosts.ip(n) for n in list(reached)[1:]),
            score=min(90.0, 70.0 + 5 * (len(edges) - self.tree_edges)),
            confidence=0.85,
            first_ns=min(e.first_ns for e in edges),
            last_ns=max(e.last_ns for e in edges),
            facts={
                "count": len(edges),
                "apps": sorted({app_name(e.app) for e in edges}),
                "path": [f"{e.flow.source} → {e.flow.destination}" for e in edges[:10]],
            },
            variant="tree",
            key=host.ip,
            flows=tuple(e.flow for e in edges[:20]),
            warmth=window.edges.warmth,
        )


def _gap(overlaps: bool, gap_s: float) -> Text:
    """How long after the first step the second one began."""
    if overlaps:
        return Text("同時", "at once")
    minutes = round(gap_s / 60)
    return Text(f"{minutes} 分後", f"{minutes} min later") if minutes else Text("直後", "at once")
