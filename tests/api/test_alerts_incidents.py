"""The queue and the story."""

from __future__ import annotations

from dataclasses import replace

from tests.api.house import SECOND_NS, START_NS, House, make_alert


async def test_alerts_come_newest_first_in_pages_without_gaps(house: House) -> None:
    many = [make_alert(f"m{n:03}", last_ns=START_NS + n // 3 * SECOND_NS) for n in range(250)]
    house.store.save_alerts(many)
    seen: list[tuple[int, str]] = []
    cursor = ""
    async with house.client("viewer1") as client:
        while True:
            page = (await client.get("/api/v1/alerts", params={"cursor": cursor})).json()
            seen += [(a["last_ns"], a["id"]) for a in page["items"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
    assert len(seen) == 253
    assert seen == sorted(seen, reverse=True)


async def test_filters_ask_the_store(house: House) -> None:
    async with house.client("viewer1") as client:
        page = (await client.get("/api/v1/alerts?category=external_line&severity=medium")).json()
        assert [a["id"] for a in page["items"]] == ["a1"]
        counts = (await client.get("/api/v1/alerts/counts")).json()
        assert {(c["severity"], c["count"]) for c in counts} == {("high", 2), ("medium", 1)}
        wrong = await client.get("/api/v1/alerts?severity=terrible")
        assert wrong.status_code == 422


async def test_foreign_cursors_are_refused(house: House) -> None:
    async with house.client("viewer1") as client:
        for cursor in ("x", "W10", "WyJhIiwgImIiXQ", "bnVsbA", "=" * 400, "é"):
            answer = await client.get("/api/v1/alerts", params={"cursor": cursor})
            assert answer.status_code == 422, cursor


async def test_an_alert_is_told_as_the_command_line_tells_it(house: House) -> None:
    stored = house.store.alert("a2")
    assert stored is not None
    async with house.client("viewer1") as client:
        told = (await client.get("/api/v1/alerts/a2")).json()
    assert told == stored.to_json()


async def test_a_judgement_stays_with_its_reason_and_name(house: House) -> None:
    async with house.client("operator1") as client:
        no_reason = await client.post("/api/v1/alerts/a1/judgement", json={"state": "false"})
        assert no_reason.status_code == 422
        body = {"state": "benign_explained", "reason": " 定期保守 "}
        answer = await client.post("/api/v1/alerts/a1/judgement", json=body)
        assert answer.status_code == 200
        back = await client.post("/api/v1/alerts/a1/judgement", json={"state": "new"})
        assert back.status_code == 422
    stored = house.store.alert("a1")
    assert stored is not None
    assert (stored.state, stored.state_reason, stored.state_by) == (
        "benign_explained", "定期保守", "operator1",
    )  # fmt: skip


async def test_a_story_runs_in_the_order_of_an_intrusion(house: House) -> None:
    incident = house.store.incidents()[0]
    async with house.client("viewer1") as client:
        story = (await client.get(f"/api/v1/incidents/{incident.id}")).json()
    told = [(c["stage"], [a["id"] for a in c["alerts"]]) for c in story["chapters"]]
    assert told == [("external_line", ["a1"]), ("lateral_movement", ["a3", "a2"])]
    assert story["untold"] == 0
    assert story["incident"]["priority"] == incident.priority


async def test_closing_needs_words_and_happens_once(house: House) -> None:
    path = f"/api/v1/incidents/{house.store.incidents()[0].id}/close"
    async with house.client("analyst1") as client:
        assert (await client.post(path, json={"note": " "})).status_code == 422
        closed = (await client.post(path, json={"note": "訓練でした"})).json()
        assert (closed["state"], closed["owner"]) == ("closed", "analyst1")
        assert (await client.post(path, json={"note": "again"})).status_code == 409
        page = (await client.get("/api/v1/incidents?state=open")).json()
        assert page["items"] == []


async def test_what_is_urgent_stands_before_what_is_grave(house: House) -> None:
    first = house.store.incidents()[0]
    waits = replace(first, id="waits", push="digest", priority=99.0)
    pressing = replace(first, id="pressing", push="immediate", priority=40.0)
    house.store.save_incidents([waits, pressing])
    async with house.client("viewer1") as client:
        page = (await client.get("/api/v1/incidents")).json()
    ids = [i["id"] for i in page["items"]]
    assert ids.index("pressing") < ids.index("waits")


async def test_incidents_page_through(house: House) -> None:
    first = house.store.incidents()[0]
    more = [type(first)(**{**first.__dict__, "id": f"i{n}", "priority": n}) for n in range(120)]
    house.store.save_incidents(more)
    async with house.client("viewer1") as client:
        page = (await client.get("/api/v1/incidents?limit=100")).json()
        rest = await client.get("/api/v1/incidents", params={"cursor": page["next_cursor"]})
    priorities = [i["priority"] for i in (*page["items"], *rest.json()["items"])]
    assert len(priorities) == 121
    assert priorities == sorted(priorities, reverse=True)
    assert rest.json()["next_cursor"] == ""
