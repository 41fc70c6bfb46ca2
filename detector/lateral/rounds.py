"""Rounds: one host does the same to many others, day after day, as management tools do."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

_DAY_NS: Final = 86_400_000_000_000
_WEEK_NS: Final = 7 * _DAY_NS
_MOST_ROUNDS: Final = 20_000
_MOST_TARGETS: Final = 2_000


@dataclass
class Round:
    """What one source does to others by one means; quiet for a week, it begins anew."""

    began_ns: int
    last_ns: int = 0
    targets: OrderedDict[str, int] = field(default_factory=OrderedDict)  # → when, of a week
    day: int = 0
    today: set[str] = field(default_factory=set)
    busiest: int = 0  # targets on its busiest day before today

    def note(self, target: str, now_ns: int) -> None:
        self.last_ns = now_ns
        self.targets.pop(target, None)
        self.targets[target] = now_ns
        while len(self.targets) > _MOST_TARGETS or (
            now_ns - next(iter(self.targets.values())) > _WEEK_NS
        ):
            self.targets.popitem(last=False)
        if now_ns // _DAY_NS != self.day:
            self.busiest = max(self.busiest, len(self.today))
            self.day, self.today = now_ns // _DAY_NS, set()
        if len(self.today) < _MOST_TARGETS:
            self.today.add(target)

    @property
    def reached(self) -> list[str]:
        """The targets of the last week, the latest first."""
        return list(reversed(self.targets))

    @property
    def is_burst(self) -> bool:
        """Today reaches thrice as many as ever before: no longer the round that people know."""
        return self.busiest > 0 and len(self.today) >= max(12, 3 * self.busiest)


class Rounds:
    """Rounds by source and means, the longest quiet forgotten first."""

    def __init__(self) -> None:
        self._rounds: OrderedDict[tuple[str, str], Round] = OrderedDict()

    def note(self, source: str, means: str, target: str, now_ns: int) -> Round:
        """Count a deed; returns the round that it belongs to."""
        known = self._rounds.get((source, means))
        if known is None or now_ns - known.last_ns > _WEEK_NS:
            known = self._rounds[source, means] = Round(now_ns)
        known.note(target, now_ns)
        self._rounds.move_to_end((source, means))
        while len(self._rounds) > _MOST_ROUNDS:
            self._rounds.popitem(last=False)
        return known
