"""Use cases of the audit: read it, check it."""

from __future__ import annotations

from api.audit import Audit, Entry, Verdict
from api.paging import Page, check_limit, read_cursor, write_cursor
from api.people import Person
from api.services.gate import Gate


class AuditService:
    """For the auditor: who did what, and whether the record is whole."""

    def __init__(self, audit: Audit, gate: Gate) -> None:
        self._audit = audit
        self._gate = gate

    def find(
        self,
        person: Person | None,
        by: str = "",
        action: str = "",
        cursor: str = "",
        limit: int = 100,
    ) -> Page[Entry]:
        """Entries, newest first, of one person or one action. Needs audit.read."""
        self._gate.look(person, "audit.read", "audit.read")
        before = int(read_cursor(cursor, int)[0]) if cursor else 0
        found = self._audit.entries(
            person=by, action=action, before=before, limit=check_limit(limit) + 1
        )
        items = tuple(found[:limit])
        return Page(items, write_cursor(items[-1].number) if len(found) > limit else "")

    def verify(self, person: Person | None) -> Verdict:
        """Check the whole chain; names the first broken row. Needs audit.read."""
        with self._gate.act(person, "audit.read", "audit.verify", "audit"):
            return self._audit.verify()
