"""Steps of isolation plans: a page that shows the care impact, then the change itself."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from fastapi import APIRouter, Form, Response

from api.faults import NotFound, Unacceptable
from api.permissions import Permission
from dashboards.view import KnownView, View
from detector.isolation.plan import IsolationPlan, Step, StepState

router = APIRouter(include_in_schema=False)

Move = Literal["approve", "done", "undo", "reject"]
MOVES: Final[tuple[Move, ...]] = get_args(Move)

#: From which states a move leads on, and who may make it.
_FROM: Final[dict[Move, tuple[tuple[StepState, ...], Permission]]] = {
    "approve": (("proposed",), "isolation.approve"),
    "done": (("approved",), "isolation.carry_out"),
    "undo": (("done",), "isolation.carry_out"),
    "reject": (("proposed", "approved"), "isolation.approve"),
}
_NOTICE: Final[dict[Move, str]] = {
    "approve": "approved",
    "done": "done",
    "undo": "undone",
    "reject": "rejected",
}


def moves_of(view: View, plan: IsolationPlan, step: Step) -> list[Move]:
    """What this person may do with the step now; nobody approves an own proposal."""
    allowed = [m for m, (states, p) in _FROM.items() if step.state in states and view.may(p)]
    if view.person and view.services.isolation.proposer(plan.id) == view.person.login:
        allowed = [m for m in allowed if m != "approve"]
    return allowed


@router.get("/plans/{plan_id}/steps/{number}/{move}")
def confirm(view: KnownView, plan_id: str, number: int, move: Move) -> Response:
    plan = view.services.isolation.get(view.person, plan_id)
    if not 0 <= number < len(plan.steps):
        raise NotFound(f"plan {plan_id} has no step {number}")
    return view.show(
        "confirm_step.html",
        plan=plan,
        step=plan.steps[number],
        number=number,
        move=move,
        wants_reason=move != "done",
    )


@router.post("/plans/{plan_id}/steps/{number}/{move}")
def carry_out(
    view: KnownView,
    plan_id: str,
    number: int,
    move: Move,
    reason: Annotated[str, Form()] = "",
    understood: Annotated[str, Form()] = "",
) -> Response:
    isolation, person = view.services.isolation, view.person
    if move == "approve":
        plan = isolation.get(person, plan_id)
        stops = plan.steps[number].stops if 0 <= number < len(plan.steps) else ()
        if stops and understood != "yes":
            raise Unacceptable(view.t("confirm.understood"))
        plan = isolation.approve(person, plan_id, number, reason)
    elif move == "reject":
        plan = isolation.reject(person, plan_id, number, reason)
    elif move == "done":
        plan = isolation.mark_done(person, plan_id, number, reason)
    else:
        plan = isolation.undo(person, plan_id, number, reason)
    return view.go(f"/incidents/{plan.incident}#{plan.id}-{number}", _NOTICE[move])
