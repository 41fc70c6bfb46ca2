"""The scoreboard's head: what was aimed at, what was reached, and how sure the counts are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.evaluation.clocks import ENCRYPTION_LIMIT_S, LANDING_LIMIT_S, LEASING_LIMIT_S
from bench.evaluation.counting import percentile, share_text, span
from bench.evaluation.roles import RolePairs, by_role, macro_f1
from bench.evaluation.scoring import IMMEDIATE, Caught, Score


def limits(tiers: Sequence[tuple[str, Sequence[Score]]]) -> list[str]:
    """The table of limits, one column a tier."""
    facts = [tier_json(told) for _, told in tiers]
    rows = [
        "## Against the limits",
        "",
        "Shares with their 95 % interval (Wilson): counts this small prove little. Times are event "
        "time from the first packet that the tier could see.",
        "",
        "| | limit | " + " | ".join(tier for tier, _ in tiers) + " |",
        "|---" * (len(tiers) + 2) + "|",
    ]
    for what, limit, name in (
        ("S1-S3 told before encryption", "≥ 95 %", "before_encryption"),
        ("attacks told", "-", "attacks"),
        ("beyond a landing host, LM-6(a)", "≤ 2 min", "landing"),
        ("encryption of files, LM-7", "≤ 30 s", "encryption"),
        ("S6, S7", "≤ 10 min", "leasing"),
        ("time to an attack's first alert, median and p90", "-", "times"),
        ("precision at budget: true of the most urgent 3 a day and 1,000 hosts", "-", "precision"),
        ("pushed incidents a day and 1,000 hosts, days without an attack", "≤ 3", "quiet"),
        ("immediate or critical of these", "0", "quiet_critical"),
        ("pushed incidents a day and 1,000 hosts, all days (true ones)", "-", "pushed"),
        ("immediate and false, all days", "0", "false_immediate"),
        ("false loud alerts a day and 1,000 hosts", "-", "false_a_day"),
        ("alerts in the largest incident", "-", "largest_incident"),
        ("roles by behaviour alone, macro-F1", "≥ 0.90", "macro_f1"),
    ):
        rows.append(f"| {what} | {limit} | " + " | ".join(_cell(f, name) for f in facts) + " |")
    rows += [
        "",
        "An incident counts as true when any of its alerts belongs to an attack: where the largest "
        "incident holds most alerts, pushed incidents and their precision mean little, and the "
        "false loud alerts are the honest number.",
    ]
    return [*rows, ""]


def role_table(tiers: Sequence[tuple[str, Sequence[Score]]]) -> list[str]:
    """What was inferred of the machines of each role (first tier)."""
    tier, told = tiers[0]
    pairs = _pairs(told)
    rows = [
        f"## Roles ({tier})",
        "",
        "Inferred from behaviour alone, as if there were no ledger; machines that the tier heard "
        "of. Servers of the charts, of pharmacy, backup, bastion and scanner count as servers, "
        "administrators' PCs as terminals.",
        "",
        "| role | machines | taken for it | rightly | F1 | else taken for |",
        "|---|---|---|---|---|---|",
    ]
    for role, (there, called, right, f1) in by_role(pairs).items():
        others = Counter({said or "nothing": n for (t, said), n in pairs.items() if t == role})
        del others[role]
        else_for = ", ".join(f"{said} {n}" for said, n in others.most_common())
        rows.append(f"| {role} | {there} | {called} | {right} | {f1:.2f} | {else_for or '-'} |")
    return [*rows, ""]


def tier_json(told: Sequence[Score]) -> dict[str, Any]:
    """A tier's numbers over its hospitals; seconds, -1 = never told."""
    attacks = [c for s in told for c in s.caught if c.is_attack]
    grave = [c for c in attacks if c.id in ("S1", "S2", "S3")]
    days = sum(s.test_days * s.run.truth["hosts"] / 1000 for s in told) or 1.0
    quiet_days = sum(s.quiet_days * s.run.truth["hosts"] / 1000 for s in told) or 1.0
    return {
        "attacks": len(attacks),
        "told": sum(c.is_told for c in attacks),
        "ransomware": len(grave),
        "before_encryption": sum(c.is_before_impact for c in grave),
        "seconds": [c.seconds_from_visible for c in attacks if c.seconds_from_visible >= 0],
        "landing_s": [t for c in attacks for t in c.landing_s],
        "encryption_s": [t for c in attacks for t in c.encryption_s],
        "leasing_s": [t for c in attacks if c.id in ("S6", "S7") for t in _leasing(c)],
        "pushed": sum(s.pushed for s in told),
        "true_pushed": sum(s.true_pushed for s in told),
        "affordable": sum(s.affordable for s in told),
        "true_affordable": sum(s.true_affordable for s in told),
        "pushed_a_day": sum(s.pushed for s in told) / days,
        "true_pushed_a_day": sum(s.true_pushed for s in told) / days,
        "quiet_days": sum(s.quiet_days for s in told),
        "quiet_pushed": sum(s.quiet_pushed for s in told),
        "quiet_pushed_a_day": sum(s.quiet_pushed for s in told) / quiet_days,
        "quiet_critical": sum(s.quiet_critical for s in told),
        "false_a_day": sum(len(s.false_alerts) for s in told) / days,
        "largest_incident": max(
            (len(i.alert_ids) for s in told for i in s.run.incidents), default=0
        ),
        "false_immediate": sum(i.priority >= IMMEDIATE for s in told for i in s.false_incidents),
        "macro_f1": macro_f1(_pairs(told)),
    }


def _leasing(caught: Caught) -> list[float]:
    return [caught.seconds_from_visible] if caught.visible_ns else []


def _pairs(told: Sequence[Score]) -> RolePairs:
    pairs: RolePairs = Counter()
    for score in told:
        pairs.update(score.run.roles)
    return pairs


def _cell(facts: dict[str, Any], name: str) -> str:
    match name:
        case "before_encryption":
            return share_text(facts["before_encryption"], facts["ransomware"])
        case "attacks":
            return share_text(facts["told"], facts["attacks"])
        case "landing":
            return _within(facts["landing_s"], LANDING_LIMIT_S)
        case "encryption":
            return _within(facts["encryption_s"], ENCRYPTION_LIMIT_S)
        case "leasing":
            return _within(facts["leasing_s"], LEASING_LIMIT_S)
        case "times":
            seconds = facts["seconds"]
            if not seconds:
                return "-"
            return f"{span(median(seconds))}, {span(percentile(seconds, 0.9))}"
        case "precision":
            return share_text(facts["true_affordable"], facts["affordable"])
        case "pushed":
            return f"{facts['pushed_a_day']:.2f} ({facts['true_pushed_a_day']:.2f})"
        case "quiet":
            days = facts["quiet_days"]
            return f"{facts['quiet_pushed_a_day']:.2f}, in {days} d" if days else "-"
        case "false_a_day":
            return f"{facts[name]:.1f}"
        case "macro_f1":
            return f"{facts[name]:.2f}" if facts[name] >= 0 else "-"
        case _:
            return f"{facts[name]:,}"


def _within(seconds: Sequence[float], limit_s: float) -> str:
    """`4/5 (38 to 96 %), told ones by 37 s`."""
    told = [t for t in seconds if t >= 0]
    share = share_text(sum(t <= limit_s for t in told), len(seconds))
    return f"{share}, slowest {span(max(told))}" if told else share
