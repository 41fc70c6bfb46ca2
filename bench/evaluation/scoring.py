"""Counts scenarios, not flows: who was told in time, what was missed, what was told for nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.evaluation.clocks import encryption_seconds, landing_seconds
from bench.evaluation.running import Run
from detector.alerts import Alert
from detector.budget import BudgetSettings
from detector.incidents import Incident

_S: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _S
_BEFORE_NS, _AFTER_NS = (
    600 * _S,
    _DAY_NS,
)  # an alert belongs to a move from 10 min before to a day after
#: detection.md §7: 80 and more at once, 60 and more on the same day; the rest waits for the digest.
PUSHED, IMMEDIATE = 60.0, 80.0
_BUDGET_A_DAY: Final = BudgetSettings().pushed_a_day


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
    landing_s: tuple[float, ...] = ()  # LM-6(a), see `clocks`
    encryption_s: tuple[float, ...] = ()  # LM-7

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
    affordable: int = 0  # how many of the most urgent incidents the alert budget holds
    true_affordable: int = 0
    quiet_days: int = 0  # after warm-up, on which no attack moves
    quiet_pushed: int = 0  # incidents pushed that began on these
    quiet_critical: int = 0  # of these, immediate or critical

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
        # What was pushed while learning and went on by low alerts is not pushed again.
        speaks = incident.first_ns >= warm_ns or any(
            run.alerts[i].last_ns >= warm_ns for i in incident.alert_ids if i in loud
        )
        if not speaks or incident.priority < PUSHED:
            continue
        told.pushed += 1
        if owned & set(incident.alert_ids):
            told.true_pushed += 1
        else:
            told.false_incidents.append(incident)
    _afford(told, owned)
    _quiet(told)
    return told


def _afford(told: Score, owned: set[str]) -> None:
    """Precision at budget: of the most urgent incidents, as many as people are asked to look at."""
    run = told.run
    told.affordable = max(1, round(_BUDGET_A_DAY * told.test_days * run.truth["hosts"] / 1000))
    late = [i for i in run.incidents if i.last_ns >= run.truth["warm_ns"]]
    first = sorted(late, key=lambda i: -i.priority)[: told.affordable]
    told.affordable = len(first)
    told.true_affordable = sum(bool(owned & set(i.alert_ids)) for i in first)


def _quiet(told: Score) -> None:
    """What is pushed on days without an attack."""
    truth = told.run.truth
    moves = [s for sc in truth["scenarios"] if sc["is_attack"] for s in sc["steps"]]
    for start in range(truth["warm_ns"], truth["last_ns"], _DAY_NS):
        end = start + _DAY_NS
        if any(m["start_ns"] < end and m["end_ns"] >= start for m in moves):
            continue
        told.quiet_days += 1
        began = [
            i for i in told.run.incidents if start <= i.first_ns < end and i.priority >= PUSHED
        ]
        told.quiet_pushed += len(began)
        told.quiet_critical += sum(
            i.priority >= IMMEDIATE or i.severity == "critical" for i in began
        )


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
        tuple(landing_seconds(run, scenario, mine)) if scenario["is_attack"] else (),
        tuple(encryption_seconds(run, scenario, mine)) if scenario["is_attack"] else (),
    ), mine


def _seconds(run: Run, step: dict[str, Any], mine: Iterable[str]) -> float:
    """From a move's first visible packet to the first alert that speaks of its actor then."""
    seen_ns = step["visible_ns"].get(run.tier, 0)
    if not seen_ns:
        return -2.0  # this tier could not see it
    told = [
        when
        for i in mine
        for when in _words_on(run, run.alerts[i], step)
        if seen_ns <= when <= step["end_ns"] + 3600 * _S
    ]
    return (min(told) - seen_ns) / _S if told else -1.0


def _words_on(run: Run, alert: Alert, step: dict[str, Any]) -> list[int]:
    """When an alert that names the move's actor spoke: at first, and of each of its targets."""
    parties = {alert.source.ip, alert.source.mac, *(t.ip for t in alert.targets)}
    if not parties & {*step["actors"]}:
        return []
    targets = {t.ip for t in alert.targets} & {*step["targets"]}
    words = [run.named_ns[alert.id, target] for target in targets]
    # The same technique (up to its parent), or the same target.
    if targets or step["technique"].split(".")[0] in {t.split(".")[0] for t in alert.techniques}:
        words.append(run.told_ns[alert.id])
    return words


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
