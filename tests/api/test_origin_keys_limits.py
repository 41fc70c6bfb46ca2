"""What requests pass: where they come from, keys, sizes, headers, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from api.app import create_app
from api.settings import ApiSettings
from tests.api.house import ORIGIN, Clock, House

JUDGEMENT = {"state": "acknowledged"}
PATH = "/api/v1/alerts/a1/judgement"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site", "Origin": ORIGIN}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
        ({"Origin": ORIGIN}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ORIGIN + "0"}, 403),
        ({}, 403),  # a cookie, but no word of where it comes from
    ],
)
async def test_changes_come_from_our_own_pages(
    house: House, headers: dict[str, str], status: int
) -> None:
    async with house.client("analyst1") as client:
        del client.headers["Origin"]
        answer = await client.post(PATH, json=JUDGEMENT, headers=headers)
        assert answer.status_code == status
        assert (await client.get("/api/v1/alerts", headers=headers)).status_code == 200


async def test_behind_a_proxy_the_public_origin_counts(
    house: House, make_settings: Callable[..., ApiSettings]
) -> None:
    settings = make_settings(
        host="0.0.0.0", tls_proxy=("192.0.2.9",), public_origin="https://mimawari.example"
    )
    app = create_app(settings, house.store, now_ns=house.clock)
    outside = House(**{**house.__dict__, "app": app, "settings": settings})
    async with app.router.lifespan_context(app), outside.client("analyst1") as client:
        own = {"Origin": "https://mimawari.example"}
        assert (await client.post(PATH, json=JUDGEMENT, headers=own)).status_code == 200
        assert (await client.post(PATH, json=JUDGEMENT)).status_code == 403
        answer = await client.get("/healthz")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.fixture
async def key(house: House) -> AsyncIterator[dict[str, Any]]:
    async with house.client("analyst1") as client:
        body = {"name": "SOC", "permissions": ["alerts.read", "alerts.judge"], "days": 30}
        yield (await client.post("/api/v1/keys", json=body)).json()


async def test_a_key_may_what_it_names_and_no_more(house: House, key: dict[str, Any]) -> None:
    bearer = {"Authorization": f"Bearer {key['secret']}"}
    async with house.client() as client:
        del client.headers["Origin"]
        assert (await client.post(PATH, json=JUDGEMENT, headers=bearer)).status_code == 200
        assert (await client.get("/api/v1/lines", headers=bearer)).status_code == 403
        wrong = {"Authorization": bearer["Authorization"] + "x"}
        assert (await client.get("/api/v1/alerts", headers=wrong)).status_code == 401
        basic = {"Authorization": "Basic YTpi"}
        assert (await client.get("/api/v1/alerts", headers=basic)).status_code == 401
    entry = house.audit.entries(action="alert.judge")[0]
    assert (entry.person, entry.key) == ("analyst1", key["key"]["id"])
    assert house.accounts.keys()[0].used_ns == house.clock.now_ns
    row = house.database.read("SELECT * FROM api_key")[0]
    assert key["secret"] not in str(dict(row))


async def test_a_key_ends_with_its_time_its_owner_or_its_revocation(
    house: House, key: dict[str, Any], clock: Clock
) -> None:
    bearer = {"Authorization": f"Bearer {key['secret']}"}
    async with house.client() as client:
        house.accounts.change("analyst1", roles=["auditor"])
        answer = await client.post(PATH, json=JUDGEMENT, headers=bearer)
        assert answer.status_code == 403  # never more than its owner
        house.accounts.change("analyst1", is_active=0)
        assert (await client.get("/api/v1/alerts", headers=bearer)).status_code == 401
        house.accounts.change("analyst1", is_active=1, roles=["analyst"])
        clock.pass_time(days=30, seconds=-1)
        assert (await client.get("/api/v1/alerts", headers=bearer)).status_code == 200
        clock.pass_time(seconds=1)
        assert (await client.get("/api/v1/alerts", headers=bearer)).status_code == 401
        clock.pass_time(days=-1)
        async with house.client("operator1") as other:
            gone = await other.delete(f"/api/v1/keys/{key['key']['id']}")
            assert gone.status_code == 403
        async with house.client("admin1") as admin:
            gone = await admin.delete(f"/api/v1/keys/{key['key']['id']}")
            assert gone.status_code == 204
        assert (await client.get("/api/v1/alerts", headers=bearer)).status_code == 401


async def test_keys_are_asked_for_modestly(house: House) -> None:
    async with house.client("operator1") as client:
        for permissions, days in (
            (["people.manage"], 30), (["isolation.approve"], 30), (["flows.read"], 30), ([], 30),
            (["alerts.read"], 366),
        ):  # fmt: skip
            body = {"name": "x", "permissions": permissions, "days": days}
            assert (await client.post("/api/v1/keys", json=body)).status_code == 422, body
        assert (await client.get("/api/v1/keys")).json() == []


async def test_large_bodies_are_refused_said_or_found_out(
    house: House, make_settings: Callable[..., ApiSettings]
) -> None:
    app = create_app(make_settings(most_body_bytes=2000), house.store, now_ns=house.clock)
    small = House(**{**house.__dict__, "app": app})

    async def unsaid() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    async with app.router.lifespan_context(app), small.client("admin1") as client:
        said = await client.put("/api/v1/ledger", content=b"x" * 2001)
        found_out = await client.put("/api/v1/ledger", content=unsaid())
        as_json = await client.post(PATH, content=unsaid())
        fits = await client.put("/api/v1/ledger", content=b"x" * 2000)
    assert [a.status_code for a in (said, found_out, as_json, fits)] == [413, 413, 413, 422]
    assert found_out.headers["content-type"] == "application/problem+json"


async def test_every_answer_keeps_browsers_strict(house: House) -> None:
    async with house.client() as client:
        for path in ("/healthz", "/nowhere", "/api/v1/alerts"):
            headers = (await client.get(path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/api/v1/alerts/none", 404, "not-found"),
        ("DELETE", "/api/v1/alerts", 405, "method-not-allowed"),
        ("GET", "/api/v1/alerts?limit=0", 422, "unacceptable"),
        ("GET", "/api/v1/alerts?limit=x", 422, "unacceptable"),
    ],
)
async def test_errors_are_problems(
    house: House, method: str, path: str, status: int, kind: str
) -> None:
    async with house.client("viewer1") as client:
        answer = await client.request(method, path)
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, told["status"]) == (status, status)
    assert told["type"] == f"urn:mimawari:problem:{kind}"
    assert told["request_id"] == answer.headers["x-request-id"]


async def test_our_own_faults_tell_no_inside(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise KeyError("secret detail")

    monkeypatch.setattr(house.store, "alerts", break_down)
    async with house.client("viewer1") as client:
        answer = await client.get("/api/v1/alerts")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_wrong_body_never_comes_back(house: House) -> None:
    async with house.client() as client:
        body = {"login": "x", "password": ["my secret password"], "extra": 1}
        answer = await client.post("/api/v1/login", json=body)
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 2
    assert "my secret password" not in answer.text
