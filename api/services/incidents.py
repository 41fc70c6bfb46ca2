"""Use cases of incidents: the list, the story, the end."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from api.faults import Conflict, NotFound, Unacceptable
from api.paging import Page, check_limit, read_cursor, write_cursor
from api.people import Person
from api.services.gate import Gate
from detector.alerts import Alert
from detector.incidents import STAGES, Incident
from detector.store import Store

_MOST_TOLD = 500  # alerts of one story
_DEEPEST = 10_000  # incidents a list pages through


@dataclass(frozen=True)
class Chapter:
    """One stage of the intrusion and its alerts, oldest first."""

    stage: str
    alerts: tuple[Alert, ...]


@dataclass(frozen=True)
class Story:
    """An incident told in the order of an intrusion; `untold` alerts did not fit."""

    incident: Incident
    chapters: tuple[Chapter, ...]
    untold: int = 0

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return tuple(alert for chapter in self.chapters for alert in chapter.alerts)


class IncidentService:
    """List, read and close incidents."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self._gate = gate
        self._lock = Lock()

    def find(
        self, person: Person | None, state: str = "", cursor: str = "", limit: int = 100
    ) -> Page[Incident]:
        """Incidents, most urgent first; `state` is open or closed. Needs incidents.read.

        The order moves while work goes on, so a cursor counts places.
        """
        self._gate.look(person, "incidents.read", "incidents.list")
        start = int(read_cursor(cursor, int)[0]) if cursor else 0
        end = start + check_limit(limit)
        if not 0 <= start <= _DEEPEST:
            raise Unacceptable("cursor: not one that this list gave out; start from the first page")
        found = self._store.incidents(state=state, limit=end + 1)
        return Page(tuple(found[start:end]), write_cursor(end) if len(found) > end else "")

    def get(self, person: Person | None, incident_id: str) -> Incident:
        """One incident. Needs incidents.read."""
        self._gate.look(person, "incidents.read", "incident.read", f"incident/{incident_id}")
        return self._get(incident_id)

    def story(self, person: Person | None, incident_id: str) -> Story:
        """An incident with its alerts by stage and time. Needs incidents.read."""
        incident = self.get(person, incident_id)
        return tell(self._store, incident)

    def close(self, person: Person | None, incident_id: str, note: str) -> Incident:
        """End the work on an incident, with a reason. Needs incidents.close."""
        with self._gate.act(
            person, "incidents.close", "incident.close", f"incident/{incident_id}", note=note
        ) as closer:
            if not note.strip():
                raise Unacceptable("note: say how it ended, so that the next person understands it")
            with self._lock:
                incident = self._get(incident_id)
                if incident.state == "closed":
                    raise Conflict(f"incident {incident_id} is already closed")
                incident = incident.close(closer.login, note.strip())
                self._store.save_incidents([incident])
            return incident

    def _get(self, incident_id: str) -> Incident:
        incident = self._store.incident(incident_id)
        if incident is None:
            raise NotFound(f"there is no incident {incident_id[:40]!r}")
        return incident


def tell(store: Store, incident: Incident) -> Story:
    """Put an incident's alerts in the order of an intrusion."""
    told = incident.alert_ids[:_MOST_TOLD]
    alerts = [alert for i in told if (alert := store.alert(i)) is not None]
    alerts.sort(key=lambda a: (a.first_ns, a.id))
    chapters = tuple(
        Chapter(stage, here)
        for stage in STAGES
        if (here := tuple(a for a in alerts if a.category == stage))
    )
    return Story(incident, chapters, untold=len(incident.alert_ids) - len(told))
