"""EX-2: outside lines as seen, compared with the register."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.sightings import TlsCertificate
from detector.addresses import in_networks
from detector.detection import Detector, Finding, Window
from detector.hospital import RegisteredLine
from detector.landing import is_endpoint, line_networks
from detector.lines.addresses import INSIDE
from detector.lines.attempts import is_told_by_name, named_uses
from detector.lines.line_register_words import WORDINGS
from detector.lines.line_usage import LineUsage, Misuse, usage_finding
from detector.lines.maintenance_window import windows_text
from detector.lines.observed import ObservedLine, ObservedLines, Verdict
from detector.lines.register_match import (
    MATCHED,
    Match,
    best_match,
    is_in_hours,
    local_time,
    nearest_booking,
    verdict_of,
)
from detector.lines.resolvers import Resolvers
from detector.lines.sessions import Session, flow_keys, plain_sessions, tool_sessions
from detector.lines.signatures import (
    is_in_closed_segment,
    named_finding,
    session_facts,
    session_score,
    session_techniques,
)
from detector.lines.tools import CATEGORY

_SCORES: Final[dict[str, float]] = {
    "unregistered": 70, "changed": 65, "expired": 72, "out_of_window": 62, "weak": 50,
}  # fmt: skip
_NEAR_A_BOOKING: Final = 40.0
MAX_SERVERS: Final = 20_000
_OLD_TLS: Final = {"ssl2": "SSL 2", "ssl3": "SSL 3", "1.0": "TLS 1.0", "1.1": "TLS 1.1"}


@dataclass
class RegisterMemory:
    """Lines seen so far, names of outside addresses, and which hosts are in whose pool."""

    observed: ObservedLines = field(default_factory=ObservedLines)
    resolvers: Resolvers = field(default_factory=Resolvers)
    #: By host number: index + 1 of the registered line whose landing pool holds it, 0 = none.
    pool: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))
    has_pool: bool = False  # does any host stand in one
    pool_of: tuple[RegisteredLine, ...] = ()  # the register that `pool` was made from
    moves: int = 0  # of machines between addresses, at that time
    usage: LineUsage = field(default_factory=LineUsage)
    old_tls: dict[str, str] = field(default_factory=dict)  # outside server → version it speaks


class LineRegister(Detector):
    """An outside line is not in the register, or does not keep to what was registered.

    Why it matters: the hospital answers for every line that leaves it, and must confirm after each
    job that the vendor kept to what was agreed.
    How: what is seen is grouped by device inside, place outside and tunnel protocol, and matched
    with the register: outside end 0.4, device 0.3, protocol 0.15, landing 0.15, of what the
    register states. From 0.7 it is that line, from 0.4 that line but changed. Verdicts:
    unregistered, changed, expired, out of its hours (in the hospital's time zone; a tunnel may
    stand, its use counts; a booking opens the line, and one within two hours makes it weigh less),
    weak (PPTP, aggressive IKEv1, TLS below 1.2, RDP, VNC, Telnet or FTP bare from outside), volume
    (far above the line's own days), always on though it is on request, dormant for half a year,
    ghost (never seen in 30 days). Leaving the contract's scope is told by `landing_pivot`.
    Without a register nothing is compared; the lines seen are kept all the
    same, so that a register can be made from them.
    False alarms: vendors that moved their endpoint; correct the register.
    """

    id = "line_register"
    category = "external_line"
    techniques = ("T1133", "T1199")
    wordings: ClassVar = WORDINGS

    min_use_bytes: int = Field(
        default=20_000, ge=0, description="bytes that make a tunnel used, where no pool is known"
    )
    night_from: int = Field(default=22, ge=0, le=23, description="hour at which night begins")
    night_to: int = Field(default=6, ge=0, le=23, description="hour at which night ends")

    volume_z: float = Field(default=6, ge=2, description="deviations above a line's own days")
    volume_floor_bytes: int = Field(
        default=10_000_000, ge=0, description="bytes a day below which volume says nothing"
    )

    def remember(self) -> RegisterMemory:
        return RegisterMemory()

    def observed_lines(self, memory: Any) -> list[dict[str, Any]]:
        """Lines that changed since the last call, for the store and the console."""
        return [line.to_json() for line in memory.observed.take_changed()]

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        _learn_versions(window, memory)
        lines = window.hospital.lines
        yield from self._usage(memory.usage.turn(window), window, memory)
        for session in window.once(tool_sessions):
            if session.direction not in ("in", "out"):
                continue
            if session.tool.tool_class == "session" and not session.is_answered:
                continue
            yield from self._session(session, window, memory)
        for session in plain_sessions(window, lines) if lines else ():
            match = best_match(session, window.names.of(session.peer), lines)
            if match is not None and match.score >= MATCHED:
                yield from self._session(session, window, memory)
        if lines:
            yield from self._names(window, memory)
            yield from self._pool_sessions(window, memory)
            volumes = memory.usage.volumes(window, self.volume_z, self.volume_floor_bytes)
            yield from self._usage(volumes, window, memory)

    def _usage(
        self, misuses: Iterator[Misuse], window: Window, memory: RegisterMemory
    ) -> Iterator[Finding]:
        for misuse in misuses:
            memory.observed.judge(misuse.line.id, misuse.verdict, window.end_ns)
            yield usage_finding(misuse, window, _peer_of(misuse.line, memory))

    def _session(
        self, session: Session, window: Window, memory: RegisterMemory
    ) -> Iterator[Finding]:
        hospital = window.hospital
        name = window.names.of(session.peer)
        match = best_match(session, name, hospital.lines)
        verdict: Verdict = "no_register"
        if hospital.lines:
            verdict = verdict_of(session, match, hospital)
            if (
                verdict == "matched"
                and match is not None
                and self._is_misused(session, match, window)
            ):
                verdict = "out_of_window"
            if match is not None and verdict not in ("changed", "unregistered"):
                memory.usage.note(match.line.id, session)
            if verdict == "matched" and session.peer in memory.old_tls:
                verdict = "weak"
        line = memory.observed.see(
            session, name, verdict, match.line.id if match else "", match.score if match else 0.0
        )
        if verdict in ("matched", "no_register") or is_told_by_name(session.app, name):
            return
        score = self._score(session, verdict, window, match.line if match else None)
        if score > 0:
            yield _finding(session, line, match, verdict, score, memory.old_tls)

    def _is_misused(self, session: Session, match: Match, window: Window) -> bool:
        """Used outside its hours; where pools are known, their sessions are what counts."""
        if _pools(match.line) or session.bytes_out + session.bytes_in < self.min_use_bytes:
            return False
        return not is_in_hours(session.first_ns, match.line, window.hospital)

    def _score(
        self, session: Session, verdict: Verdict, window: Window, line: RegisteredLine | None
    ) -> float:
        if verdict == "unregistered":
            is_closed = is_in_closed_segment(window, session.device, session.vlan)
            by_itself = session_score(session, is_closed)
            is_minor = session.tool.tool_class in ("quiet", "session", "anonymiser")
            return by_itself if is_minor or not by_itself else max(_SCORES[verdict], by_itself)
        if verdict == "out_of_window":
            return self._hours_score(session.first_ns, window, line)
        return _SCORES[verdict]

    def _hours_score(self, time_ns: int, window: Window, line: RegisteredLine | None) -> float:
        if line is not None and nearest_booking(time_ns, line, window.hospital) is not None:
            return _NEAR_A_BOOKING
        hour = local_time(time_ns, window.hospital.timezone).hour
        is_night = hour >= self.night_from or hour < self.night_to
        return _SCORES["out_of_window"] + (10 if is_night else 0)

    def _names(self, window: Window, memory: RegisterMemory) -> Iterator[Finding]:
        """Tools that a host asked for by name, registered ones left out."""
        for use in named_uses(window, memory.resolvers):
            known = any(
                is_endpoint("" if use.how == "DNS" else use.peer, use.name.lower(), line)
                or (
                    use.tool.app in line.protocols and use.device in (line.device_ip, *line.landing)
                )
                for line in window.hospital.lines
            )
            if not known:
                found = named_finding(use, window)
                facts = {**found.facts, "port": 0, "minutes": 0, "bytes": 0}
                yield Finding(**{**vars(found), "variant": "unregistered", "facts": facts})

    def _pool_sessions(self, window: Window, memory: RegisterMemory) -> Iterator[Finding]:
        """Sessions from a vendor's address pool outside the line's hours."""
        self._learn_pools(window, memory)
        if not memory.has_pool:
            return
        flows = window.flows
        line_of = memory.pool[window.source]
        chosen = (line_of > 0) & (window.hosts.kinds[window.destination] & INSIDE != 0)
        rows = np.flatnonzero(chosen & (flows.reply_packets > 0) & (flows.part == 0))
        told: set[str] = set()
        for row in rows.tolist():
            line = window.hospital.lines[int(line_of[row]) - 1]
            first_ns = int(flows.first_ns[row])
            if line.id in told or is_in_hours(first_ns, line, window.hospital):
                continue
            told.add(line.id)
            yield self._misuse(line, row, window, memory)

    def _misuse(
        self, line: RegisteredLine, row: int, window: Window, memory: RegisterMemory
    ) -> Finding:
        key = flow_keys(window.flows.take(slice(row, row + 1)))[0]
        peer = _peer_of(line, memory) or key.source
        local = local_time(key.first_ns, window.hospital.timezone)
        return Finding(
            source=peer,
            targets=tuple(dict.fromkeys(filter(None, (line.device_ip, key.destination)))),
            score=self._hours_score(key.first_ns, window, line),
            confidence=0.95,
            first_ns=key.first_ns,
            last_ns=int(window.flows.last_ns[row]),
            facts={
                "line": line.id,
                "vendor": line.vendor,
                "contact": line.contact or "-",
                "peer": peer,
                "device": line.device_ip or key.source,
                "when": local.strftime("%Y-%m-%d %H:%M"),
                "hours": windows_text(line.windows).en,
                "hours_ja": windows_text(line.windows).ja,
                "landed_as": key.source,
                "landed_on": f"{key.destination}:{key.destination_port}",
            },
            variant="out_of_window",
            key=line.id,
            line=line.id,
            flows=(key,),
        )

    def _learn_pools(self, window: Window, memory: RegisterMemory) -> None:
        if memory.pool_of != window.hospital.lines:  # somebody has changed the register
            memory.pool, memory.pool_of = np.zeros(0, np.uint16), window.hospital.lines
        if memory.moves != window.hosts.moves:
            memory.pool, memory.moves = np.zeros(0, np.uint16), window.hosts.moves
        known = len(memory.pool)
        if known >= len(window.hosts):
            return
        fresh = window.hosts.addresses(np.arange(known, len(window.hosts), dtype=np.uint32))
        pool = np.zeros(len(fresh), np.uint16)
        for index, line in enumerate(window.hospital.lines):
            if line.windows and _pools(line):
                pool[in_networks(fresh, _pools(line))] = index + 1
        memory.pool = np.concatenate([memory.pool, pool])
        memory.has_pool = bool(memory.pool.any())


def _pools(line: RegisteredLine) -> tuple[Any, ...]:
    """Landing ranges of a line; single hosts are left out, they have a life of their own."""
    return tuple(n for n in line_networks(line) if n.num_addresses > 1)


def _peer_of(line: RegisteredLine, memory: RegisterMemory) -> str:
    """The outside end of a line: as last seen, else as registered."""
    seen = [o.peer_ip for o in memory.observed.lines.values() if o.registered_id == line.id]
    literal = [o for o in line.outside if "/" not in o and is_endpoint(o, "", line)]
    return (seen or literal or [""])[-1]


def _learn_versions(window: Window, memory: RegisterMemory) -> None:
    """Servers that answer with a TLS version that is no longer safe (RFC 8996)."""
    for shown in window.of(TlsCertificate):
        if shown.version in _OLD_TLS:
            memory.old_tls[shown.ip] = _OLD_TLS[shown.version]
            if len(memory.old_tls) > MAX_SERVERS:
                memory.old_tls.pop(next(iter(memory.old_tls)))


def _finding(
    session: Session,
    line: ObservedLine,
    match: Match | None,
    verdict: Verdict,
    score: float,
    old_tls: dict[str, str],
) -> Finding:
    source, targets = session.device, (session.peer,)
    is_vendors = verdict in ("out_of_window", "expired", "weak") or session.direction == "in"
    if is_vendors:
        source, targets = session.peer, (session.device,)
    registered = match.line if match else None
    hours = windows_text(registered.windows if registered else ())
    facts = session_facts(session) | {
        "weakness": old_tls.get(session.peer, session.tool.label),
        "line": registered.id if registered else line.id,
        "vendor": registered.vendor if registered else "-",
        "contact": (registered.contact if registered else "") or "-",
        "outside": line.outside,
        "differs": list(match.differs) if match else [],
        "contract_end": str(registered.contract_end or "-") if registered else "-",
        "hours": hours.en or "-",
        "hours_ja": hours.ja or "-",
        "when": "-",
        "match": line.match,
        "observed_line": line.id,
    }
    return Finding(
        source=source,
        targets=targets,
        score=score,
        confidence=max(0.3, session.confidence),
        first_ns=session.first_ns,
        last_ns=session.last_ns,
        facts=facts,
        variant=verdict,
        key=registered.id if registered else session.line,
        techniques=session_techniques(session) if verdict == "unregistered" else ("T1133", "T1199"),
        category=CATEGORY[session.tool.tool_class] if verdict == "unregistered" else None,
        line=registered.id if registered else line.id,
        app=session.app,
        source_mac="" if is_vendors else session.device_mac,
        flows=session.flows,
    )
