"""EX-1: evidence of a hidden outside line, fused from what a host leaks, says and does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from detector.detection import Detector, Finding, Window
from detector.lines.clues import Clue, EvidenceLedger, probability
from detector.lines.family_absence import find_absence
from detector.lines.family_change import Builds, find_changes
from detector.lines.family_clock import Clocks, find_clock_steps
from detector.lines.family_identity import Identities, find_identities
from detector.lines.family_inbound import Comings, find_comings
from detector.lines.family_leak import find_leaks
from detector.lines.family_names import find_names
from detector.lines.family_nat import Speakers, find_nat
from detector.lines.family_records import find_records
from detector.lines.family_router import find_routers
from detector.lines.family_router_v6 import find_routers_v6
from detector.lines.family_split import Splits, find_splits
from detector.lines.habits import Habits
from detector.lines.hidden_line_words import WORDINGS
from detector.lines.leases import Advertisers, Leases
from detector.lines.observability import Observability
from detector.lines.surroundings import Surroundings
from detector.words import Text


@dataclass
class HiddenLineMemory:
    """Evidence so far, and what the families share."""

    evidence: EvidenceLedger = field(default_factory=EvidenceLedger)
    around: Surroundings = field(default_factory=Surroundings)
    leases: Leases = field(default_factory=Leases)
    advertisers: Advertisers = field(default_factory=Advertisers)
    identities: Identities = field(default_factory=Identities)
    speakers: Speakers = field(default_factory=Speakers)
    habits: Habits = field(default_factory=Habits)
    builds: Builds = field(default_factory=Builds)
    clocks: Clocks = field(default_factory=Clocks)
    comings: Comings = field(default_factory=Comings)
    splits: Splits = field(default_factory=Splits)
    observability: Observability = field(default_factory=Observability)


ClueFinder = Callable[[Window, HiddenLineMemory], Iterator[Clue]]

#: One entry a family; a new family is one file and one line here. Routers come first, so that
#: the clients of one are not taken for hosts with a line of their own.
FAMILIES: Final[tuple[ClueFinder, ...]] = (
    lambda window, memory: find_routers(window, memory.around, memory.leases),
    lambda window, memory: find_routers_v6(window, memory.around, memory.advertisers),
    lambda window, memory: find_leaks(window, memory.around),
    lambda window, memory: find_names(window, memory.around),
    lambda window, memory: find_identities(window, memory.around, memory.identities),
    lambda window, memory: find_nat(window, memory.around, memory.speakers),
    lambda window, memory: find_absence(window, memory.around, memory.habits),
    lambda window, memory: find_splits(window, memory.around, memory.splits),
    lambda window, memory: find_changes(window, memory.builds),
    lambda window, memory: find_clock_steps(window, memory.around, memory.clocks),
    lambda window, memory: find_comings(window, memory.around, memory.comings),
    lambda window, memory: find_records(window, memory.around),
)


MOST_ROWS: Final = 200  # of the evidence that is shown


class HiddenLine(Detector):
    """A host has a line of its own to the outside, or is one: a phone, stick or router.

    Why it matters: such a line bypasses every firewall, and what comes in by it lands behind them.
    The line itself cannot be seen from the hospital's network; what can be seen are addresses that
    leak, names that tell of a second network card, and somebody who leases or routes.
    How: each sign has a weight, the log10 of how much likelier it is with a hidden line than
    without. The strongest of each family are added; they fade with a half-life of 7 days. A sum of
    3 is an even chance, 4 is 91 %, 5 is 99 %. Below 4, or where only one family speaks and none of
    its signs is wrong by itself, it goes no further than the digest.
    Nine families: leaked addresses, names, routers, identity (MAC, phone names), several machines
    behind one address, habits lost or names asked in vain, clock and system jumps, control that
    begins nowhere, records of other monitors. Each finding says what the sensor cannot see of that
    host's VLAN; a line that leaks nothing stays unseen.
    False alarms: known second network cards (CT or MR consoles; list them in the ledger), virtual
    machines, a network nobody has entered in the plan (five hosts showing it silence it).
    """

    id = "hidden_line"
    category = "external_line"
    techniques = ("T1200", "T1011", "T1133")
    wordings: ClassVar = WORDINGS

    digest_at: float = Field(default=3, ge=1, le=6, description="evidence sum for the digest")
    same_day_at: float = Field(default=4, ge=1, le=8, description="evidence sum for the same day")
    at_once_at: float = Field(default=5, ge=1, le=10, description="evidence sum for immediately")

    def remember(self) -> HiddenLineMemory:
        return HiddenLineMemory()

    def notes(self, memory: Any, now_ns: int) -> Mapping[str, Mapping[str, Any]]:
        """Evidence by host, weak signs included, and what can be seen of each VLAN."""
        ranked = sorted(
            ((memory.evidence.sum(host, now_ns), host) for host in memory.evidence.hosts),
            reverse=True,
        )
        rows = [
            _evidence_row(host, total, memory.evidence)
            for total, host in ranked[:MOST_ROWS] if total >= 0.5
        ]  # fmt: skip
        vlans = memory.observability.to_json(now_ns)
        return {"line_evidence": {"hosts": rows, "vlans": vlans, "at_ns": now_ns}}

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        memory.around.observe(window)
        memory.observability.observe(window)
        news: dict[str, list[Clue]] = {}
        for find_clues in FAMILIES:
            for clue in find_clues(window, memory):
                if memory.evidence.add(clue):
                    news.setdefault(clue.host, []).append(clue)
        for host in news:
            finding = self._judge(host, window, memory)
            if finding is not None:
                yield finding

    def _judge(self, host: str, window: Window, memory: HiddenLineMemory) -> Finding | None:
        evidence = memory.evidence
        clues = [c for c in evidence.hosts[host].clues.values() if not evidence.is_by_design(c)]
        if not clues:
            return None
        total = round(evidence.sum(host, window.end_ns), 2)  # fading within a window is no news
        families = {c.family for c in clues}
        may_rise = len(families) >= 2 or any(c.may_stand_alone for c in clues)
        if total < self.digest_at:
            return None
        score = 50.0
        if may_rise and total >= self.same_day_at:
            score = 80.0
        if may_rise and total >= self.at_once_at:
            score = 92.0
        blind = memory.observability.blind_spots(_vlan_of(host, window), window.end_ns)
        return _finding(host, sorted(clues, key=lambda c: -c.weight), total, score, blind)


def _evidence_row(host: str, total: float, evidence: EvidenceLedger) -> dict[str, Any]:
    """One host's signs in words, the heaviest first, and what would confirm them."""
    clues = sorted(evidence.hosts[host].clues.values(), key=lambda c: -c.weight)
    counted = [c for c in clues if not evidence.is_by_design(c)]
    return {
        "host": host,
        "sum": round(total, 2),
        "percent": min(99, round(probability(total) * 100)),
        "families": sorted({c.family for c in counted}),
        "signs": [
            {"family": c.family, "weight": c.weight, "time_ns": c.time_ns, "what": c.what.to_json()}
            for c in counted[:8]
        ],
        "confirm": counted[0].confirm.to_json() if counted else {"ja": "", "en": ""},
    }


