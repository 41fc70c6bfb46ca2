"""Use cases of reports."""

from __future__ import annotations

from api.people import Person
from api.reports.weekly import Digest, weekly_digest
from api.services.gate import Gate
from detector.store import Store


class ReportService:
    """Writes reports from what is stored."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    def weekly(
        self, person: Person | None, hospital: str, timezone: str, until_ns: int = 0
    ) -> Digest:
        """The week that ends at `until_ns`, 0 = now. Needs incidents.read."""
        self._gate.look(person, "incidents.read", "report.weekly")
        return weekly_digest(self._store, hospital, timezone, until_ns)
