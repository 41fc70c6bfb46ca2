"""The gate that every use case passes: is it allowed, and is it on record."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from api.audit import Audit
from api.faults import NotAllowed, NotLoggedIn, PasswordChangeDue
from api.people import Person
from api.permissions import Permission

#: A page that refreshes itself looks at the same thing all day; one entry per stretch is enough.
_SAME_LOOK_NS = 10 * 60 * 1_000_000_000
_MOST_LOOKS = 10_000


class Gate:
    """Checks permission and writes the audit, for all services alike."""

    def __init__(self, audit: Audit, now_ns: Callable[[], int]) -> None:
        self._audit = audit
        self._now_ns = now_ns
        self._looks: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def act(
        self,
        person: Person | None,
        permission: Permission,
        action: str,
        thing: str = "",
        **details: Any,
    ) -> Iterator[Person]:
        """Do a use case inside: on record before it starts, and again if it fails.

        Nothing that changes or discloses happens without its entry being on disk first.
        """
        person = self._admit(person, permission, action, thing)
        self.record(person, action, thing, "allowed", **details)
        try:
            yield person
        except Exception as fault:
            reason = f"{type(fault).__name__}: {fault}"
            self.record(person, action, thing, "failed", reason=reason)
            raise

    def look(
        self, person: Person | None, permission: Permission, action: str, thing: str = ""
    ) -> Person:
        """Let a plain read through; the same look again within ten minutes is one entry."""
        person = self._admit(person, permission, action, thing)
        look = (person.login, person.key, person.address, action, thing)
        now = self._now_ns()
        with self._lock:
            is_new = now - self._looks.get(look, -_SAME_LOOK_NS) >= _SAME_LOOK_NS
            if is_new:
                self._looks[look] = now
                self._looks.move_to_end(look)
                while len(self._looks) > _MOST_LOOKS:
                    self._looks.popitem(last=False)
        if is_new:
            self.record(person, action, thing, "allowed")
        return person

    def record(self, person: Person, action: str, thing: str, result: Any, **details: Any) -> None:
        """Write one entry in this person's name."""
        self._audit.write(
            action, thing, result,
            person=person.login, key=person.key, address=person.address, details=details,
        )  # fmt: skip

    def _admit(
        self, person: Person | None, permission: Permission, action: str, thing: str
    ) -> Person:
        if person is None:
            raise NotLoggedIn("log in, or send an API key as 'Authorization: Bearer …'")
        if person.must_change_password:
            raise PasswordChangeDue("the one-time password must be changed before anything else")
        if permission not in person.permissions:
            self.record(person, action, thing, "refused", permission=permission)
            raise NotAllowed(f"{action} needs the permission {permission}")
        return person
