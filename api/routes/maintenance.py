"""Remote maintenance: bookings and slips."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import AwareDatetime, Field

from api.people import Language
from api.routes.bodies import Asked
from api.routes.router import Limit, make_router
from api.web.sessions import Asker, UseCases
from detector.hospital import Booking

router = make_router("lines")


class BookingRequest(Asked):
    """Who will use which line, when and what for; times carry a zone."""

    line: str = Field(min_length=1, max_length=100, description="the register's id")
    start: AwareDatetime
    end: AwareDatetime
    person: str = Field(min_length=1, max_length=200, description="who will work, and for whom")
    purpose: str = Field(min_length=1, max_length=500)
    approver: str = Field(min_length=1, max_length=200)


class Confirmation(Asked):
    note: str = Field("", max_length=1000, description="needed where the job left its scope")


@router.get("/bookings")
def list_bookings(asker: Asker, use: UseCases) -> list[Booking]:
    """Booked maintenance, the latest first."""
    return use.maintenance.bookings(asker)


@router.post("/bookings", status_code=201)
def book(request: BookingRequest, asker: Asker, use: UseCases) -> Booking:
    """Open a registered line for a time."""
    return use.maintenance.book(
        asker, request.line, request.start, request.end,
        who=request.person, purpose=request.purpose, approver=request.approver,
    )  # fmt: skip


@router.post("/bookings/{booking_id}/cancel")
def cancel_booking(booking_id: str, asker: Asker, use: UseCases) -> Booking:
    """Take a booking back."""
    return use.maintenance.cancel(asker, booking_id)


@router.get("/slips")
def list_slips(
    asker: Asker,
    use: UseCases,
    line: Annotated[str, Query(max_length=100)] = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """Slips of remote maintenance, the latest first."""
    return [found.to_json() for found in use.maintenance.slips(asker, line, limit)]


@router.get("/slips.csv", response_class=Response)
def export_slips(
    asker: Asker, use: UseCases, timezone: str = "Asia/Tokyo", language: Language = "ja"
) -> Response:
    """All slips as a file."""
    headers = {"Content-Disposition": 'attachment; filename="slips.csv"'}
    content = use.maintenance.export(asker, timezone, language)
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/slips/{slip_id}")
def get_slip(slip_id: str, asker: Asker, use: UseCases) -> dict[str, Any]:
    """One slip."""
    return use.maintenance.slip(asker, slip_id).to_json()


@router.post("/slips/{slip_id}/confirm")
def confirm_slip(
    slip_id: str, confirmation: Confirmation, asker: Asker, use: UseCases
) -> dict[str, Any]:
    """Say that the hospital has looked at what was done."""
    return use.maintenance.confirm(asker, slip_id, confirmation.note).to_json()
