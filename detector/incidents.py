"""Incidents: alerts that share a host or a line, told in the order of an intrusion."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from detector.alerts import Alert, Party, Severity, severity_of
from detector.detection import Category
from detector.hard_rules import is_hard

_HOUR_NS = 3_600_000_000_000
_LINK_NS = 72 * _HOUR_NS  # alerts on one host
_LINE_LINK_NS = 30 * 24 * _HOUR_NS  # alerts on one outside line
_FADE_NS = 72 * _HOUR_NS  # what an alert adds to the risk fades with this time constant
_SPAN_NS = 14 * 24 * _HOUR_NS  # an incident that no line joins
_BRIDGES = 50.0  # score from which an alert joins others
_STAGE_NS = 7 * 24 * _HOUR_NS  # how long a stage counts as one that an intrusion came from
_OTHER_MONITORS = "ids_alert"
_ECHO_NS = 24 * _HOUR_NS
_HUB_SOURCES = 4  # sources told against one target that make it a hub

#: How soon a person must look.
Push = Literal["immediate", "same_day", "digest"]
PUSHES: Final[tuple[Push, ...]] = ("immediate", "same_day", "digest")
#: Verdicts that take an alert out of its incident's priority.
SETTLED = frozenset({"suppressed", "false", "benign_explained"})

#: Order of an intrusion; later stages weigh more.
STAGES: tuple[Category, ...] = (
    "health", "policy", "asset", "external_line", "remote_access", "reconnaissance",
    "credential_access", "lateral_movement", "command_and_control", "exfiltration", "impact",
)  # fmt: skip


@dataclass(frozen=True)
class Incident:
    """Alerts that belong together; `priority` ranks it for care."""

    id: str
    alert_ids: tuple[str, ...]
    hosts: tuple[str, ...]
    lines: tuple[str, ...]
    first_ns: int
    last_ns: int
    stages: tuple[Category, ...]
    techniques: tuple[str, ...]
    severity: Severity
    priority: float
    push: Push = "digest"  # how soon a person must look
    state: str = "open"  # open, closed
    owner: str = ""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "incident",
            "schema": 1,
            **{k: list(v) if isinstance(v, tuple) else v for k, v in self.__dict__.items()},
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> Incident:
        kept: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v
            for k, v in stored.items()
            if k not in ("type", "schema")
        }
        return Incident(**kept)

    def close(self, by: str, note: str) -> Incident:
        """The incident, closed by a person with a reason."""
        return replace(self, state="closed", owner=by, note=note)


def join_alerts(
    alerts: Sequence[Alert],
    impact_of: Mapping[str, float],
    weigh: Callable[[Alert], float] | None = None,
) -> list[Incident]:
    """Join alerts that share a host within 72 h or a line within 30 d (connected components).

    `impact_of` gives the care impact of an address (0.6-1.2), `weigh` what an alert counts
    (default: its score). Alerts below low score stay alone unless something stronger shares their
    host: they join their source's own incident and bridge nothing. A target joins only where few
    sources are told against it (a server that many tools reach would chain the whole hospital), and
    an incident without a line spans two weeks at most. The id is that of the earliest alert.
    What is low of one source in one stage is one doubt, however many detectors share it, and only
    what joins others makes another stage of an intrusion.
    Suppressed alerts join nothing; what people called false or explained stays in the story and
    adds nothing to the priority.
    """
    return Joiner().join(alerts, impact_of, weigh)


@dataclass(frozen=True)
class _Made:
    """An incident, and all that it was made of."""

    alerts: list[Alert]
    weights: list[float]
    impacts: list[float | None]
    incident: Incident


class Joiner:
    """Joins ever more alerts (`join_alerts`); an incident of which nothing changed stays."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}  # by the id of its first alert

    def join(
        self,
        alerts: Sequence[Alert],
        impact_of: Mapping[str, float],
        weigh: Callable[[Alert], float] | None = None,
    ) -> list[Incident]:
        """What `join_alerts` returns, without making anew what is as it was."""
        made = {}
        for group in _groups(alerts):
            weights = [a.score if weigh is None else weigh(a) for a in group]
            impacts = [impact_of.get(p.ip) for a in group for p in (a.source, *a.targets[:5])]
            known = self._made.get(group[0].id)
            if known is None or not (
                known.alerts == group  # mostly the same objects, which costs nothing
                and known.weights == weights
                and known.impacts == impacts
            ):
                known = _Made(group, weights, impacts, _incident(group, impact_of, weights))
            made[group[0].id] = known
        self._made = made
        return sorted((m.incident for m in made.values()), key=urgency)


