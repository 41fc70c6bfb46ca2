"""The audit chain: it grows, it never shrinks, and tampering shows where it happened."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from tests.api.house import Clock, House


def write_some(house: House, count: int) -> None:
    for n in range(count):
        house.audit.write(
            "alert.judge", f"alert/{n}", "allowed",
            person="analyst1", address="192.0.2.7", details={"reason": "確認", "n": n},
        )  # fmt: skip


def tamper(house: House, change: str) -> None:
    """What somebody with the file can do: drop the triggers first."""
    with house.database.write() as connection:
        connection.execute("DROP TRIGGER audit_keeps")
        connection.execute("DROP TRIGGER audit_stays")
        connection.execute(change)


def test_a_whole_chain_verifies_and_names_its_head(house: House) -> None:
    write_some(house, 1100)
    verdict = house.audit.verify()
    assert verdict.is_whole
    assert verdict.entries == 1100
    assert verdict.head == house.audit.entries(limit=1)[0].hash


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE audit SET person = 'nobody' WHERE number = 3", 3),
        ("""UPDATE audit SET details = '{"reason": "x"}' WHERE number = 5""", 5),
        ("UPDATE audit SET details = 'not json' WHERE number = 5", 5),
        ("UPDATE audit SET at_ns = at_ns + 1 WHERE number = 1", 1),
        ("UPDATE audit SET hash = 'f' WHERE number = 7", 7),
        ("DELETE FROM audit WHERE number = 4", 4),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("UPDATE audit SET number = 100 WHERE number = 10", 10),
    ],
)
def test_tampering_shows_at_its_row(house: House, change: str, broken: int) -> None:
    write_some(house, 10)
    tamper(house, change)
    verdict = house.audit.verify()
    assert verdict.broken_at == broken
    assert str(broken) in verdict.reason


def test_a_row_forged_with_its_own_hash_breaks_the_next(house: House) -> None:
    write_some(house, 10)
    fourth, fifth = reversed(house.audit.entries(before=6, limit=2))
    forged = replace(fifth, person="nobody")
    tamper(
        house,
        "UPDATE audit SET person = 'nobody',"
        f" hash = '{forged.hash_after(fourth.hash)}' WHERE number = 5",
    )
    assert house.audit.verify().broken_at == 6


def test_the_database_itself_refuses_to_change_rows(house: House) -> None:
    write_some(house, 1)
    for change in ("UPDATE audit SET person = 'x'", "DELETE FROM audit"):
        with (
            pytest.raises(sqlite3.IntegrityError, match="append-only"),
            house.database.write() as connection,
        ):
            connection.execute(change)


async def test_changes_refusals_and_failures_are_on_record(house: House) -> None:
    async with house.client("viewer1") as viewer:
        await viewer.post("/api/v1/alerts/a1/judgement", json={"state": "true", "reason": "x"})
    async with house.client("analyst1") as analyst:
        await analyst.post("/api/v1/alerts/a1/judgement", json={"state": "true", "reason": "x"})
        await analyst.post("/api/v1/alerts/zz/judgement", json={"state": "true", "reason": "x"})
    assert house.actions() == [
        ("viewer1", "alert.judge", "refused"),
        ("analyst1", "alert.judge", "allowed"),
        ("analyst1", "alert.judge", "allowed"),
        ("analyst1", "alert.judge", "failed"),
    ]
    entry = house.audit.entries(limit=3)[-1]
    assert (entry.thing, entry.address) == ("alert/a1", "192.0.2.7")
    assert entry.details == {"state": "true", "reason": "x"}


async def test_the_same_look_is_one_entry_for_ten_minutes(house: House, clock: Clock) -> None:
    async with house.client("viewer1") as viewer:
        for _ in range(5):
            await viewer.get("/api/v1/alerts/a1")
        await viewer.get("/api/v1/alerts/a2")
        assert len(house.actions()) == 2
        clock.pass_time(seconds=600)
        await viewer.get("/api/v1/alerts/a1")
        assert len(house.actions()) == 3


async def test_an_auditor_pages_through_and_verifies(house: House) -> None:
    write_some(house, 25)
    numbers: list[int] = []
    cursor = ""
    async with house.client("auditor1") as auditor:
        while True:
            query = {"cursor": cursor, "limit": "10", "action": "alert.judge"}
            page = (await auditor.get("/api/v1/audit", params=query)).json()
            numbers += [entry["number"] for entry in page["items"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
        verdict = (await auditor.post("/api/v1/audit/verify")).json()
    assert numbers == list(range(25, 0, -1))
    assert verdict["is_whole"] is True


async def test_nothing_happens_that_cannot_be_put_on_record(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("api.audit.Audit.write", full)
    async with house.client("analyst1") as analyst:
        answer = await analyst.post("/api/v1/alerts/a1/judgement", json={"state": "acknowledged"})
    assert answer.status_code == 500
    assert "disk" not in answer.text
    stored = house.store.alert("a1")
    assert stored is not None
    assert stored.state == "new"
