"""Use cases of suppressions: what is to be quiet, why, until when, and the alert budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from api.faults import Conflict, NotFound, Unacceptable
from api.people import Person
from api.services.gate import Gate
from detector.care import care_impact
from detector.hard_rules import is_hard
from detector.incidents import join_alerts
from detector.store import Store
from detector.suppression import Suppression, covered, make_suppression

_MOST_ALERTS = 100_000


class SuppressionService:
    """Make, end and list suppressions; they hold at once and for what has been told already."""

    def __init__(
        self, store: Store, gate: Gate, now_ns: Callable[[], int], timezone: str = "Asia/Tokyo"
    ) -> None:
        self._store = store
        self._gate = gate
        self._now_ns = now_ns
        self._zone = ZoneInfo(timezone)

    def find(self, person: Person | None) -> list[Suppression]:
        """All suppressions, those that end last first. Needs alerts.read."""
        self._gate.look(person, "alerts.read", "suppressions.list")
        return self._store.suppressions()

    def budget(self, person: Person | None) -> dict[str, Any]:
        """Pushed incidents against their limit, and what verdicts have moved. Needs alerts.read."""
        self._gate.look(person, "alerts.read", "budget.read")
        return self._store.note("budget")

    def make(
        self, person: Person | None, *, detector: str, reason: str, days: int, source: str = "",
        target: str = "", role: str = "", window: str = "",
    ) -> Suppression:  # fmt: skip
        """Be quiet about one edge, source or role for at most 90 days. Needs alerts.suppress.

        Hard rules (landing pivots, DCSync, encryption ...) cannot be silenced.
        """
        with self._gate.act(
            person, "alerts.suppress", "suppression.make", f"detector/{detector}", source=source,
            target=target, role=role, window=window, reason=reason, days=days,
        ) as owner:  # fmt: skip
            now = self._now_ns()
            try:
                made = make_suppression(
                    detector, reason=reason, owner=owner.login, now_ns=now, days=days,
                    source=source, target=target, role=role, window=window,
                )  # fmt: skip
            except ValueError as error:
                raise Unacceptable("the suppression has faults", str(error).splitlines()) from None
            self._refuse_hard(made)
            self._store.save_suppression(made)
            self._apply()
            return made

    def end(self, person: Person | None, suppression_id: str) -> Suppression:
        """End a suppression before its time; what it covered comes back. Needs alerts.suppress."""
        with self._gate.act(
            person, "alerts.suppress", "suppression.end", f"suppression/{suppression_id}"
        ) as by:
            known = {s.id: s for s in self._store.suppressions()}.get(suppression_id)
            if known is None:
                raise NotFound(f"there is no suppression {suppression_id[:40]!r}")
            if not known.is_active(self._now_ns()):
                raise Conflict("it has ended already")
            ended = known.end(by.login, self._now_ns())
            self._store.save_suppression(ended)
            self._apply()
            return ended

    def _refuse_hard(self, made: Suppression) -> None:
        """A suppression that could only ever meet hard rules is refused with the reason."""
        alerts = [a for a in self._store.alerts(limit=_MOST_ALERTS) if a.detector == made.detector]
        meant = [
            a for a in alerts
            if made.source in ("", a.source.ip) and made.role in ("", a.source.role)
            and (not made.target or made.target in {t.ip for t in a.targets})
        ]  # fmt: skip
        if meant and all(is_hard(a) for a in meant):
            raise Unacceptable("detector: alerts of this rule are grave facts and stay loud")

    def _apply(self) -> None:
        """Mark or free stored alerts, and tell their incidents anew without the silent ones."""
        active = tuple(s for s in self._store.suppressions() if not s.ended_ns)
        alerts = self._store.alerts(limit=_MOST_ALERTS)
        told = [covered(a, active, self._zone) for a in alerts]
        changed = [new for old, new in zip(alerts, told, strict=True) if new != old]
        if not changed:
            return
        self._store.save_alerts(changed)
        ledger = {a.ip: a for a in self._store.ledger()}
        impact = {
            p.ip: care_impact(p.role, ledger.get(p.ip))
            for a in told
            for p in (a.source, *a.targets)
            if p.ip
        }
        incidents = join_alerts(told, impact)
        kept = {i.id for i in incidents}
        gone = [i.id for i in self._store.incidents(limit=_MOST_ALERTS) if i.id not in kept]
        self._store.save_incidents(incidents, keep_states=True)
        self._store.remove_incidents(gone)
