"""RT: a VPN, tunnel or remote-control tool is in use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import Field

from detector.detection import Detector, Finding, Reads, Window
from detector.lines.attempts import (
    COLLECTIVE,
    NAMING,
    NamedUse,
    is_told_by_name,
    named_uses,
)
from detector.lines.resolvers import Resolvers
from detector.lines.sessions import Session, seen_from_first, tool_sessions
from detector.lines.signature_words import WORDINGS
from detector.lines.tools import CATEGORY, TOOLS


@dataclass
class SignatureMemory:
    """Kinds of addresses, and who answers name queries for others."""

    resolvers: Resolvers = field(default_factory=Resolvers)
    first_ends: dict[tuple[str, str, str], None] = field(default_factory=dict)


class ToolSignatures(Detector):
    """A VPN, tunnel, proxy or remote-control tool is recognised by its bytes or by its name.

    Why it matters: most ransomware reached hospitals by a VPN device or a remote-maintenance tool,
    often one nobody had on a list. Any of these carries a person from outside straight to a desk.
    How: the collector names the application from handshakes (confidence 0.95), names (0.9) or the
    port alone (0.4). RDP, VNC, SSH and Telnet count only where they cross the hospital's border;
    between hosts inside they are judged as lateral movement. In a closed segment even asking for
    a tool's name counts. Where the hospital has registered its outside lines, crossings are
    compared with the register by `line_register` instead, so that one line is one alert.
    False alarms: maintenance lines that are in order but not yet registered; register them.
    """

    id = "tool_signature"
    category = "remote_access"
    techniques = ("T1219", "T1572", "T1133", "T1090")
    reads = Reads(sightings=NAMING, apps=tuple(TOOLS))
    wordings: ClassVar = WORDINGS

    long_ssh_s: float = Field(
        default=3600, ge=60, description="outbound SSH this long may be a tunnel"
    )

    def remember(self) -> SignatureMemory:
        return SignatureMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        register_speaks = bool(window.hospital.lines)
        for session in window.once(tool_sessions):
            if register_speaks and session.direction in ("in", "out"):
                continue
            if is_told_by_name(session.app, window.names.of(session.peer)):
                continue
            yield from self._session(seen_from_first(session, memory.first_ends), window)
        for use in named_uses(window, memory.resolvers):
            if not register_speaks:
                yield named_finding(use, window)

    def _session(self, session: Session, window: Window) -> Iterator[Finding]:
        is_closed = is_in_closed_segment(window, session.device, session.vlan)
        score = session_score(session, is_closed, self.long_ssh_s)
        if window.hospital.segments and session.direction == "within":
            score -= 10  # both ends are known to be the hospital's own
        if score <= 0 or _is_listed_proxy(session, window):
            return
        yield session_finding(session, score)


def session_score(session: Session, is_closed: bool, long_ssh_s: float = 3600) -> float:
    """How bad a session is by itself, 0-100; 0 = nothing to say."""
    tool, score = session.tool, session.tool.score
    if tool.tool_class == "quiet" and not is_closed:
        score = score if session.app == "http_proxy" else 0
    if session.app == "gre" and session.direction == "within":
        return 0  # wireless access points and routers wrap traffic in GRE on the LAN
    if tool.tool_class == "session":
        score = _administrator_score(session, is_closed, long_ssh_s)
    if session.confidence < 0.5:  # by the port alone
        score = min(score, 40) if session.is_answered else 0
    return min(95, score + 15) if score and is_closed else score


def _administrator_score(session: Session, is_closed: bool, long_ssh_s: float) -> float:
    if session.direction == "in":
        if not session.is_answered:
            return 0  # the Internet's noise
        return session.tool.score if session.has_talk else 55  # it is open to the outside
    if session.app == "ssh":
        return 45 if session.longest_s > long_ssh_s or is_closed else 0
    return session.tool.score - 30


def session_finding(session: Session, score: float) -> Finding:
    """Say what was seen; one alert a host, line and day."""
    tool = session.tool
    variant: str = tool.tool_class
    if variant == "session":
        variant = "session_in" if session.direction == "in" else "session_out"
        if session.app == "ssh" and session.direction != "in":
            variant = "ssh_out"
    source, targets = session.device, (session.peer,)
    if session.app == "http_proxy" and session.direction == "within":
        # The proxy is what must be explained, not each of its clients.
        variant, source, targets = "proxy_inside", session.peer, (session.device,)
    if session.direction == "in":
        source, targets = session.peer, (session.device,)
    return Finding(
        source=source,
        targets=targets,
        score=score,
        confidence=max(0.3, session.confidence),
        first_ns=session.first_ns,
        last_ns=session.last_ns,
        facts=session_facts(session),
        variant=variant,
        key=session.line,
        techniques=session_techniques(session),
        category=CATEGORY[tool.tool_class],
        line=line_name(session),
        app=session.app,
        source_mac=session.device_mac if source == session.device else "",
        flows=session.flows,
    )


def session_facts(session: Session) -> dict[str, Any]:
    """The numbers that fill the wording and stand as evidence."""
    return {
        "app": session.tool.label,
        "device": session.device,
        "peer": session.peer,
        "port": session.peer_port,
        "direction": session.direction,
        "sessions": session.count,
        "minutes": round(session.longest_s / 60, 1),
        "bytes_out": session.bytes_out,
        "bytes_in": session.bytes_in,
    }


def named_finding(use: NamedUse, window: Window) -> Finding:
    """A name asked for is a weaker sign than a session, except where nothing should go out.

    It carries the words and the key of the tool's sessions, so that all make one alert a day.
    """
    is_closed = is_in_closed_segment(window, use.device, use.vlan)
    tool = TOOLS[use.tool.app]
    if use.how == "DNS":
        score = 65.0 if is_closed else 35.0
    else:
        score = min(95.0, tool.score + (15 if is_closed else 0))
    peer = f"{use.name} ({use.how})" if use.name else use.peer
    return Finding(
        source=use.device,
        targets=(use.peer,) if use.how != "DNS" else (),
        score=score,
        confidence=0.9,
        first_ns=use.time_ns,
        last_ns=use.time_ns,
        facts={
            "app": use.tool.label, "device": use.device, "peer": peer, "name": use.name,
            "sign": use.how,
        },
        variant="remote" if tool.tool_class == "session" else tool.tool_class,
        key=_key(use),
        techniques=tool.techniques,
        category=CATEGORY[tool.tool_class],
        line=f"{use.tool.label} {use.device}",
        app=use.tool.app,
        source_mac=use.device_mac,
    )  # fmt: skip


def _key(use: NamedUse) -> str:
    """The same as that of the tool's sessions, where sessions can be told apart."""
    return (
        use.tool.label if use.tool.app in COLLECTIVE else TOOLS[use.tool.app].line or use.tool.app
    )


def line_name(session: Session) -> str:
    """A name for a line that no register knows."""
    return f"{session.tool.label} {session.device} ↔ {session.peer}"


def is_in_closed_segment(window: Window, ip: str, vlan: int) -> bool:
    """True where the plan says that nothing goes to the Internet."""
    segment = window.hospital.segment_of(ip, vlan)
    return segment is not None and segment.closed


def session_techniques(session: Session) -> tuple[str, ...]:
    """Across the border a session is an external service; out of it, protocol tunnelling."""
    if session.tool.tool_class == "session" and session.direction == "out":
        return ("T1572",) if session.app == "ssh" else (session.tool.techniques[0],)
    return session.tool.techniques


def _is_listed_proxy(session: Session, window: Window) -> bool:
    return session.app == "http_proxy" and session.peer in window.hospital.asset_by_ip
