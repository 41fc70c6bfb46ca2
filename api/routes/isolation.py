"""Isolation plans: proposed by the machine, decided and carried out by people."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field

from api.routes.bodies import Asked, TextBody, Told
from api.routes.router import make_router
from api.services import Services
from api.services.isolation import expires_ns
from api.web.sessions import Asker, UseCases
from detector.isolation.plan import IsolationPlan, StepState

router = make_router("isolation")

StepNumber = Annotated[int, Path(ge=0, le=1000, description="from 0")]


class CommandsBody(Told):
    device: str
    do: list[str]
    undo: list[str]


class StopBody(Told):
    """What a step interrupts."""

    service: str
    peers: list[str]
    flows_8h: int
    is_live: bool
    text: TextBody


class StepBody(Told):
    level: int = Field(description="0 (watch) to 8 (cut the backup network)")
    target: str
    title: TextBody
    reason: TextBody
    stops: list[StopBody]
    approver: TextBody
    commands: list[CommandsBody]
    expires_h: int
    state: StepState
    by: str
    at_ns: int
    note: str
    expires_ns: int = Field(description="an approval lapses, or a cut is due for review; 0 = none")


class PlanBody(Told):
    type: Literal["isolation_plan"]
    schema_: int = Field(alias="schema")
    id: str
    incident: str
    made_ns: int
    steps: list[StepBody]
    caveats: list[TextBody]
    proposed_by: str = Field(description="a person's login; empty = the machine")


class Reason(Asked):
    reason: str = Field(min_length=1, max_length=1000)


class Note(Asked):
    note: str = Field("", max_length=1000)


def plan_body(plan: IsolationPlan, use: Services) -> PlanBody:
    told = plan.to_json()
    for step, body in zip(plan.steps, told["steps"], strict=True):
        body["expires_ns"] = expires_ns(step)
    return PlanBody.model_validate({**told, "proposed_by": use.isolation.proposer(plan.id)})


@router.get("/incidents/{incident_id}/plans")
def list_plans(incident_id: str, asker: Asker, use: UseCases) -> list[PlanBody]:
    """The plans of an incident, oldest first."""
    return [plan_body(p, use) for p in use.isolation.plans(asker, incident_id)]


@router.post("/incidents/{incident_id}/plans", status_code=201)
def propose_plan(incident_id: str, asker: Asker, use: UseCases) -> PlanBody:
    """Make a plan from what is known now."""
    return plan_body(use.isolation.propose(asker, incident_id), use)


@router.get("/plans/{plan_id}")
def get_plan(plan_id: str, asker: Asker, use: UseCases) -> PlanBody:
    """One plan."""
    return plan_body(use.isolation.get(asker, plan_id), use)


@router.post("/plans/{plan_id}/steps/{step}/approve")
def approve_step(
    plan_id: str, step: StepNumber, body: Reason, asker: Asker, use: UseCases
) -> PlanBody:
    """Let a step be carried out; the proposer cannot."""
    return plan_body(use.isolation.approve(asker, plan_id, step, body.reason), use)


@router.post("/plans/{plan_id}/steps/{step}/reject")
def reject_step(
    plan_id: str, step: StepNumber, body: Reason, asker: Asker, use: UseCases
) -> PlanBody:
    """Refuse a step, or take its approval back."""
    return plan_body(use.isolation.reject(asker, plan_id, step, body.reason), use)


@router.post("/plans/{plan_id}/steps/{step}/done")
def mark_step_done(
    plan_id: str, step: StepNumber, body: Note, asker: Asker, use: UseCases
) -> PlanBody:
    """Say that an approved step was carried out on the device."""
    return plan_body(use.isolation.mark_done(asker, plan_id, step, body.note), use)


@router.post("/plans/{plan_id}/steps/{step}/undo")
def undo_step(
    plan_id: str, step: StepNumber, body: Reason, asker: Asker, use: UseCases
) -> PlanBody:
    """Say that a step was taken back on the device."""
    return plan_body(use.isolation.undo(asker, plan_id, step, body.reason), use)
