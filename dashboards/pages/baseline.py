"""What was learnt: the review list, accepting it, learning anew, freezing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from api.faults import Unacceptable
from dashboards.view import KnownView

router = APIRouter(include_in_schema=False)

_MOST_PICKED = 300


@router.get("/baseline")
def baseline(view: KnownView) -> Response:
    return view.show("baseline.html", told=view.services.baseline.report(view.person))


@router.post("/baseline/accept")
def accept(
    view: KnownView,
    group: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    if not group:
        raise Unacceptable(view.t("problem.nothing_picked"))
    for key in group[:_MOST_PICKED]:
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
