"""Remote maintenance: bookings, and slips that somebody confirms and prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Response

from api.faults import Unacceptable
from api.services.maintenance import target_text
from dashboards.clock import size
from dashboards.view import KnownView, View, file_response
from detector.hospital import Booking
from detector.lines.maintenance_window import windows_text
from detector.slips import SlipTarget

router = APIRouter(include_in_schema=False)
_MOST_BOOKINGS = 30


@dataclass(frozen=True)
class TargetRow:
    """A machine that was reached, in words."""

    name: str
    end: str
    bytes: str
    is_allowed: bool


@router.get("/maintenance")
def maintenance(view: KnownView) -> Response:
    return view.show(
        "maintenance.html",
        slips=view.services.maintenance.slips(view.person),
        bookings=view.services.maintenance.bookings(view.person)[:_MOST_BOOKINGS],
        register=view.services.lines.register(view.person),
        state_of=lambda booking: _state(view, booking),
        nanoseconds=lambda at: int(at.timestamp()) * 10**9,
    )


@router.get("/slips.csv")
def export(view: KnownView) -> Response:
    content = view.services.maintenance.export(view.person, view.settings.timezone, view.lang)
    return file_response(content, "maintenance-slips.csv", "text/csv; charset=utf-8")


@router.post("/bookings")
def book(
    view: KnownView,
    line: Annotated[str, Form()],
    start: Annotated[str, Form()],
    end: Annotated[str, Form()],
    person: Annotated[str, Form()],
    purpose: Annotated[str, Form()],
    approver: Annotated[str, Form()],
) -> Response:
    view.services.maintenance.book(
        view.person, line, _local(view, start), _local(view, end),
        who=person, purpose=purpose, approver=approver,
    )  # fmt: skip
    return view.go("/maintenance", "booked")


@router.post("/bookings/{booking_id}/cancel")
def cancel(view: KnownView, booking_id: str) -> Response:
    view.services.maintenance.cancel(view.person, booking_id)
    return view.go("/maintenance", "booking_cancelled")


@router.get("/slips/{slip_id}")
def slip(view: KnownView, slip_id: str) -> Response:
    found = view.services.maintenance.slip(view.person, slip_id)
    booking = next(
        (b for b in view.services.maintenance.bookings(view.person) if b.id == found.slip.booking),
        None,
    )
    line = view.services.maintenance.line_of(found.slip)
    return view.show(
        "slip.html",
        found=found,
        slip=found.slip,
        line=line,
        windows=windows_text(line.windows if line else ()),
        booking=booking,
        sent=size(found.slip.bytes_out),
        received=size(found.slip.bytes_in),
        targets=[_target(view, t) for t in found.slip.targets],
    )


@router.post("/slips/{slip_id}/confirm")
def confirm(view: KnownView, slip_id: str, note: Annotated[str, Form()] = "") -> Response:
    view.services.maintenance.confirm(view.person, slip_id, note)
    return view.go(f"/slips/{slip_id}", "slip_confirmed")


def _target(view: View, target: SlipTarget) -> TargetRow:
    known = view.directory.find(target.ip)
    name = known.name if known and known.name else target.ip
    return TargetRow(name, target_text(target), size(target.bytes), target.is_allowed)


def _state(view: View, booking: Booking) -> str:
    if booking.is_cancelled:
        return view.t("booking.cancelled")
    now = datetime.now(view.clock.zone)
    if now > booking.end:
        return view.t("booking.over")
    return view.t("booking.running") if now >= booking.start else view.t("booking.coming")


def _local(view: View, text: str) -> datetime:
    """A time as the browser's field gives it, on the hospital's clock."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=view.clock.zone)
    except ValueError:
        raise Unacceptable(f"time: must be such as 2026-10-01T09:00, got {text[:40]!r}") from None
