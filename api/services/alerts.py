"""Use cases of the alert queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from api.faults import NotFound, Unacceptable
from api.paging import Page, check_limit, read_cursor, write_cursor
from api.people import Person
from api.services.gate import Gate
from detector.alerts import Alert, State
from detector.store import Store

#: States a person may give; those that end an alert's work need a reason.
JUDGEMENTS: tuple[State, ...] = tuple(s for s in get_args(State) if s != "new")
_MOST_REASON = 1000


@dataclass(frozen=True)
class AlertFilter:
    """What to list; an empty field asks nothing."""

    state: str = ""
    severity: str = ""
    category: str = ""
    source: str = ""
    incident: str = ""


class AlertService:
    """List, look at and judge alerts."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    def find(
        self,
        person: Person | None,
        wanted: AlertFilter = AlertFilter(),
        cursor: str = "",
        limit: int = 100,
    ) -> Page[Alert]:
        """Alerts, newest first. Needs alerts.read."""
        self._gate.look(person, "alerts.read", "alerts.list")
        place = read_cursor(cursor, int, str) if cursor else ()
        found = self._store.alerts(
            state=wanted.state,
            severity=wanted.severity,
            category=wanted.category,
            source=wanted.source,
            incident=wanted.incident,
            before=(int(place[0]), str(place[1])) if place else None,
            limit=check_limit(limit) + 1,
        )
        items = tuple(found[:limit])
        more = len(found) > limit
        return Page(items, write_cursor(items[-1].last_ns, items[-1].id) if more else "")

    def counts(self, person: Person | None) -> dict[tuple[str, str], int]:
        """How many alerts there are by (severity, state). Needs alerts.read."""
        self._gate.look(person, "alerts.read", "alerts.count")
        return self._store.alert_counts()

    def get(self, person: Person | None, alert_id: str) -> Alert:
        """One alert. Needs alerts.read."""
        self._gate.look(person, "alerts.read", "alert.read", f"alert/{alert_id}")
        return self._get(alert_id)

    def judge(self, person: Person | None, alert_id: str, state: str, reason: str = "") -> Alert:
        """Say what an alert is: acknowledged, true, benign_explained, false, suppressed.

        All but "acknowledged" need a reason. Needs alerts.judge.
        """
        with self._gate.act(
            person, "alerts.judge", "alert.judge", f"alert/{alert_id}", state=state, reason=reason
        ) as judge:
            reason = reason.strip()
            if state not in JUDGEMENTS:
                raise Unacceptable(f"state: must be one of {', '.join(JUDGEMENTS)}, got {state!r}")
            if state != "acknowledged" and not reason:
                raise Unacceptable("reason: say why, so that the next person understands it")
            if len(reason) > _MOST_REASON:
                raise Unacceptable(f"reason: at most {_MOST_REASON} characters")
            alert = self._store.judge_alert(alert_id, state, reason, judge.login)
            if alert is None:
                raise _unknown(alert_id)
            return alert

    def watch(self, person: Person | None) -> None:
        """Begin to follow changes live. Needs alerts.read."""
        self._gate.look(person, "alerts.read", "alerts.watch")

    def _get(self, alert_id: str) -> Alert:
        alert = self._store.alert(alert_id)
        if alert is None:
            raise _unknown(alert_id)
        return alert


def _unknown(alert_id: str) -> NotFound:
    return NotFound(f"there is no alert {alert_id[:40]!r}")
