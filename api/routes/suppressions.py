"""Suppressions and the alert budget."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.routes.bodies import Asked, Told
from api.routes.router import make_router
from api.web.sessions import Asker, UseCases
from detector.suppression import MOST_DAYS

router = make_router("suppressions")


class SuppressionBody(Told):
    """What is quiet, why, until when, and how often it hit."""

    id: str
    detector: str
    source: str
    target: str
    role: str
    window: str
    reason: str
    owner: str
    created_ns: int
    expires_ns: int
    hits: int
    last_hit_ns: int
    ended_ns: int
    ended_by: str


class NewSuppression(Asked):
    """At least one of source, target and role; `window` narrows it to times of the week."""

    detector: str = Field(max_length=64)
    reason: str = Field(max_length=1000)
    days: int = Field(30, ge=1, le=MOST_DAYS)
    source: str = Field("", max_length=64, description="address (or MAC) of the source")
    target: str = Field("", max_length=64, description="address of the target")
    role: str = Field("", max_length=64, description="role of the source")
    window: str = Field("", max_length=64, description="e.g. 'Mon-Fri 09:00-18:00'; empty = always")


class BudgetBody(Told):
    """Pushed incidents a day and 1,000 hosts against the limit; demands that verdicts moved."""

    overall: float = 1.0
    last_rate: float = 0.0
    limit: float = 0.0
    limit_at_first: float = 0.0
    demands: list[dict[str, Any]] = []


@router.get("/suppressions")
def list_suppressions(asker: Asker, use: UseCases) -> list[SuppressionBody]:
    """All suppressions, those that end last first."""
    return [SuppressionBody.model_validate(s) for s in use.suppressions.find(asker)]


@router.post("/suppressions", status_code=201)
def make_suppression(body: NewSuppression, asker: Asker, use: UseCases) -> SuppressionBody:
    """Be quiet about one edge, source or role; it holds at once and for what was told already."""
    made = use.suppressions.make(asker, **body.model_dump())
    return SuppressionBody.model_validate(made)


@router.post("/suppressions/{suppression_id}/end")
def end_suppression(suppression_id: str, asker: Asker, use: UseCases) -> SuppressionBody:
    """End it before its time; what it covered comes back."""
    return SuppressionBody.model_validate(use.suppressions.end(asker, suppression_id))


@router.get("/budget")
def get_budget(asker: Asker, use: UseCases) -> BudgetBody:
    """How many incidents were pushed, and what people's verdicts have moved."""
    return BudgetBody.model_validate(use.suppressions.budget(asker))
