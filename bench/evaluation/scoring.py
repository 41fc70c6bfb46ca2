"""Counts scenarios, not flows: who was told in time, what was missed, what was told for nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.evaluation.running import Run
from detector.alerts import Alert
from detector.incidents import Incident

_S: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _S
_BEFORE_NS, _AFTER_NS = (
    600 * _S,
    _DAY_NS,
)  # an alert belongs to a move from 10 min before to a day after
#: detection.md §7: 80 and more at once, 60 and more on the same day; the rest waits for the digest.
PUSHED, IMMEDIATE = 60.0, 80.0


@dataclass(frozen=True)
class Caught:
    """What became of one scenario in one run."""

    seed: int
    tier: str
    id: str
    is_attack: bool
    alerts: tuple[str, ...]  # loud ones, in the order in which they were told
    detectors: tuple[str, ...]
    first_told_ns: int  # 0 = never
    malicious_ns: int
    visible_ns: int  # 0 = this tier saw nothing of it
    impact_ns: int
    steps: tuple[tuple[str, str, float], ...]  # name, technique, seconds to detect (-1 = missed)

    @property
    def is_told(self) -> bool:
        return self.first_told_ns > 0

    @property
    def is_before_impact(self) -> bool:
        return self.is_told and (self.impact_ns == 0 or self.first_told_ns < self.impact_ns)

    @property
    def seconds_from_visible(self) -> float:
        return (
            (self.first_told_ns - self.visible_ns) / _S
            if self.is_told and self.visible_ns
            else -1.0
        )


@dataclass
class Score:
    """One run, scored."""

    run: Run
    caught: list[Caught] = field(default_factory=list)
    false_alerts: list[Alert] = field(default_factory=list)
    false_incidents: list[Incident] = field(default_factory=list)
    pushed: int = 0  # incidents after warm-up, true and false
    true_pushed: int = 0

    @property
    def test_days(self) -> float:
        return float(self.run.truth["days"] - self.run.truth["warm_days"])

    def per_day(self, count: float) -> float:
        """A day and 1,000 hosts."""
        return float(count / self.test_days / (self.run.truth["hosts"] / 1000))


def score(run: Run) -> Score:
    """Attribute every alert after warm-up to a scenario or to nothing."""
    told = Score(run)
    loud = {i: run.alerts[i] for i in run.told_ns}
    owned: set[str] = set()
    for scenario in run.truth["scenarios"]:
        caught, mine = _caught(run, scenario, loud)
        told.caught.append(caught)
        if scenario["is_attack"]:
            owned |= mine
    warm_ns = run.truth["warm_ns"]
    told.false_alerts = [a for i, a in loud.items() if i not in owned and run.told_ns[i] >= warm_ns]
    for incident in run.incidents:
        if incident.last_ns < warm_ns or incident.priority < PUSHED:
            continue
        told.pushed += 1
        if owned & set(incident.alert_ids):
            told.true_pushed += 1
        else:
            told.false_incidents.append(incident)
    return told


def _caught(run: Run, scenario: dict[str, Any], loud: dict[str, Alert]) -> tuple[Caught, set[str]]:
    steps, mine = scenario["steps"], set[str]()
    seconds: list[tuple[str, str, float]] = []
    controlled: dict[str, int] = {}  # address → since when it is the attacker's
    for step in steps:
        for actor in step["actors"]:
            controlled.setdefault(actor, step["start_ns"])
    last_ns = max((s["end_ns"] for s in steps), default=0)
    for i, alert in loud.items():
        source = {alert.source.ip, alert.source.mac, alert.source.name} - {""}
        parties = source | {t.ip for t in alert.targets}
        is_line = bool(scenario["line"]) and alert.line == scenario["line"]
        for actor, since_ns in controlled.items():
            in_time = (
                alert.last_ns >= since_ns - _BEFORE_NS and alert.first_ns <= last_ns + _AFTER_NS
            )
            # Who was attacked is not yet who attacks: the source must be the attacker's, or the
            # alert names the attacker among few.
            named = actor in source or (actor in parties and len(parties) <= 4)
            if in_time and (named or is_line) and run.told_ns[i] >= since_ns:
                mine.add(i)
    for step in steps:
        seconds.append((step["name"], step["technique"], _seconds(run, step, mine)))
    visible = [s["visible_ns"][run.tier] for s in steps if run.tier in s["visible_ns"]]
    # Of those told in one window the strongest comes first, whatever order a set has.
    ordered = sorted(mine, key=lambda i: (run.told_ns[i], -run.alerts[i].score, i))
    return Caught(
        run.truth["seed"],
        run.tier,
        scenario["id"],
        scenario["is_attack"],
        tuple(ordered),
        tuple(dict.fromkeys(run.alerts[i].detector for i in ordered)),
        run.told_ns[ordered[0]] if ordered else 0,
        steps[0]["start_ns"] if steps else 0,
        min(visible, default=0),
        scenario["impact_ns"],
        tuple(seconds),
    ), mine


def _seconds(run: Run, step: dict[str, Any], mine: Iterable[str]) -> float:
    """From a move's first visible packet to the first alert that speaks of its actor then."""
    seen_ns = step["visible_ns"].get(run.tier, 0)
    if not seen_ns:
        return -2.0  # this tier could not see it
    told = [
        run.told_ns[i]
        for i in mine
        if run.told_ns[i] >= seen_ns
        and {
            run.alerts[i].source.ip,
            run.alerts[i].source.mac,
            *(t.ip for t in run.alerts[i].targets),
        }
        & {*step["actors"]}
        and run.told_ns[i] <= step["end_ns"] + 3600 * _S
        and _speaks_of(run.alerts[i], step)
    ]
    return (min(told) - seen_ns) / _S if told else -1.0


def _speaks_of(alert: Alert, step: dict[str, Any]) -> bool:
    """The same technique (up to its parent), or the same target."""
    parents = {t.split(".")[0] for t in alert.techniques}
    if step["technique"].split(".")[0] in parents:
        return True
    return bool({t.ip for t in alert.targets} & {*step["targets"]})


def without(caught: Sequence[Caught], runs: dict[tuple[int, str], Run], detector: str) -> int:
    """How many attacks would still be told if this detector did not exist."""
    return sum(
        any(runs[c.seed, c.tier].alerts[i].detector != detector for i in c.alerts)
        for c in caught
        if c.is_attack
    )


def noisiest(scores: Sequence[Score]) -> list[tuple[str, int, float]]:
    """(detector/variant, false loud alerts, a day and 1,000 hosts), loudest first."""
    counts: Counter[str] = Counter()
    for told in scores:
        counts.update(f"{a.detector}/{a.variant or '-'}" for a in told.false_alerts)
    days = sum(s.test_days * s.run.truth["hosts"] / 1000 for s in scores) or 1.0
    return [(name, n, n / days) for name, n in counts.most_common()]


def recall_by_technique(scores: Sequence[Score]) -> dict[str, tuple[int, int, int]]:
    """technique → (told, visible, all) moves."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for told in scores:
        for caught in told.caught:
            for _, technique, seconds in caught.steps if caught.is_attack else ():
                row = counts[technique]
                row[0] += seconds >= 0
                row[1] += seconds > -2
                row[2] += 1
    return {t: (n[0], n[1], n[2]) for t, n in sorted(counts.items())}
