"""Booked maintenance and its slips: who may, what is refused, what comes out."""

from __future__ import annotations

from typing import Any

import pytest

from detector.slips import MaintenanceSlip, SlipTarget
from tests.api.house import SECOND_NS, START_NS, House

BOOKING = {
    "line": "L-1", "start": "2025-06-16T09:00:00+09:00", "end": "2025-06-16T12:00:00+09:00",
    "person": "保守会社 田中", "purpose": "定期点検", "approver": "佐藤",
}  # fmt: skip


def slip(**changes: Any) -> MaintenanceSlip:
    told: dict[str, Any] = {
        "id": "s1", "line": "L-1", "vendor": "保守会社", "system": "PACS", "first_ns": START_NS,
        "last_ns": START_NS + 600 * SECOND_NS, "is_open": False, "peer": "203.0.113.5",
        "device": "10.1.0.1", "landed_as": ("10.1.0.9",), "bytes_out": 5, "bytes_in": 7,
        "targets": (SlipTarget("10.1.0.40", 3389, "rdp", 1, 9, False),), "users": ("=vendor",),
        "booking": "", "is_in_hours": True, "is_in_scope": False,
    }  # fmt: skip
    return MaintenanceSlip(**{**told, **changes})


async def test_a_booking_is_made_and_taken_back(house: House) -> None:
    async with house.client("analyst1") as client:
        made = await client.post("/api/v1/bookings", json=BOOKING)
        assert made.status_code == 201
        listed = (await client.get("/api/v1/bookings")).json()
        assert [(b["person"], b["made_by"]) for b in listed] == [("保守会社 田中", "analyst1")]
        gone = await client.post(f"/api/v1/bookings/{made.json()['id']}/cancel")
    assert gone.json()["is_cancelled"]
    assert [b.is_cancelled for b in house.store.bookings()] == [True]
    assert ("analyst1", "booking.make", "allowed") in house.actions()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"line": "L-9"}, 422),
        ({"end": "2025-06-16T08:00:00+09:00"}, 422),
        ({"end": "2026-06-16T08:00:00+09:00"}, 422),
        ({"start": "2025-06-16T09:00:00"}, 422),  # no zone
        ({"person": ""}, 422),
    ],
)
async def test_what_cannot_be_booked(house: House, changes: dict[str, str], code: int) -> None:
    async with house.client("analyst1") as client:
        answer = await client.post("/api/v1/bookings", json={**BOOKING, **changes})
    assert answer.status_code == code
    assert house.store.bookings() == []


async def test_viewers_look_and_do_not_touch(house: House) -> None:
    house.store.save_slips([slip()])
    async with house.client("viewer1") as client:
        assert (await client.post("/api/v1/bookings", json=BOOKING)).status_code == 403
        assert (await client.post("/api/v1/slips/s1/confirm", json={})).status_code == 403
        assert [s["id"] for s in (await client.get("/api/v1/slips?line=L-1")).json()] == ["s1"]
        assert (await client.get("/api/v1/slips/s9")).status_code == 404


async def test_a_slip_outside_its_scope_needs_a_remark(house: House) -> None:
    house.store.save_slips([slip(), slip(id="s2", is_open=True)])
    async with house.client("analyst1") as client:
        assert (await client.post("/api/v1/slips/s1/confirm", json={})).status_code == 422
        assert (await client.post("/api/v1/slips/s2/confirm", json={})).status_code == 409
        done = await client.post("/api/v1/slips/s1/confirm", json={"note": "業者に確認済み"})
    assert (done.json()["confirmed_by"], done.json()["confirmed_note"]) == (
        "analyst", "業者に確認済み",
    )  # fmt: skip
    assert done.json()["confirmed_ns"] == START_NS


async def test_slips_as_a_file_for_excel(house: House) -> None:
    house.store.save_slips([slip()])
    async with house.client("viewer1") as client:
        told = (await client.get("/api/v1/slips.csv")).content
    text = told.decode("utf-8-sig")
    assert text.startswith("伝票番号,回線番号,業者")
    assert "2025-06-16 00:06:40" in text
    assert "10.1.0.40:3389 (rdp) ※範囲外" in text
    assert "'=vendor" in text  # never a formula


@pytest.mark.parametrize("timezone", ["", "Moon/Base", "../../etc/passwd", "Asia"])
async def test_a_time_zone_that_is_none_is_refused_in_words(house: House, timezone: str) -> None:
    async with house.client("viewer1") as client:
        told = await client.get("/api/v1/slips.csv", params={"timezone": timezone})
    assert told.status_code == 422
    assert "Asia/Tokyo" in told.text
