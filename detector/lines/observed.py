"""Outside lines as seen: clusters of a device inside, a place outside and a tunnel protocol."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final, Literal

from detector.lines.sessions import Session
from detector.lines.surroundings import network_of

Verdict = Literal[
    "matched", "unregistered", "changed", "expired", "out_of_window", "weak", "no_register",
    "volume", "always_on", "dormant", "ghost", "out_of_scope",
]  # fmt: skip

MAX_LINES: Final = 20_000

#: Verdicts from harmless to grave; a grave one stays with the line for a month, so that the next
#: session that keeps to the contract does not hide it.
_GRAVITY: Final[tuple[Verdict, ...]] = (
    "matched", "no_register", "ghost", "dormant", "always_on", "weak", "volume", "out_of_window",
    "changed", "expired", "unregistered", "out_of_scope",
)  # fmt: skip
_STAYS_NS: Final = 30 * 24 * 3_600_000_000_000


@dataclass(frozen=True)
class ObservedLine:
    """One line as the sensor saw it; `registered_id` is empty where the register knows none."""

    id: str
    device_ip: str
    device_mac: str
    outside: str  # name where one was seen, else the /24 (IPv6: /64)
    peer_ip: str  # the last one
    protocol: str  # what makes the line: ipsec, openvpn, anydesk …
    label: str
    first_ns: int
    last_ns: int
    sessions: int
    bytes_out: int
    bytes_in: int
    direction: str
    verdict: Verdict
    registered_id: str
    match: float  # 0-1, how well it fits the registered line
    verdict_ns: int = 0  # last session that earned the verdict

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class ObservedLines:
    """All lines seen, the one silent for longest forgotten first; tells which changed."""

    lines: dict[str, ObservedLine] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)

    def see(
        self, session: Session, name: str, verdict: Verdict, registered_id: str, match: float
    ) -> ObservedLine:
        """Add a session to its line."""
        outside = registered_id or name or network_of(session.peer)
        line_id = _line_id(session.device, outside, session.line)
        known = self.lines.pop(line_id, None)
        seen = ObservedLine(
            id=line_id,
            device_ip=session.device,
            device_mac=session.device_mac,
            outside=name or network_of(session.peer),
            peer_ip=session.peer,
            protocol=session.line,
            label=session.tool.label,
            first_ns=session.first_ns,
            last_ns=session.last_ns,
            sessions=session.count,
            bytes_out=session.bytes_out,
            bytes_in=session.bytes_in,
            direction=session.direction,
            verdict=verdict,
            registered_id=registered_id,
            match=round(match, 2),
            verdict_ns=session.last_ns,
        )
        if known is not None:
            if _outlasts(known, seen):
                seen = replace(seen, verdict=known.verdict, verdict_ns=known.verdict_ns)
            seen = replace(
                seen,
                first_ns=min(known.first_ns, seen.first_ns),
                last_ns=max(known.last_ns, seen.last_ns),
                sessions=known.sessions + seen.sessions,
                bytes_out=known.bytes_out + seen.bytes_out,
                bytes_in=known.bytes_in + seen.bytes_in,
            )
        self.lines[line_id] = seen
        self.changed[line_id] = None
        if len(self.lines) > MAX_LINES:
            forgotten = next(iter(self.lines))
            del self.lines[forgotten]
            self.changed.pop(forgotten, None)
        return seen

    def judge(self, registered_id: str, verdict: Verdict, at_ns: int) -> None:
        """Give the lines of a registered line a verdict that days of use earned."""
        for line_id, line in list(self.lines.items()):
            if line.registered_id != registered_id:
                continue
            seen = replace(line, verdict=verdict, verdict_ns=at_ns)
            if not _outlasts(line, seen):
                self.lines[line_id] = seen
                self.changed[line_id] = None

    def take_changed(self) -> list[ObservedLine]:
        """Lines that changed since the last call."""
        taken = [self.lines[i] for i in self.changed]
        self.changed = {}
        return taken


def _outlasts(known: ObservedLine, seen: ObservedLine) -> bool:
    """Does the verdict of an earlier session still stand?"""
    is_graver = _GRAVITY.index(known.verdict) > _GRAVITY.index(seen.verdict)
    return is_graver and seen.last_ns - known.verdict_ns <= _STAYS_NS


def _line_id(device: str, outside: str, protocol: str) -> str:
    return sha256(f"{device}\n{outside}\n{protocol}".encode()).hexdigest()[:12]
