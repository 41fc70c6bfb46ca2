"""Alert budget and feedback: how much an alert must weigh before people are asked to look.

Deterministic rules are exempt. For the statistical ones, each (detector, role) has a demand, a
factor around 1 by which its alerts weigh less: people's verdicts move it by at most 10 % a week,
and a weekly controller moves them all so that pushed incidents stay within the budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from detector.alerts import Alert, State
from detector.hard_rules import STATISTICAL

_DAY_NS: Final = 86_400_000_000_000
_WEEK_NS: Final = 7 * _DAY_NS
_LEAST, _MOST = 0.7, 1.6
_A_WEEK: Final = 0.10
#: What one verdict moves: a false alarm raises the demand, a true one lowers it.
_MOVES: Final[dict[State, float]] = {"false": 0.03, "benign_explained": 0.015, "true": -0.03}


class BudgetSettings(BaseModel):
    """How many incidents people are asked to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pushed_a_day: float = Field(
        3.0, gt=0, description="pushed incidents a day and 1,000 hosts after four weeks"
    )
    pushed_a_day_at_first: float = Field(
        6.0, gt=0, description="the same in the first four weeks, while everything is learnt"
    )


class Budget:
    """Demands by (detector, role), the week's moves, and the controller's own factor."""

    def __init__(self, settings: BudgetSettings | None = None) -> None:
        self.settings = settings or BudgetSettings()
        self.overall = 1.0
        self.began_ns = 0
        self.week = -1
        self.last_rate = 0.0  # pushed incidents a day and 1,000 hosts in the week before
        self._demand: dict[tuple[str, str], float] = {}
        self._at_week_start: dict[tuple[str, str], float] = {}

    def demand(self, detector: str, role: str) -> float:
        """Factor by which alerts of this detector from hosts of this role weigh less."""
        if detector not in STATISTICAL:
            return 1.0
        return self.overall * self._demand.get((detector, role), 1.0)

    def weight(self, alert: Alert) -> float:
        """The alert's score as the budget sees it, 0-100."""
        return min(100.0, alert.score / self.demand(alert.detector, alert.source.role))

    def learn(self, alert: Alert, verdict: State) -> None:
        """A person judged an alert."""
        move = _MOVES.get(verdict)
        if move is None or alert.detector not in STATISTICAL:
            return
        key = (alert.detector, alert.source.role)
        before = self._demand.get(key, 1.0)
        start = self._at_week_start.setdefault(key, before)
        reach = _A_WEEK * start
        moved = min(start + reach, max(start - reach, before * (1 + move)))
        self._demand[key] = min(_MOST, max(_LEAST, moved))

    def is_due(self, now_ns: int) -> bool:
        """Has a week of event time ended since the last turn?"""
        return now_ns // _WEEK_NS != self.week

    def turn(self, now_ns: int, pushed_ns: Iterable[int], hosts: int) -> bool:
        """End the week if it is over; True if the controller moved anything.

        `pushed_ns` are the times of the incidents that were pushed.
        """
        if not self.began_ns:
            self.began_ns = now_ns
        if not self.is_due(now_ns):
            return False
        is_first, self.week = self.week < 0, now_ns // _WEEK_NS
        self._at_week_start.clear()
        if is_first:
            return False
        start = now_ns - min(28 * _DAY_NS, max(_WEEK_NS, now_ns - self.began_ns))
        days = max(1.0, (now_ns - start) / _DAY_NS)
        count = sum(start <= when <= now_ns for when in pushed_ns)
        self.last_rate = count / days / max(1.0, hosts / 1000)
        young = now_ns - self.began_ns < 28 * _DAY_NS
        limit = self.settings.pushed_a_day_at_first if young else self.settings.pushed_a_day
        before = self.overall
        if self.last_rate > limit:
            self.overall = min(_MOST, self.overall * (1 + _A_WEEK))
        elif self.last_rate < limit / 3 and self.overall > 1.0:
            self.overall = max(1.0, self.overall * (1 - _A_WEEK / 2))
        return self.overall != before

    def to_json(self) -> dict[str, Any]:
        return {
            "overall": round(self.overall, 4),
            "began_ns": self.began_ns,
            "week": self.week,
            "last_rate": round(self.last_rate, 2),
            "limit": self.settings.pushed_a_day,
            "limit_at_first": self.settings.pushed_a_day_at_first,
            "demands": [
                {
                    "detector": detector,
                    "role": role,
                    "demand": round(demand, 4),
                    "at_week_start": round(self._at_week_start.get((detector, role), demand), 4),
                }
                for (detector, role), demand in sorted(self._demand.items())
            ],
        }

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Take over what `to_json` wrote; an empty note is a new beginning."""
        if not stored:
            return
        self.overall, self.began_ns = float(stored["overall"]), int(stored["began_ns"])
        self.week, self.last_rate = int(stored["week"]), float(stored["last_rate"])
        for kept in stored["demands"]:
            key = (kept["detector"], kept["role"])
            self._demand[key] = float(kept["demand"])
            self._at_week_start[key] = float(kept["at_week_start"])
