"""The baseline: its review list and what people decide about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.routes.bodies import Asked, Told
from api.routes.router import make_router
from api.web.sessions import Asker, UseCases
from detector.baselines.review import Deed

router = make_router("baseline")


class GroupBody(Told):
    """Edges of one service from hosts of one role to one host, not yet accepted."""

    key: str
    source_role: str
    target: str
    target_name: str
    target_role: str
    service: str
    count: int
    sources: list[str]
    waits: bool = Field(description="never accepts itself: administration or outside")
    days: int
    first_ns: int
    last_ns: int
    is_decided: bool = Field(description="accepted, to be taken over with the next packets")


class BaselineBody(Told):
    """What was learnt, as last told by whoever learns."""

    phase: Literal["learning", "review", "accepted", "frozen", ""] = ""
    days: int = 0
    needs_days: int = 0
    frozen_ns: int = 0
    now_ns: int = 0
    counts: dict[str, int] = {}
    groups: list[GroupBody] = []
    more_groups: int = 0
    pending: int = Field(0, description="decisions that wait to be taken over")


class DecisionBody(Told):
    number: int
    deed: Deed
    by: str
    at_ns: int
    reason: str
    group: str
    host: str


class Acceptance(Asked):
    group: str = Field(max_length=200, description="the group's key")


class Relearning(Asked):
    host: str = Field(max_length=64)
    reason: str = Field(max_length=1000)


class Reasoned(Asked):
    reason: str = Field(max_length=1000)


@router.get("/baseline")
def get_baseline(asker: Asker, use: UseCases) -> BaselineBody:
    """Phase, counts, and the review list; edges of administration first."""
    return BaselineBody.model_validate(use.baseline.report(asker))


@router.post("/baseline/accept")
def accept_group(body: Acceptance, asker: Asker, use: UseCases) -> DecisionBody:
    """Say that a group of edges is right."""
    return DecisionBody.model_validate(use.baseline.accept(asker, body.group))


@router.post("/baseline/relearn")
def relearn_host(body: Relearning, asker: Asker, use: UseCases) -> DecisionBody:
    """Forget a host's edges, so that it is learnt anew."""
    return DecisionBody.model_validate(use.baseline.relearn(asker, body.host, body.reason))


@router.post("/baseline/freeze")
def freeze_baseline(body: Reasoned, asker: Asker, use: UseCases) -> DecisionBody:
    """From now on nothing new accepts itself."""
    return DecisionBody.model_validate(use.baseline.freeze(asker, body.reason))


@router.post("/baseline/thaw")
def thaw_baseline(body: Reasoned, asker: Asker, use: UseCases) -> DecisionBody:
    """Learn again."""
    return DecisionBody.model_validate(use.baseline.thaw(asker, body.reason))
