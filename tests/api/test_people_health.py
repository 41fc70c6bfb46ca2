"""People, health, metrics, logs, and flows from a real lake."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

import httpx
import numpy as np
import structlog

from api.app import create_app
from api.logs import configure_logs
from collector.flows import FLOW_DTYPE, FlowBatch, address_number
from collector.lake import Lake
from tests.api.house import START_NS, House

GOOD = "correct horse battery"


async def test_a_new_person_starts_with_a_one_time_password(house: House) -> None:
    body = {"login": "Sato.Hanako", "name": "佐藤 花子", "roles": ["operator", "approver"]}
    async with house.client("admin1") as admin:
        made = (await admin.post("/api/v1/people", json=body)).json()
        again = await admin.post("/api/v1/people", json=body)
        assert again.status_code == 409
        listed = (await admin.get("/api/v1/people")).json()
    assert "$argon2" not in json.dumps(listed)
    login = {"login": "sato.hanako", "password": made["one_time_password"]}
    async with house.client() as client:
        me = (await client.post("/api/v1/login", json=login)).json()
        assert me["must_change_password"] is True
        change = {"old": login["password"], "new": GOOD}
        me = (await client.post("/api/v1/me/password", json=change)).json()
    assert me["roles"] == ["approver", "operator"]
    assert {"isolation.approve", "isolation.carry_out"} <= set(me["permissions"])


async def test_a_reset_ends_sessions(house: House) -> None:
    async with house.client("viewer1") as viewer, house.client("admin1") as admin:
        assert (await viewer.get("/api/v1/me")).status_code == 200
        await admin.post("/api/v1/people/viewer1/password")
        assert (await viewer.get("/api/v1/me")).status_code == 401


async def test_the_last_admin_stays(house: House) -> None:
    async with house.client("admin1") as admin:
        demoted = await admin.put("/api/v1/people/admin1/roles", json={"roles": ["viewer"]})
        closed = await admin.post("/api/v1/people/admin1/close")
        assert (demoted.status_code, closed.status_code) == (409, 409)
        await admin.put("/api/v1/people/target1/roles", json={"roles": ["admin"]})
        closed = await admin.post("/api/v1/people/admin1/close")
        assert closed.status_code == 200


async def test_crooked_people_are_refused_with_all_faults(house: House) -> None:
    body = {"login": "a b", "name": " ", "roles": []}
    async with house.client("admin1") as admin:
        answer = await admin.post("/api/v1/people", json=body)
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 3


async def test_health_says_what_was_shed(house: House) -> None:
    async with house.client("viewer1") as client:
        told = (await client.get("/api/v1/health")).json()
        text = (await client.get("/metrics")).text
    assert told["collector"]["shed"] == {"queue": 3}
    assert 'mimawari_shed{cause="queue"} 3.0' in text
    assert 'mimawari_alerts{severity="high",state="new"} 2.0' in text
    assert 'mimawari_http_requests_total{method="GET",route="/api/v1/health",status="200"}' in text


async def test_routes_are_counted_by_pattern(house: House) -> None:
    async with house.client("viewer1") as client:
        for n in range(5):
            await client.get(f"/api/v1/alerts/none{n}")
            await client.get(f"/nowhere{n}")
        text = (await client.get("/metrics")).text
    assert "none1" not in text
    assert "nowhere1" not in text


async def test_readiness_notices_a_dead_database(house: House, logs: io.StringIO) -> None:
    async with house.client() as client:
        assert (await client.get("/readyz")).json()["ready"] is True
        house.store.close()
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {"store": False, "people": True}
    told = [line for line in map(json.loads, logs.getvalue().splitlines()) if line.get("part")]
    assert [(line["part"], "is not open" in line["fault"]) for line in told] == [("store", True)]


async def test_the_log_tells_who_asked_and_no_secret(house: House, logs: io.StringIO) -> None:
    async with house.client("viewer1") as client:
        await client.get("/api/v1/alerts/a1")
        token = client.cookies["mimawari"]
    lines = [json.loads(line) for line in logs.getvalue().splitlines()]
    request = next(line for line in lines if line["event"] == "request")
    assert (request["person"], request["route"]) == ("viewer1", "/api/v1/alerts/{alert_id}")
    audit = next(line for line in lines if line["event"] == "audit")
    assert audit["head"] == house.audit.verify().head
    assert token not in logs.getvalue()


def test_what_is_called_a_secret_is_hidden() -> None:
    written = io.StringIO()
    configure_logs(written, as_json=True)
    structlog.get_logger().info("oops", new_password="hunter2", token="abc", login="x")
    told = json.loads(written.getvalue())
    assert (told["new_password"], told["token"], told["login"]) == ("(hidden)", "(hidden)", "x")


async def hunt(house: House, query: str) -> httpx.Response:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        rows = np.zeros(3, FLOW_DTYPE)
        rows["first_ns"] = START_NS + np.arange(3)
        rows["last_ns"] = rows["reported_ns"] = rows["first_ns"] + 1000
        rows["source"] = address_number("10.1.0.5")
        for row, peer in enumerate(("10.1.0.9", "10.1.0.9", "10.1.0.10")):
            rows["destination"][row] = address_number(peer)
        rows["destination_port"] = (445, 135, 445)
        lake.append(FlowBatch(rows))
        app = create_app(house.settings, house.store, lake=lake, now_ns=house.clock)
        with_lake = House(**{**house.__dict__, "app": app})
        async with app.router.lifespan_context(app), with_lake.client("analyst1") as client:
            return await client.get(f"/api/v1/flows?{query}")


async def test_a_hunt_finds_flows_and_is_on_record(house: House) -> None:
    answer = await hunt(house, "host=10.1.0.5&peer=10.1.0.9&port=445")
    (flow,) = answer.json()
    assert (flow["source"], flow["destination_port"]) == ("10.1.0.5", 445)
    assert flow["first_ns"] == START_NS
    entry = house.audit.entries(action="flows.hunt")[0]
    assert entry.details["host"] == "10.1.0.5"


async def test_a_crooked_hunt_is_refused(house: House) -> None:
    answer = await hunt(house, "host=ward-pc&peer=x&since_ns=5&until_ns=4")
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 3
