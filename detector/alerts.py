"""Alerts: scored, de-duplicated findings with one identity a day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from detector.detection import Category, Detector, Finding, FlowKey
from detector.host import Host
from detector.hosts import HostTable
from detector.words import Text, spoken

Severity = Literal["critical", "high", "medium", "low", "info"]
State = Literal["new", "acknowledged", "true", "benign_explained", "false", "suppressed"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
STATES: tuple[State, ...] = (
    "new", "acknowledged", "true", "benign_explained", "false", "suppressed",
)  # fmt: skip
_MOST_TARGETS = 100
_MOST_FLOWS = 50
_SETTLED = Text(
    "同じ動きが 3 日以上続いているので、低く示しています。"
    "管理ツールの仕事と確かめたら承認してください。",
    "It has gone on for three days and more, so it is shown as low: once you know which tool does "
    "this, approve it.",
)


@dataclass(frozen=True)
class Party:
    """A host as an alert names it."""

    ip: str
    mac: str = ""
    name: str = ""
    role: str = "unknown"
    asset: str = ""  # lasting id of the machine, where its MAC tells it


@dataclass(frozen=True)
class Alert:
    """What happened, why it matters, what to do next; the same event always has the same id."""

    id: str
    detector: str
    variant: str
    category: Category
    techniques: tuple[str, ...]
    severity: Severity
    score: float
    confidence: float
    first_ns: int
    last_ns: int
    source: Party
    targets: tuple[Party, ...]
    title: Text
    why: Text
    next_step: Text
    facts: Mapping[str, Any] = field(default_factory=dict)
    line: str = ""
    app: str = ""
    flows: tuple[FlowKey, ...] = ()
    warmth: float = 1.0
    count: int = 1
    state: State = "new"
    state_reason: str = ""
    state_by: str = ""
    incident: str = ""

    def merge(self, later: Alert) -> Alert:
        """Take in a repetition: the span widens, the higher score and the newer words stay.

        Work that is repeated (the same capture replayed) adds nothing to the count.
        """
        stronger = later if later.score >= self.score else self
        targets = {t.ip: t for t in (*self.targets, *later.targets)}
        flows = dict.fromkeys((*self.flows, *later.flows))
        return replace(
            stronger,
            first_ns=min(self.first_ns, later.first_ns),
            last_ns=max(self.last_ns, later.last_ns),
            confidence=max(self.confidence, later.confidence),
            targets=tuple(targets.values())[:_MOST_TARGETS],
            flows=tuple(flows)[:_MOST_FLOWS],
            techniques=tuple(dict.fromkeys((*self.techniques, *later.techniques))),
            count=self.count + (later.count if later.last_ns > self.last_ns else 0),
            state=self.state,
            state_reason=self.state_reason,
            state_by=self.state_by,
            incident=self.incident,
        )

    def to_json(self) -> dict[str, Any]:
        """The stable object of the command line and the API (schema 1)."""
        return {
            "type": "alert",
            "schema": 1,
            "id": self.id,
            "detector": self.detector,
            "variant": self.variant,
            "category": self.category,
            "techniques": list(self.techniques),
            "severity": self.severity,
            "score": round(self.score, 1),
            "confidence": round(self.confidence, 2),
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "source": asdict(self.source),
            "targets": [asdict(t) for t in self.targets],
            "line": self.line,
            "app": self.app,
            "facts": dict(self.facts),
            "title": self.title.to_json(),
            "why": self.why.to_json(),
            "next_step": self.next_step.to_json(),
            "evidence": {"flows": [asdict(f) for f in self.flows], "warmth": self.warmth},
            "count": self.count,
            "state": self.state,
            "state_reason": self.state_reason,
            "state_by": self.state_by,
            "incident": self.incident,
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> Alert:
        """Read what `to_json` wrote."""
        return Alert(
            id=stored["id"],
            detector=stored["detector"],
            variant=stored["variant"],
            category=stored["category"],
            techniques=tuple(stored["techniques"]),
            severity=stored["severity"],
            score=stored["score"],
            confidence=stored["confidence"],
            first_ns=stored["first_ns"],
            last_ns=stored["last_ns"],
            source=Party(**stored["source"]),
            targets=tuple(Party(**t) for t in stored["targets"]),
            title=Text(**stored["title"]),
            why=Text(**stored["why"]),
            next_step=Text(**stored["next_step"]),
            facts=stored["facts"],
            line=stored["line"],
            app=stored["app"],
            flows=tuple(FlowKey(**f) for f in stored["evidence"]["flows"]),
            warmth=stored["evidence"]["warmth"],
            count=stored["count"],
            state=stored["state"],
            state_reason=stored["state_reason"],
            state_by=stored["state_by"],
            incident=stored["incident"],
        )


def severity_of(score: float) -> Severity:
    """Bands of `a = base · confidence · context` (0-100)."""
    for floor, severity in ((90, "critical"), (70, "high"), (50, "medium"), (25, "low")):
        if score >= floor:
            return severity  # type: ignore[return-value]
    return "info"


def alert_id(detector: str, subject: str, target: str, day: str) -> str:
    """Hash of detector, subject, object and day, so that repeating work changes nothing."""
    told = json.dumps([detector, subject, target, day]).encode()
    return hashlib.sha256(told).hexdigest()[:16]


def make_alert(detector: Detector, finding: Finding, hosts: HostTable) -> Alert:
    """Turn a finding into an alert, with the words and the names of the hosts filled in."""
    source = party(finding.source, hosts, finding.source_mac)
    addresses = [t for t in finding.targets if t]
    targets = tuple(party(t, hosts) for t in addresses[:_MOST_TARGETS])
    day = datetime.fromtimestamp(finding.first_ns / 1e9, UTC).strftime("%Y-%m-%d")
    target = finding.key or (addresses[0] if addresses else "")
    wording = detector.wordings[finding.variant]
    facts = {
        **{fact: spoken(fact, _named(value, hosts)) for fact, value in finding.facts.items()},
        "source": source.name or source.ip,
        "target": _target(finding, targets),
        "target_count": len(addresses),
    }
    why = wording.why.fill(facts)
    if finding.is_settled:
        why = Text(why.ja + _SETTLED.ja, f"{why.en} {_SETTLED.en}")
    return Alert(
        id=alert_id(f"{detector.id}/{finding.variant}", _subject(finding, hosts), target, day),
        detector=detector.id,
        variant=finding.variant,
        category=finding.category or detector.category,
        techniques=finding.techniques or detector.techniques,
        severity=severity_of(finding.score * finding.confidence),
        score=finding.score * finding.confidence,
        confidence=finding.confidence,
        first_ns=finding.first_ns,
        last_ns=finding.last_ns,
        source=source,
        targets=targets,
        title=wording.title.fill(facts),
        why=why,
        next_step=wording.next_step.fill(facts),
        facts=dict(finding.facts),
        line=finding.line,
        app=finding.app,
        flows=finding.flows[:_MOST_FLOWS],
        warmth=finding.warmth,
    )


def _subject(finding: Finding, hosts: HostTable) -> str:
    """Whom an alert's id names: the address, or the machine once that is more than an address."""
    try:
        host = hosts.at(finding.source)
    except ValueError:
        return finding.source
    return host.asset if host.has_moved and host.asset else finding.source


def _target(finding: Finding, targets: tuple[Party, ...]) -> str | Text:
    """The first target, and how many more where all of a round are one alert."""
    first = (targets[0].name or targets[0].ip) if targets else ""
    others = len(targets) - 1
    if not finding.is_round or others < 1:
        return first
    return Text(f"{first} ほか {others} 台", f"{first} and {others} more")


def _named(value: Any, hosts: HostTable) -> Any:
    """The host's name where a fact is the address of a host whose name is known."""
    return hosts.name_of(value) or value if isinstance(value, str) else value


def party(address: str, hosts: HostTable, mac: str = "") -> Party:
    """Name a host by address; a MAC or another name stands for itself."""
    try:
        host: Host = hosts.at(address)
    except ValueError:
        return Party(ip="", mac=address if ":" in address else mac, name=address)
    if hosts.is_nobody(host.number):
        return Party(address, mac)
    return Party(host.ip, mac or host.mac, host.name, host.role, host.asset)
