"""Live updates as server-sent events: alerts and incidents that changed."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from api.faults import Unavailable
from api.people import Person
from detector.incidents import Incident
from detector.store import Store

_MOST_OF_ONE = 8  # streams of one person
_MOST_AT_ONCE = 100  # alerts in one go
_INCIDENTS_KEPT = 500
_RETRY_MS = 3000


class LiveStream:
    """Follows the store for every page that is open, up to `most` at once.

    The store numbers each change of an alert; the number is the event's id, so that a page that
    lost its connection goes on where it was.
    """

    def __init__(self, store: Store, poll_s: float, most: int, heartbeat_s: float = 15.0) -> None:
        self._store = store
        self._poll_s = poll_s
        self._most = most
        self._heartbeat_s = heartbeat_s
        self._is_ending = False
        self._open: Counter[str] = Counter()
        self._incidents = _IncidentChanges(store, poll_s)

    @property
    def open_count(self) -> int:
        return self._open.total()

    def end(self) -> None:
        """End all streams at their next look, because the server stops; pages come back later."""
        self._is_ending = True

    def check_room(self, person: Person) -> None:
        """Unavailable if too many streams are open, in all or of this person."""
        if self.open_count >= self._most or self._open[person.login] >= _MOST_OF_ONE:
            raise Unavailable("too many live streams are open; close a page", retry_after_s=30)

    async def follow(
        self, person: Person, last_id: str, is_still_allowed: Callable[[], bool]
    ) -> AsyncIterator[str]:
        """Events until the client goes or may no longer look."""
        self._open[person.login] += 1
        try:
            async for event in self._events(last_id, is_still_allowed):
                yield event
        finally:
            self._open[person.login] -= 1
            self._open += Counter()  # drops names that count nothing

    async def _events(
        self, last_id: str, is_still_allowed: Callable[[], bool]
    ) -> AsyncIterator[str]:
        newest = await asyncio.to_thread(self._store.last_change)
        change = int(last_id) if last_id.isdecimal() and len(last_id) < 19 else newest
        yield f"retry: {_RETRY_MS}\n\n"
        if change > newest:  # the store was made anew: what the page shows is of another one
            change = newest
            yield _event("reset", {})
        seen = await asyncio.to_thread(self._incidents.newest)
        looked = time.monotonic()
        while not self._is_ending:
            changed = await asyncio.to_thread(
                self._store.alerts_changed_since, change, _MOST_AT_ONCE
            )
            for number, alert in changed:
                change = number
                yield _event("alert", alert.to_json(), number)
            moved = await asyncio.to_thread(self._incidents.since, seen)
            for number, incident in moved:
                seen = number
                yield _event("incident", incident.to_json())
            if time.monotonic() - looked >= self._heartbeat_s:
                if not await asyncio.to_thread(is_still_allowed):
                    return
                yield ": still here\n\n"
                looked = time.monotonic()
            if len(changed) < _MOST_AT_ONCE:
                await asyncio.sleep(self._poll_s)


class _IncidentChanges:
    """Numbers the changes of open incidents, which the store does not; looked at once for all."""

    def __init__(self, store: Store, poll_s: float) -> None:
        self._store = store
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._looked_s = float("-inf")
        self._known: dict[str, Incident] | None = None
        self._changes: deque[tuple[int, Incident]] = deque(maxlen=_INCIDENTS_KEPT)
        self._number = 0

    def newest(self) -> int:
        """The number of the last change so far."""
        with self._lock:
            self._look()
            return self._number

    def since(self, number: int) -> list[tuple[int, Incident]]:
        """Changes after this number, oldest first."""
        with self._lock:
            self._look()
            return [change for change in self._changes if change[0] > number]

    def _look(self) -> None:
        if time.monotonic() - self._looked_s < self._poll_s / 2:
            return
        self._looked_s = time.monotonic()
        now = {i.id: i for i in self._store.incidents(state="open")}
        before = now if self._known is None else self._known
        changed = [i for i in now.values() if before.get(i.id) != i]
        ended = [self._store.incident(i) for i in before if i not in now]
        for incident in (*changed, *(i for i in ended if i is not None)):
            self._number += 1
            self._changes.append((self._number, incident))
        self._known = now


def _event(name: str, told: dict[str, Any], number: int | None = None) -> str:
    lines = [f"id: {number}"] if number is not None else []
    lines += [f"event: {name}", f"data: {json.dumps(told, ensure_ascii=False)}"]
    return "\n".join(lines) + "\n\n"
