"""From a proposal to a cut and back: named people, reasons, an end."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.house import Clock, House

WHY = {"reason": "電子カルテは代替端末で継続"}


async def propose(house: House, by: str = "analyst1") -> dict[str, Any]:
    incident = house.store.incidents()[0].id
    async with house.client(by) as client:
        answer = await client.post(f"/api/v1/incidents/{incident}/plans")
    assert answer.status_code == 201
    return dict(answer.json())


async def move(house: House, who: str, plan: str, verb: str, step: int = 1) -> httpx.Response:
    body = {"note": "抜線した"} if verb == "done" else WHY
    async with house.client(who) as client:
        return await client.post(f"/api/v1/plans/{plan}/steps/{step}/{verb}", json=body)


async def test_a_step_goes_from_proposal_to_undo(house: House, clock: Clock) -> None:
    plan = await propose(house)
    assert plan["proposed_by"] == "analyst1"
    assert plan["steps"][1]["stops"][0]["text"]["en"].startswith("電子カルテ")
    states = []
    for who, verb in (("approver1", "approve"), ("operator1", "done"), ("operator1", "undo")):
        clock.pass_time(seconds=60)
        step = (await move(house, who, plan["id"], verb)).json()["steps"][1]
        states.append((step["state"], step["by"], step["at_ns"] == clock.now_ns))
    assert states == [
        ("approved", "approver1", True), ("done", "operator1", True), ("undone", "operator1", True)
    ]  # fmt: skip
    assert [a for _, a, r in house.actions() if r == "allowed"] == [
        "isolation.propose", "isolation.approve", "isolation.done", "isolation.undo",
    ]  # fmt: skip


async def test_nothing_is_done_before_it_was_approved(house: House) -> None:
    plan = (await propose(house))["id"]
    assert (await move(house, "operator1", plan, "done")).status_code == 409
    assert (await move(house, "operator1", plan, "undo")).status_code == 409
    assert (await move(house, "approver1", plan, "approve", step=7)).status_code == 404
    assert house.actions()[-1] == ("approver1", "isolation.approve", "failed")


async def test_who_proposed_cannot_approve(house: House) -> None:
    plan = (await propose(house, by="admin1"))["id"]
    answer = await move(house, "admin1", plan, "approve")
    assert answer.status_code == 403
    assert (await move(house, "approver1", plan, "approve")).status_code == 200


async def test_an_approval_lapses(house: House, clock: Clock) -> None:
    plan = (await propose(house))["id"]
    step = (await move(house, "approver1", plan, "approve")).json()["steps"][1]
    assert step["expires_ns"] == clock.now_ns + 4 * 3600 * 10**9
    clock.pass_time(hours=4, seconds=1)
    answer = await move(house, "operator1", plan, "done")
    assert answer.status_code == 409
    assert "lapsed" in answer.json()["detail"]
    again = (await propose(house))["id"]
    assert again == f"{plan}-2"
    assert (await move(house, "approver1", again, "approve")).status_code == 200
    assert (await move(house, "operator1", again, "done")).status_code == 200


async def test_an_untouched_plan_is_given_again(house: House) -> None:
    assert (await propose(house))["id"] == (await propose(house))["id"]
    assert len(house.store.plans_of(house.store.incidents()[0].id)) == 1


async def test_a_rejected_step_stays_rejected(house: House) -> None:
    plan = (await propose(house))["id"]
    step = (await move(house, "approver1", plan, "reject")).json()["steps"][1]
    assert (step["state"], step["note"]) == ("rejected", WHY["reason"])
    assert (await move(house, "approver1", plan, "approve")).status_code == 409


async def test_an_approval_says_why(house: House) -> None:
    plan = (await propose(house))["id"]
    async with house.client("approver1") as client:
        path = f"/api/v1/plans/{plan}/steps/1/approve"
        assert (await client.post(path, json={"reason": ""})).status_code == 422
        assert (await client.post(path, json={"reason": "  "})).status_code == 422
