"""Who may do what: every route, for every role and for strangers, in one table."""

from __future__ import annotations

import pytest

from api.permissions import KEY_PERMISSIONS, PERMISSIONS, PERMISSIONS_OF, ROLES
from tests.api.house import House

ANY = frozenset(ROLES)
JUDGES = {"operator", "analyst", "admin"}
DIGGERS = {"analyst", "admin"}
ADMIN = {"admin"}
OPEN = None  # for strangers too

JUDGEMENT = {"state": "true", "reason": "確認した"}
REASON = {"reason": "because"}
PERSON = {"login": "new.one", "name": "New", "roles": ["viewer"]}
KEY = {"name": "grafana", "permissions": ["metrics.read"], "days": 30}
BOOKING = {
    "line": "L-1", "start": "2025-06-16T09:00:00Z", "end": "2025-06-16T12:00:00Z",
    "person": "p", "purpose": "p", "approver": "a",
}  # fmt: skip

SUPPRESSION = {"detector": "admin_share", "source": "10.1.0.5", "reason": "r"}

#: (method, route, body, who may)
TABLE: list[tuple[str, str, object, set[str] | frozenset[str] | None]] = [
    ("POST", "/api/v1/login", {"login": "admin1", "password": "wrong"}, OPEN),
    ("POST", "/api/v1/logout", None, ANY),
    ("GET", "/api/v1/me", None, ANY),
    ("POST", "/api/v1/me/password", {"old": "wrong", "new": "wrong"}, ANY),
    ("GET", "/api/v1/alerts", None, ANY),
    ("GET", "/api/v1/alerts/counts", None, ANY),
    ("GET", "/api/v1/alerts/{alert_id}", None, ANY),
    ("POST", "/api/v1/alerts/{alert_id}/judgement", JUDGEMENT, JUDGES),
    ("GET", "/api/v1/alerts/{alert_id}/packets", None, DIGGERS),
    ("GET", "/api/v1/alerts/{alert_id}/evidence.pcap", None, DIGGERS),
    ("GET", "/api/v1/suppressions", None, ANY),
    ("POST", "/api/v1/suppressions", SUPPRESSION, DIGGERS),
    ("POST", "/api/v1/suppressions/{suppression_id}/end", None, DIGGERS),
    ("GET", "/api/v1/budget", None, ANY),
    ("GET", "/api/v1/baseline", None, ANY),
    ("POST", "/api/v1/baseline/accept", {"group": "terminal|10.1.0.9|7"}, DIGGERS),
    ("POST", "/api/v1/baseline/relearn", {"host": "10.1.0.5", "reason": "r"}, DIGGERS),
    ("POST", "/api/v1/baseline/freeze", {"reason": "r"}, DIGGERS),
    ("POST", "/api/v1/baseline/thaw", {"reason": "r"}, DIGGERS),
    ("GET", "/api/v1/incidents", None, ANY),
    ("GET", "/api/v1/incidents/{incident_id}", None, ANY),
    ("POST", "/api/v1/incidents/{incident_id}/close", {"note": "done"}, DIGGERS),
    ("GET", "/api/v1/incidents/{incident_id}/plans", None, ANY),
    ("POST", "/api/v1/incidents/{incident_id}/plans", None, DIGGERS),
    ("GET", "/api/v1/plans/{plan_id}", None, ANY),
    ("POST", "/api/v1/plans/{plan_id}/steps/{step}/approve", REASON, {"approver", "admin"}),
    ("POST", "/api/v1/plans/{plan_id}/steps/{step}/reject", REASON, {"approver", "admin"}),
    ("POST", "/api/v1/plans/{plan_id}/steps/{step}/done", {"note": ""}, {"operator", "admin"}),
    ("POST", "/api/v1/plans/{plan_id}/steps/{step}/undo", REASON, {"operator", "admin"}),
    ("GET", "/api/v1/assets", None, ANY),
    ("GET", "/api/v1/assets/counts", None, ANY),
    ("GET", "/api/v1/assets/{ip}", None, ANY),
    ("PUT", "/api/v1/ledger", "nonsense", JUDGES),
    ("GET", "/api/v1/ledger.{form}", None, ANY),
    ("GET", "/api/v1/ledger-template.{form}", None, ANY),
    ("GET", "/api/v1/lines", None, ANY),
    ("GET", "/api/v1/lines/evidence", None, ANY),
    ("GET", "/api/v1/coverage", None, ANY),
    ("GET", "/api/v1/register", None, ANY),
    ("PUT", "/api/v1/register", "nonsense", DIGGERS),
    ("GET", "/api/v1/register.{form}", None, ANY),
    ("GET", "/api/v1/register-template.{form}", None, ANY),
    ("GET", "/api/v1/bookings", None, ANY),
    ("POST", "/api/v1/bookings", BOOKING, DIGGERS),
    ("POST", "/api/v1/bookings/{booking_id}/cancel", None, DIGGERS),
    ("GET", "/api/v1/slips", None, ANY),
    ("GET", "/api/v1/slips.csv", None, ANY),
    ("GET", "/api/v1/slips/{slip_id}", None, ANY),
    ("POST", "/api/v1/slips/{slip_id}/confirm", {"note": ""}, DIGGERS),
    ("GET", "/api/v1/setup", None, ANY),
    ("POST", "/api/v1/setup", {"plan": "nonsense"}, ADMIN),
    ("GET", "/api/v1/flows", None, DIGGERS),
    ("GET", "/api/v1/health", None, ANY),
    ("GET", "/api/v1/people", None, ADMIN),
    ("POST", "/api/v1/people", PERSON, ADMIN),
    ("PUT", "/api/v1/people/{login}/roles", {"roles": ["viewer"]}, ADMIN),
    ("POST", "/api/v1/people/{login}/close", None, ADMIN),
    ("POST", "/api/v1/people/{login}/open", None, ADMIN),
    ("POST", "/api/v1/people/{login}/password", None, ADMIN),
    ("GET", "/api/v1/keys", None, JUDGES),
    ("POST", "/api/v1/keys", KEY, JUDGES),
    ("DELETE", "/api/v1/keys/{key_id}", None, JUDGES),
    ("GET", "/api/v1/audit", None, {"auditor", "admin"}),
    ("POST", "/api/v1/audit/verify", None, {"auditor", "admin"}),
    ("GET", "/api/v1/stream", None, ANY),
    ("GET", "/healthz", None, OPEN),
    ("GET", "/readyz", None, OPEN),
    ("GET", "/version", None, ANY),
    ("GET", "/metrics", None, ANY),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "route", "body", "who"), TABLE, ids=[f"{m} {r}" for m, r, *_ in TABLE]
)
async def test_only_these_roles_may(
    house: House, method: str, route: str, body: object, who: set[str] | None
) -> None:
    incident = house.store.incidents()[0].id
    place = {
        "alert_id": "a1", "incident_id": incident, "plan_id": "p1", "step": "0", "ip": "10.1.0.5",
        "form": "csv", "login": "target1", "key_id": "k0", "booking_id": "b1", "slip_id": "s1",
        "suppression_id": "s1",
    }  # fmt: skip
    for asker in ("", *ROLES):
        if asker and route.endswith("/stream"):
            continue  # would never end here; see test_stream.py
        async with house.client(f"{asker}1" if asker else "") as client:
            content = {"content": body} if isinstance(body, str) else {"json": body}
            answer = await client.request(method, route.format(**place), **content)  # type: ignore[arg-type]
        if who is None or asker in who:
            refused = {"not-logged-in", "not-allowed"}
            kind = answer.json()["type"].split(":")[-1] if answer.status_code >= 400 else ""
            assert kind not in refused, f"{asker or 'a stranger'} was refused: {answer.text}"
        else:
            expected = 403 if asker else 401
            assert answer.status_code == expected, f"{asker or 'a stranger'}: {answer.text}"


def test_the_table_names_every_route(house: House) -> None:
    paths = house.app.openapi()["paths"]
    routes = {(m.upper(), path) for path, methods in paths.items() for m in methods}
    assert routes == {(method, route) for method, route, *_ in TABLE}


def test_every_permission_is_somebodys() -> None:
    given = frozenset().union(*(PERMISSIONS_OF[r] for r in ROLES if r != "admin"))
    assert set(PERMISSIONS) - given == {"people.manage"}


def test_keys_cannot_decide_what_stops_care() -> None:
    assert not KEY_PERMISSIONS & {"isolation.approve", "people.manage", "keys.own"}
