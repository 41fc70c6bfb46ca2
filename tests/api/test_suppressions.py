"""Suppressions hold at once and for what was told already, expire, and still count."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from detector.alerts import Party
from detector.store import Store
from tests.api.house import SECOND_NS, START_NS, House, make_alert

ASKED = {"detector": "admin_share", "source": "10.1.0.5", "reason": "資産管理の巡回", "days": 30}


async def test_it_holds_at_once_for_what_was_told_already(house: House) -> None:
    house.store.save_alerts([make_alert("b1", source=Party("10.1.0.77"))])
    async with house.client("analyst1") as client:
        made = await client.post("/api/v1/suppressions", json=ASKED)
        assert made.status_code == 201
        told = {a.id: a for a in house.store.alerts()}
        assert {told[i].state for i in ("a1", "a2", "a3")} == {"suppressed"}
        assert told["a1"].state_reason == "資産管理の巡回"
        assert told["b1"].state == "new"
        hosts = {h for i in house.store.incidents() for h in i.hosts}
        assert "10.1.0.5" not in hosts
        ended = await client.post(f"/api/v1/suppressions/{made.json()['id']}/end")
        assert ended.json()["ended_by"] == "analyst1"
    assert {a.state for a in house.store.alerts()} == {"new"}
    assert {h for i in house.store.incidents() for h in i.hosts} >= {"10.1.0.5"}


async def test_a_persons_verdict_is_stronger(house: House) -> None:
    async with house.client("analyst1") as client:
        verdict = {"state": "true", "reason": "侵入でした"}
        await client.post("/api/v1/alerts/a2/judgement", json=verdict)
        await client.post("/api/v1/suppressions", json=ASKED)
    told = {a.id: a.state for a in house.store.alerts()}
    assert (told["a2"], told["a3"]) == ("true", "suppressed")


async def test_every_fault_is_told_at_once(house: House) -> None:
    async with house.client("analyst1") as client:
        wrong = {"detector": "admin_share", "reason": " ", "window": "sometimes"}
        answer = await client.post("/api/v1/suppressions", json=wrong)
        assert answer.status_code == 422
        assert [e.split(":")[0] for e in answer.json()["errors"]] == [
            "source, target, role", "reason", "window",
        ]  # fmt: skip
        long = await client.post("/api/v1/suppressions", json={**ASKED, "days": 91})
        assert long.status_code == 422


async def test_what_is_grave_by_itself_stays_loud(house: House) -> None:
    grave = make_alert("g1", detector="landing_pivot", source=Party("10.1.0.66"))
    house.store.save_alerts([grave])
    async with house.client("analyst1") as client:
        asked = {**ASKED, "detector": "landing_pivot", "source": "10.1.0.66"}
        answer = await client.post("/api/v1/suppressions", json=asked)
        assert answer.status_code == 422
        assert "grave" in answer.json()["detail"]


async def test_the_budget_is_told(house: House) -> None:
    house.store.save_note("budget", {"overall": 1.1, "last_rate": 4.2, "limit": 3.0})
    async with house.client("viewer1") as client:
        told = (await client.get("/api/v1/budget")).json()
    assert (told["overall"], told["last_rate"]) == (1.1, 4.2)


def test_verdicts_and_the_engines_saves_do_not_lose_each_other(
    house: House, tmp_path: Path
) -> None:
    """A person judges while the engine keeps adding to the same alert, from another connection."""
    engine = Store(tmp_path / "detector.db").open()
    first = make_alert("r1")
    engine.save_alerts([first])

    def add() -> None:
        for n in range(200):
            later = replace(first, last_ns=START_NS + n * SECOND_NS, score=80 + n / 100)
            engine.save_alerts([later], keep_states=True)

    working = threading.Thread(target=add)
    working.start()
    for n in range(60):
        house.store.judge_alert("r1", "acknowledged", f"{n}", "operator1")
    working.join()
    engine.close()
    told = house.store.alert("r1")
    assert told is not None
    assert (told.state, told.state_reason) == ("acknowledged", "59")
    assert told.last_ns == START_NS + 199 * SECOND_NS
