"""Use cases of the baseline: what was learnt, and what people decide about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.faults import NotFound, Unacceptable
from api.people import Person
from api.services.gate import Gate
from detector.baselines.review import Decision, Deed
from detector.store import Store


class BaselineService:
    """Look at the review list; accept groups, let hosts be learnt anew, freeze and thaw.

    Decisions wait in the store until whoever learns takes them over, at the latest with the next
    packets; `pending` tells those that still wait.
    """

    def __init__(self, store: Store, gate: Gate, now_ns: Callable[[], int]) -> None:
        self._store = store
        self._gate = gate
        self._now_ns = now_ns

    def report(self, person: Person | None) -> dict[str, Any]:
        """Phase, counts and groups as last told, and decisions that wait. Needs alerts.read.

        The phase is empty as long as nothing has been learnt.
        """
        self._gate.look(person, "alerts.read", "baseline.read")
        waiting = self._waiting()
        decided = {d.group for d in waiting if d.deed == "accept"}
        told = self._store.note("baseline")
        groups = [{**g, "is_decided": g["key"] in decided} for g in told.get("groups", [])]
        return {"phase": "", **told, "groups": groups, "pending": len(waiting)}

    def accept(self, person: Person | None, group: str) -> Decision:
        """Say that a group of edges is right. Needs alerts.suppress."""
        return self._decide(person, "accept", group=group)

    def relearn(self, person: Person | None, host: str, reason: str) -> Decision:
        """Forget a host's edges, so that it is learnt anew (it was replaced, or was infected)."""
        return self._decide(person, "relearn", host=host, reason=reason)

    def freeze(self, person: Person | None, reason: str) -> Decision:
        """From now on nothing new accepts itself. Needs alerts.suppress."""
        return self._decide(person, "freeze", reason=reason)

    def thaw(self, person: Person | None, reason: str) -> Decision:
        """Learn again. Needs alerts.suppress."""
        return self._decide(person, "thaw", reason=reason)

    def _decide(
        self, person: Person | None, deed: Deed, *, group: str = "", host: str = "",
        reason: str = "",
    ) -> Decision:  # fmt: skip
        with self._gate.act(
            person, "alerts.suppress", f"baseline.{deed}", "baseline", group=group, host=host,
            reason=reason,
        ) as by:  # fmt: skip
            if deed != "accept" and not reason.strip():
                raise Unacceptable("reason: say why, so that the next person understands it")
            self._refuse_unknown(group, host)
            made = Decision(deed, by.login, self._now_ns(), reason.strip()[:1000], group, host)
            return self._store.decide(made)

    def _refuse_unknown(self, group: str, host: str) -> None:
        known = {g["key"] for g in self._store.note("baseline").get("groups", [])}
        if group and group not in known:
            raise NotFound(f"there is no group {group[:80]!r} on the review list")
        if host and host not in {a["ip"] for a in self._store.seen_assets()}:
            raise NotFound(f"host {host[:64]!r} has not been seen")

    def _waiting(self) -> list[Decision]:
        done = int(self._store.note("baseline_decided").get("number", 0))
        return self._store.decisions(after=done)
