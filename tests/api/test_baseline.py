"""What was learnt, and what people decide about it."""

from __future__ import annotations

from tests.api.house import House

GROUP = {
    "key": "modality|10.1.0.9|7", "source_role": "modality", "target": "10.1.0.9",
    "target_name": "emr-db", "target_role": "database", "service": "DICOM", "count": 12,
    "sources": ["10.1.0.5"], "waits": False, "days": 2, "first_ns": 1, "last_ns": 2,
}  # fmt: skip
NOTE = {
    "phase": "review", "days": 30, "needs_days": 28, "frozen_ns": 0, "now_ns": 1,
    "counts": {"accepted": 5, "pending": 12}, "groups": [GROUP], "more_groups": 0,
}  # fmt: skip


async def test_before_anything_was_learnt_it_says_so(house: House) -> None:
    async with house.client("viewer1") as client:
        told = (await client.get("/api/v1/baseline")).json()
    assert (told["phase"], told["groups"]) == ("", [])


async def test_a_group_is_accepted_once_and_waits_to_be_taken_over(house: House) -> None:
    house.store.save_note("baseline", NOTE)
    async with house.client("analyst1") as client:
        made = await client.post("/api/v1/baseline/accept", json={"group": GROUP["key"]})
        assert (made.status_code, made.json()["by"]) == (200, "analyst1")
        told = (await client.get("/api/v1/baseline")).json()
        assert told["groups"][0]["is_decided"]
        assert told["pending"] == 1
        unknown = await client.post("/api/v1/baseline/accept", json={"group": "a|b|1"})
        assert unknown.status_code == 404
    assert house.store.decisions()[0].group == GROUP["key"]
    house.store.save_note("baseline_decided", {"number": 1})
    async with house.client("viewer1") as client:
        assert (await client.get("/api/v1/baseline")).json()["pending"] == 0


async def test_freezing_and_learning_anew_need_a_reason(house: House) -> None:
    async with house.client("analyst1") as client:
        for path, body in (("freeze", {}), ("relearn", {"host": "10.1.0.5"})):
            bare = await client.post(f"/api/v1/baseline/{path}", json={**body, "reason": " "})
            assert bare.status_code == 422
            body["reason"] = "感染の疑い"
            assert (await client.post(f"/api/v1/baseline/{path}", json=body)).status_code == 200
        ghost = {"host": "10.9.9.9", "reason": "r"}
        assert (await client.post("/api/v1/baseline/relearn", json=ghost)).status_code == 404
    assert [d.deed for d in house.store.decisions()] == ["freeze", "relearn"]
    assert ("analyst1", "baseline.freeze", "allowed") in house.actions()
