"""What was learnt: the review list, accepting it, learning anew, freezing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from api.faults import Unacceptable
from api.services.alerts import AlertFilter
from dashboards.review_rows import review_rows
from dashboards.view import KnownView

router = APIRouter(include_in_schema=False)

_MOST_PICKED = 300
_MOST_ALERTS = 500


@router.get("/baseline")
def baseline(view: KnownView) -> Response:
    told = view.services.baseline.report(view.person)
    waiting = view.services.alerts.find(view.person, AlertFilter(state="new"), limit=_MOST_ALERTS)
    return view.show("baseline.html", told=told, rows=review_rows(told["groups"], waiting.items))


@router.post("/baseline/accept")
def accept(
    view: KnownView,
    group: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    if not group:
        raise Unacceptable(view.t("problem.nothing_picked"))
    for key in [key for row in group for key in row.split()][:_MOST_PICKED]:  # a row holds several
        view.services.baseline.accept(view.person, key)
    return view.go("/baseline", "decided")


@router.post("/baseline/relearn")
def relearn(
    view: KnownView, host: Annotated[str, Form()], reason: Annotated[str, Form()]
) -> Response:
    view.services.baseline.relearn(view.person, host.strip(), reason)
    return view.go("/baseline", "decided")


@router.post("/baseline/freeze")
def freeze(view: KnownView, reason: Annotated[str, Form()]) -> Response:
    view.services.baseline.freeze(view.person, reason)
    return view.go("/baseline", "decided")


@router.post("/baseline/thaw")
def thaw(view: KnownView, reason: Annotated[str, Form()]) -> Response:
    view.services.baseline.thaw(view.person, reason)
    return view.go("/baseline", "decided")
