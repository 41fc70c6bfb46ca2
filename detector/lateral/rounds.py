"""Rounds: one host does the same to many others, day after day, as management tools do."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_DAY_NS: Final = 86_400_000_000_000
_WEEK_NS: Final = 7 * _DAY_NS
_MOST_ROUNDS: Final = 20_000
_MOST_TARGETS: Final = 2_000
_MOST_DEEDS: Final = 500
#: Days on which a deed was done, and told, before it is taken for the source's work.
_SETTLED_DAYS: Final = 3
_SETTLED_WEIGHT: Final = 0.5


@dataclass
class Round:
    """What one source does to others by one means; quiet for a week, it begins anew."""

    began_ns: int
    last_ns: int = 0
    targets: OrderedDict[str, int] = field(default_factory=OrderedDict)  # → when, of a week
    day: int = 0
    today: set[str] = field(default_factory=set)
    busiest: int = 0  # targets on its busiest day before today
    deeds: OrderedDict[str, tuple[int, int]] = field(default_factory=OrderedDict)
    # what was done → its last day, how many days before that
    is_known: bool = False  # all that was just done was done on three days before
    settled_ns: int = 0  # since when it is known

    def note(self, target: str, now_ns: int, deeds: Iterable[str] = ("",)) -> None:
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
        self.is_known = min([self._days(deed) for deed in deeds], default=0) >= _SETTLED_DAYS
        if self.is_settled and not self.settled_ns:
            self.settled_ns = now_ns

    def _days(self, deed: str) -> int:
        """On how many days before today the deed was done; it is being done now."""
        last, before = self.deeds.pop(deed, (self.day, 0))
        before += last != self.day
        self.deeds[deed] = (self.day, before)
        while len(self.deeds) > _MOST_DEEDS:
            self.deeds.popitem(last=False)
        return before

    @property
    def reached(self) -> list[str]:
        """The targets of the last week, the latest first."""
        return list(reversed(self.targets))

    @property
    def is_burst(self) -> bool:
        """Today reaches thrice as many as ever before: no longer the round that people know."""
        return self.busiest > 0 and len(self.today) >= max(12, 3 * self.busiest)

    @property
    def is_settled(self) -> bool:
        """A management tool at its daily work, of which people were told for three days."""
        return self.is_known and not self.is_burst

    @property
    def weight(self) -> float:
        """What it still weighs of its first alert."""
        return _SETTLED_WEIGHT if self.is_settled else 1.0

    def key(self, source: str) -> str:
        """Names the alert: the round, its quiet going on, a burst, something new amid the known."""
        if self.is_burst:
            return f"{source} burst"
        if self.is_known:
            return f"{source} settled"
        return f"{source} new deed" if self.settled_ns else source

    def since_ns(self, first_ns: int) -> int:
        """Since when what the alert tells goes on; `first_ns` is of what was just done."""
        if self.is_settled:
            return min(first_ns, self.settled_ns)
        return first_ns if self.is_burst or self.settled_ns else min(first_ns, self.began_ns)


@dataclass(frozen=True)
class Told:
    """How what was done is told: the key of its alert, its targets, since when, what it weighs."""

    key: str
    targets: tuple[str, ...]
    first_ns: int
    weight: float = 1.0
    is_settled: bool = False


class Rounds:
    """Rounds by source and means, the longest quiet forgotten first."""

    def __init__(self) -> None:
        self._rounds: OrderedDict[tuple[str, str], Round] = OrderedDict()

    def tell(
        self, source: str, target: str, means: str, first_ns: int, last_ns: int, least: int,
        deeds: Iterable[str] = ("",), *, who: str,
    ) -> Told:  # fmt: skip
        """Count what one did to another; from `least` targets on, all of them are one alert.

        With fewer each target is told by itself, and known once told for three days. `who` is
        the source's `Host.identity`: whoever gets its address later does not go on with its round.
        """
        turn = self.note(who, means, target, last_ns, deeds)
        own = self.note(f"{who} {target}", means, target, last_ns, deeds)
        if len(turn.targets) >= least:
            reached = tuple(turn.reached[:100])
            since_ns = turn.since_ns(first_ns)
            return Told(turn.key(source), reached, since_ns, turn.weight, turn.is_settled)
        if own.is_settled:
            return Told(own.key(target), (target,), own.since_ns(first_ns), own.weight, True)
        return Told(target, (target,), first_ns)

    def note(
        self, source: str, means: str, target: str, now_ns: int, deeds: Iterable[str] = ("",)
    ) -> Round:
        """Count what was done; returns the round that it belongs to. `source` is an identity.

        `deeds` tell apart what is done by the same means, as names of programs do.
        """
        known = self._rounds.get((source, means))
        if known is None or now_ns - known.last_ns > _WEEK_NS:
            known = self._rounds[source, means] = Round(now_ns)
        known.note(target, now_ns, deeds)
        self._rounds.move_to_end((source, means))
        while len(self._rounds) > _MOST_ROUNDS:
            self._rounds.popitem(last=False)
        return known
