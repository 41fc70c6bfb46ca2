"""EX-1's evidence: clues by family, weighed, added up, and fading with a half-life of a week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from detector.detection import FlowKey
from detector.words import Text

Family = Literal[
    "leak", "names", "router", "identity", "nat", "absence", "clock", "inbound", "records"
]

DAY_NS: Final = 86_400_000_000_000
HALF_LIFE_NS: Final = 7 * DAY_NS
PRIOR: Final = -3.0  # one host in a thousand has a hidden line (log10 odds)
MAX_HOSTS: Final = 20_000
MAX_SIGNALS: Final = 40
#: A foreign network that this many hosts show within three days is a plan nobody entered.
VETO_HOSTS: Final = 5
_VETO_NS: Final = 3 * DAY_NS


@dataclass(frozen=True)
class Clue:
    """One sign that a host has, or is, a line of its own.

    `may_stand_alone` marks signs that are wrong by themselves; others need a second family before
    anyone is called. `shared` names what other hosts would show too if it were by design.
    """

    host: str  # address, or MAC where none is known
    family: Family
    signal: str
    weight: float  # log10 of how much likelier it is with a hidden line than without
    time_ns: int
    what: Text
    confirm: Text
    mac: str = ""
    may_stand_alone: bool = False
    shared: str = ""
    targets: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    flows: tuple[FlowKey, ...] = ()


@dataclass
class HostEvidence:
    """All clues about one host: the strongest of each (family, signal)."""

    clues: dict[tuple[Family, str], Clue] = field(default_factory=dict)

    def add(self, clue: Clue) -> bool:
        """Keep the clue; True if it tells something new."""
        place = (clue.family, clue.signal)
        known = self.clues.get(place)
        if known is None and len(self.clues) >= MAX_SIGNALS:
            return False
        self.clues[place] = clue if known is None or clue.weight >= known.weight else known
        return known is None or clue.weight > known.weight or clue.time_ns - known.time_ns > DAY_NS

    def families(self, now_ns: int) -> dict[Family, float]:
        """The strongest weight of each family as it stands now."""
        strongest: dict[Family, float] = {}
        for (family, _), clue in self.clues.items():
            weight = clue.weight * 0.5 ** (max(0, now_ns - clue.time_ns) / HALF_LIFE_NS)
            strongest[family] = max(strongest.get(family, 0.0), weight)
        return strongest


@dataclass
class EvidenceLedger:
    """Evidence by host, the host least lately seen forgotten first."""

    hosts: dict[str, HostEvidence] = field(default_factory=dict)
    shared: dict[str, dict[str, int]] = field(default_factory=dict)  # what → host → time

    def add(self, clue: Clue) -> bool:
        """Write a clue down; True if it tells something new."""
        evidence = self.hosts.pop(clue.host, None) or HostEvidence()
        self.hosts[clue.host] = evidence
        if len(self.hosts) > MAX_HOSTS:
            self.hosts.pop(next(iter(self.hosts)))
        if clue.shared:
            showing = self.shared.setdefault(clue.shared, {})
            if clue.host in showing or len(showing) < 10 * VETO_HOSTS:
                showing[clue.host] = clue.time_ns
            if len(self.shared) > MAX_HOSTS:
                self.shared.pop(next(iter(self.shared)))
        return evidence.add(clue)

    def is_by_design(self, clue: Clue) -> bool:
        """Peer veto: so many hosts show the same that it is a rollout or an unlisted network."""
        showing = self.shared.get(clue.shared, {})
        lately = [t for t in showing.values() if clue.time_ns - t < _VETO_NS]
        return len(lately) >= VETO_HOSTS

    def sum(self, host: str, now_ns: int) -> float:
        """Weights added over families, those by design left out."""
        evidence = self.hosts.get(host)
        if evidence is None:
            return 0.0
        counted = {p: c for p, c in evidence.clues.items() if not self.is_by_design(c)}
        return sum(HostEvidence(counted).families(now_ns).values())


def probability(evidence_sum: float) -> float:
    """Of a hidden line, after the prior: a sum of 3 makes it even, 5 makes it 99 %."""
    odds = 10 ** (PRIOR + evidence_sum)
    return float(odds / (1 + odds))