def _groups(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """The alerts of each incident, in order of time."""
    alerts = _with_machines([a for a in alerts if a.state != "suppressed"])
    ordered = sorted(alerts, key=lambda a: (a.first_ns, a.id))
    root = list(range(len(ordered)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    hubs = _hubs(ordered)
    latest: dict[tuple[str, str], int] = {}
    for i, alert in enumerate(ordered):
        if alert.score < _BRIDGES:
            continue
        for link, reach_ns in _links(alert, hubs):
            before = latest.get(link)
            if before is not None and alert.first_ns - ordered[before].last_ns <= reach_ns:
                older, newer = sorted((find(before), find(i)))
                is_long = alert.first_ns - ordered[older].first_ns > _SPAN_NS
                if link[0] == "line" or not is_long:
                    root[newer] = older
            latest[link] = i
    weak: dict[str, int] = {}
    for i, alert in enumerate(ordered):
        link = ("host", _source_of(alert))
        if alert.score >= _BRIDGES:
            weak[link[1]] = i
            continue
        # To the host's latest grave incident; else to what else is weak there.
        before = weak.get(link[1], latest.get(link))
        if before is not None and abs(alert.first_ns - ordered[before].last_ns) <= _LINK_NS:
            older, newer = sorted((find(before), find(i)))
            if ordered[newer].first_ns - ordered[older].first_ns <= _SPAN_NS:
                root[newer] = older
        weak[link[1]] = i if before is None else weak.get(link[1], i)
    groups: dict[int, list[Alert]] = {}
    for i, alert in enumerate(ordered):
        groups.setdefault(find(i), []).append(alert)
    return list(groups.values())


def _with_machines(alerts: list[Alert]) -> list[Alert]:
    """Alerts told before a machine's MAC was known are the machine's whose the address was."""
    machines: dict[str, set[str]] = {}
    for alert in alerts:
        for party in (alert.source, *alert.targets):
            if party.asset:
                machines.setdefault(party.ip, set()).add(party.asset)
    only = {ip: next(iter(assets)) for ip, assets in machines.items() if len(assets) == 1}

    def is_late(party: Party) -> bool:
        return not party.asset and party.ip in only

    def named(party: Party) -> Party:
        return replace(party, asset=only[party.ip]) if is_late(party) else party

    return [
        replace(a, source=named(a.source), targets=tuple(named(t) for t in a.targets))
        if is_late(a.source) or any(map(is_late, a.targets))
        else a
        for a in alerts
    ]


def _host(party: Party) -> str:
    """What joins alerts of one host: the machine where it is known, else the address."""
    return party.asset or party.ip or party.mac or party.name


def _source_of(alert: Alert) -> str:
    return _host(alert.source)


def _hubs(alerts: Sequence[Alert]) -> set[str]:
    """Targets that several sources are told against."""
    sources: dict[str, set[str]] = {}
    for alert in alerts:
        for target in alert.targets[:5]:
            known = sources.setdefault(_host(target), set())
            if len(known) < _HUB_SOURCES:
                known.add(_source_of(alert))
    return {host for host, known in sources.items() if len(known) >= _HUB_SOURCES}


def _links(alert: Alert, hubs: set[str]) -> list[tuple[tuple[str, str], int]]:
    """What an alert can be joined by. Outside hosts join nothing: half the world shares a CDN."""
    links = [(("host", _source_of(alert)), _LINK_NS)]
    spreads = alert.category in ("lateral_movement", "credential_access", "impact")
    # A scan's or a spray's hundred targets would chain the whole hospital together.
    if spreads and len(alert.targets) <= 5:
        targets = [_host(t) for t in alert.targets if t.ip]
        links += [(("host", t), _LINK_NS) for t in targets if t not in hubs]
    if alert.line:
        links.append((("line", alert.line), _LINE_LINK_NS))
    return links


def _echoes(alerts: Sequence[Alert]) -> dict[str, Alert]:
    """What another monitor told of two hosts for whom we told something: its id → our alert.

    It is evidence in the story; two devices that see one thing within a day are not two things,
    and the graver word of the two counts.
    """
    if all(alert.detector != _OTHER_MONITORS for alert in alerts):
        return {}
    own: dict[frozenset[str], list[Alert]] = {}
    for alert in alerts:
        if alert.detector != _OTHER_MONITORS:
            for pair in _pairs(alert):
                own.setdefault(pair, []).append(alert)
    echoes: dict[str, Alert] = {}
    for alert in alerts:
        if alert.detector == _OTHER_MONITORS:
            same = [o for pair in _pairs(alert) for o in own.get(pair, ())]
            same = [o for o in same if abs(o.last_ns - alert.last_ns) <= _ECHO_NS]
            if same:
                echoes[alert.id] = max(same, key=lambda o: (o.score, o.id))
    return echoes


def _voice(alert: Alert) -> str | tuple[str, str]:
    """Whose word it is. What is low of one source in one stage is one deed seen several times."""
    return alert.detector if alert.score >= _BRIDGES else (_source_of(alert), alert.category)


def _pairs(alert: Alert) -> set[frozenset[str]]:
    return {frozenset((_source_of(alert), _host(target))) for target in alert.targets}


def urgency(incident: Incident) -> tuple[int, float]:
    """What comes first: how soon a person must look, then the priority."""
    return PUSHES.index(incident.push), -incident.priority


def push_of(priority: float, gravest: float, alerts: Sequence[Alert]) -> Push:
    """By priority, and never later than the gravest alert's own weight asks; hard rules at once."""
    if priority >= 80 or gravest >= 90 or any(is_hard(a) for a in alerts):
        return "immediate"
    return "same_day" if priority >= 60 or gravest >= 70 else "digest"


def _incident(
    alerts: list[Alert], impact_of: Mapping[str, float], weights: list[float]
) -> Incident:
    last_ns = max(a.last_ns for a in alerts)
    counted = [a for a in alerts if a.state not in SETTLED]
    echoes = _echoes(counted)
    weight = {a.id: weight for a, weight in zip(alerts, weights, strict=True)}
    strongest: dict[str | tuple[str, str], float] = {}
    for alert in counted:
        score = weight[alert.id] * math.exp((alert.last_ns - last_ns) / _FADE_NS)
        voice = _voice(echoes.get(alert.id, alert))
        strongest[voice] = max(strongest.get(voice, 0.0), score)
    gravest = max(strongest.values(), default=0.0)
    calm = 1.0
    for score in strongest.values():
        calm *= 1 - min(score, 99.9) / 100
    stages = tuple(s for s in STAGES if any(a.category == s for a in alerts))
    told = {
        a.category
        for a in counted
        if a.id not in echoes and a.score >= _BRIDGES and last_ns - a.last_ns <= _STAGE_NS
    }
    grave = [s for s in stages if s in told and STAGES.index(s) >= STAGES.index("external_line")]
    hosts = tuple(
        dict.fromkeys(
            p.ip or p.mac
            for a in alerts
            for p in (a.source, *a.targets[:5])
            if (p.ip or p.mac) and (p is a.source or p.ip in impact_of)
        )
    )
    impact = max((impact_of.get(h, 0.6) for h in hosts), default=0.6)
    risk = 100 * (1 - calm)
    priority = round(min(100.0, risk * impact + 15 * max(0, len(grave) - 1)), 1)
    return Incident(
        id="i" + hashlib.sha256(alerts[0].id.encode()).hexdigest()[:12],
        alert_ids=tuple(a.id for a in alerts),
        hosts=hosts,
        lines=tuple(dict.fromkeys(a.line for a in alerts if a.line)),
        first_ns=min(a.first_ns for a in alerts),
        last_ns=last_ns,
        stages=stages,
        techniques=tuple(dict.fromkeys(t for a in alerts for t in a.techniques)),
        severity=severity_of(max(a.score for a in alerts)),
        priority=priority,
        push=push_of(priority, gravest, counted),
    )