def _vlan_of(host: str, window: Window) -> int:
    """The VLAN where a host was last seen; 0 for untagged, and for a bare MAC."""
    try:
        return window.hosts.at(host).vlan
    except ValueError:
        return 0


def _finding(host: str, clues: list[Clue], total: float, score: float, blind: Text) -> Finding:
    """Say the strongest sign first; all of them stand in the facts."""
    chance = probability(total)
    targets = dict.fromkeys(t for c in clues for t in c.targets)
    is_router = any(c.family == "router" for c in clues)
    facts: dict[str, Any] = {
        "host": host,
        "signs_ja": "。".join(c.what.ja for c in clues[:4]),
        "signs_en": "; ".join(c.what.en for c in clues[:4]),
        "confirm_ja": clues[0].confirm.ja,
        "confirm_en": clues[0].confirm.en,
        "percent": min(99, round(chance * 100)),
        "evidence_sum": round(total, 2),
        "families": sorted({c.family for c in clues}),
        "unseen_ja": blind.ja,
        "unseen_en": blind.en,
        "clues": [
            {
                "family": c.family, "signal": c.signal, "weight": c.weight, "time_ns": c.time_ns,
                "alone": c.may_stand_alone, **c.fields,
            }
            for c in clues
        ],
    }  # fmt: skip
    return Finding(
        source=host,
        targets=tuple(targets)[:20],
        score=score,
        confidence=min(0.95, max(0.5, chance)),
        first_ns=min(c.time_ns for c in clues),
        last_ns=max(c.time_ns for c in clues),
        facts=facts,
        variant="router" if is_router else "host",
        key="line",
        techniques=_techniques(clues),
        line=f"hidden line at {host}",
        source_mac=next((c.mac for c in clues if c.mac), ""),
        flows=tuple(k for c in clues for k in c.flows)[:10],
    )


def _techniques(clues: list[Clue]) -> tuple[str, ...]:
    leases = any("DHCP" in c.signal for c in clues if c.family == "router")
    advertises = any("IPv6" in c.signal or "prefix" in c.signal for c in clues)
    return (
        "T1200",
        *(("T1557.003",) if leases else ()),
        *(("T1557",) if advertises else ()),
        *(("T1011",) if any(c.family in ("leak", "names") for c in clues) else ()),
        "T1133",
    )
