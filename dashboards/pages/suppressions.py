"""What is to be quiet and until when, and the alert budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

from fastapi import APIRouter, Form, Response

from dashboards.view import KnownView
from detector.detectors import DETECTORS
from detector.hospital import Role
from detector.suppression import MOST_DAYS, Suppression

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Row:
    """A suppression and whether it still holds."""

    kept: Suppression
    is_active: bool


@router.get("/suppressions")
def suppressions(view: KnownView, alert: str = "") -> Response:
    """The list; with an alert, the form is filled in for it."""
    now = view.services.health.report(view.person).now_ns
    kept = view.services.suppressions.find(view.person)
    about = view.services.alerts.get(view.person, alert) if alert else None
    budget = view.services.suppressions.budget(view.person)
    return view.show(
        "suppressions.html",
        rows=[Row(s, s.is_active(now)) for s in kept],
        about=about,
        detectors=sorted({d.id for d in DETECTORS}),
        asset_roles=get_args(Role),
        most_days=MOST_DAYS,
        budget=budget,
    )


@router.post("/suppressions")
def make(
    view: KnownView,
    detector: Annotated[str, Form()],
    reason: Annotated[str, Form()],
    days: Annotated[int, Form()] = 30,
    source: Annotated[str, Form()] = "",
    target: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
    window: Annotated[str, Form()] = "",
) -> Response:
    view.services.suppressions.make(
        view.person, detector=detector, reason=reason, days=days, source=source.strip(),
        target=target.strip(), role=role, window=window.strip(),
    )  # fmt: skip
    return view.go("/suppressions", "suppressed")


@router.post("/suppressions/{suppression_id}/end")
def end(view: KnownView, suppression_id: str) -> Response:
    view.services.suppressions.end(view.person, suppression_id)
    return view.go("/suppressions", "unsuppressed")
