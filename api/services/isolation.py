"""Use cases of isolation: propose, approve, mark done, undo, reject. People do the cutting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from api.faults import Conflict, NotAllowed, NotFound, Unacceptable, Unavailable
from api.people import Person
from api.permissions import Permission
from api.services.gate import Gate
from api.services.incidents import tell
from detector.alerts import Alert
from detector.database import Database
from detector.incidents import Incident
from detector.isolation.plan import IsolationPlan, Step, StepState
from detector.store import Store

#: What makes a plan: `detector.isolation.planner.Planner.plan`.
Planner = Callable[[Incident, Sequence[Alert]], IsolationPlan]

_HOUR_NS = 3_600_000_000_000
_MOST_PLANS = 20  # of one incident
_MOST_WORDS = 1000


@dataclass(frozen=True)
class _Move:
    """How a step moves on: to which state, who may, and whether a reason is due."""

    state: StepState
    permission: Permission
    action: str
    wants_reason: bool


_APPROVE = _Move("approved", "isolation.approve", "isolation.approve", True)
_REJECT = _Move("rejected", "isolation.approve", "isolation.reject", True)
_DONE = _Move("done", "isolation.carry_out", "isolation.done", False)
_UNDO = _Move("undone", "isolation.carry_out", "isolation.undo", True)


class IsolationService:
    """Plans of incidents and the steps that people take."""

    def __init__(
        self,
        store: Store,
        database: Database,
        gate: Gate,
        planner: Planner | None,
        now_ns: Callable[[], int],
    ) -> None:
        self._store = store
        self._database = database
        self._gate = gate
        self._planner = planner
        self._now_ns = now_ns
        self._lock = Lock()

    def plans(self, person: Person | None, incident_id: str) -> list[IsolationPlan]:
        """The plans of an incident, oldest first. Needs isolation.read."""
        self._gate.look(person, "isolation.read", "isolation.list", f"incident/{incident_id}")
        return self._plans(incident_id)

    def get(self, person: Person | None, plan_id: str) -> IsolationPlan:
        """One plan. Needs isolation.read."""
        self._gate.look(person, "isolation.read", "isolation.read", f"plan/{plan_id}")
        return self._get(plan_id)

    def proposer(self, plan_id: str) -> str:
        """Login of who asked for the plan; empty if the machine did."""
        rows = self._database.read("SELECT login FROM proposal WHERE plan = ?", (plan_id,))
        return str(rows[0]["login"]) if rows else ""

    def propose(self, person: Person | None, incident_id: str) -> IsolationPlan:
        """Make a plan from what is known now; one that nobody has touched yet is given again.

        Needs isolation.propose.
        """
        with self._gate.act(
            person, "isolation.propose", "isolation.propose", f"incident/{incident_id}"
        ) as proposer:
            incident = self._store.incident(incident_id)
            if incident is None:
                raise NotFound(f"there is no incident {incident_id[:40]!r}")
            if self._planner is None:
                raise Unavailable("no planner runs here; start Mimawari with `run` or `replay`")
            plan = self._planner(incident, tell(self._store, incident).alerts)
            with self._lock:
                return self._keep(plan, proposer)

    def approve(self, person: Person | None, plan_id: str, step: int, reason: str) -> IsolationPlan:
        """Let a step be carried out; not by who proposed the plan. Needs isolation.approve."""
        return self._move(person, plan_id, step, _APPROVE, reason)

    def reject(self, person: Person | None, plan_id: str, step: int, reason: str) -> IsolationPlan:
        """Refuse a step, or take an approval back. Needs isolation.approve."""
        return self._move(person, plan_id, step, _REJECT, reason)

    def mark_done(
        self, person: Person | None, plan_id: str, step: int, note: str = ""
    ) -> IsolationPlan:
        """Say that an approved step was carried out. Needs isolation.carry_out."""
        return self._move(person, plan_id, step, _DONE, note)

    def undo(self, person: Person | None, plan_id: str, step: int, reason: str) -> IsolationPlan:
        """Say that a step was taken back on the device. Needs isolation.carry_out."""
        return self._move(person, plan_id, step, _UNDO, reason)

    def _move(
        self, person: Person | None, plan_id: str, number: int, move: _Move, words: str
    ) -> IsolationPlan:
        thing = f"plan/{plan_id}/step/{number}"
        with self._gate.act(person, move.permission, move.action, thing, reason=words) as mover:
            words = words.strip()
            if move.wants_reason and not words:
                raise Unacceptable("reason: say why, so that the next person understands it")
            if len(words) > _MOST_WORDS:
                raise Unacceptable(f"reason: at most {_MOST_WORDS} characters")
            if move is _APPROVE and self.proposer(plan_id) == mover.login:
                raise NotAllowed("who proposed a plan cannot approve it; ask another approver")
            with self._lock:
                plan = self._get(plan_id)
                if not 0 <= number < len(plan.steps):
                    raise NotFound(f"plan {plan_id} has steps 0 to {len(plan.steps) - 1}")
                if move is _DONE:
                    self._check_fresh(plan.steps[number])
                try:
                    plan = plan.move(number, move.state, mover.login, self._now_ns(), words)
                except ValueError as fault:
                    raise Conflict(str(fault)) from fault
                self._store.save_plan(plan)
            return plan

    def _check_fresh(self, step: Step) -> None:
        """An approval holds for `expires_h`: what it weighed may have changed since."""
        if step.state == "approved" and self._now_ns() > expires_ns(step):
            raise Conflict(
                f"the approval lapsed after {step.expires_h} h; reject the step and propose anew"
            )

    def _keep(self, plan: IsolationPlan, proposer: Person) -> IsolationPlan:
        before = self._plans(plan.incident)
        for earlier in before:
            is_same = earlier.id == plan.id or earlier.id.startswith(plan.id + "-")
            if is_same and all(step.state == "proposed" for step in earlier.steps):
                return earlier
        if len(before) >= _MOST_PLANS:
            raise Conflict(f"incident {plan.incident} already has {_MOST_PLANS} plans")
        taken = {p.id for p in before}
        free = [i for n in range(2, _MOST_PLANS + 2) if (i := f"{plan.id}-{n}") not in taken]
        plan = replace(plan, id=free[0] if plan.id in taken else plan.id)
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO proposal VALUES (?,?)", (plan.id, proposer.login)
            )
        self._store.save_plan(plan)
        return plan

    def _plans(self, incident_id: str) -> list[IsolationPlan]:
        return sorted(self._store.plans_of(incident_id), key=lambda p: (p.made_ns, len(p.id), p.id))

    def _get(self, plan_id: str) -> IsolationPlan:
        plan = self._store.plan(plan_id)
        if plan is None:
            raise NotFound(f"there is no plan {plan_id[:40]!r}")
        return plan


def expires_ns(step: Step) -> int:
    """When an approval lapses, or a cut that was made is due for review; 0 if neither stands."""
    if step.state not in ("approved", "done"):
        return 0
    return step.at_ns + step.expires_h * _HOUR_NS
