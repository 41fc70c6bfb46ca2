"""Whatever is sent, the answer is an answer: never a stack trace, never a 500."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.house import House

TEXT = st.text(max_size=30)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # lone surrogates too
NUMBER = st.one_of(st.integers(), st.integers(-(2**70), 2**70), st.floats())
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBER, ANY_TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)
SKIPPED = {"/api/v1/stream", "/api/v1/logout"}  # one never ends, the other ends the session


def requests_of(openapi: dict[str, Any]) -> st.SearchStrategy[tuple[str, str, Any, bytes | None]]:
    """(method, path and query, JSON body, raw body) for all routes that OpenAPI tells of."""
    routes = [
        (method, path, told)
        for path, methods in openapi["paths"].items()
        for method, told in methods.items()
        if path not in SKIPPED
    ]
    return st.sampled_from(routes).flatmap(lambda route: _request(*route, openapi))


@st.composite
def _request(
    draw: st.DrawFn, method: str, path: str, told: dict[str, Any], openapi: dict[str, Any]
) -> tuple[str, str, Any, bytes | None]:
    query = []
    for parameter in told.get("parameters", []):
        value = str(draw(st.one_of(TEXT, NUMBER, st.sampled_from(["a1", "csv", "10.1.0.5"]))))
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(value, safe="") or "-")
        elif parameter["in"] == "query" and draw(st.booleans()):
            query.append(f"{parameter['name']}={quote(value, safe='')}")
    content = told.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        raw = draw(st.binary(max_size=200)) if content else None
        return method, f"{path}?{'&'.join(query)}", None, raw
    name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    fields = openapi["components"]["schemas"][name]["properties"]
    body = draw(st.one_of(JSON, st.fixed_dictionaries(dict.fromkeys(fields, JSON))))
    return method, f"{path}?{'&'.join(query)}", body, None


def test_no_request_breaks_it(house: House) -> None:
    loop = asyncio.new_event_loop()
    client = house.client("admin1")
    openapi = house.app.openapi()

    @settings(
        max_examples=300, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(requests_of(openapi))
    def sends(asked: tuple[str, str, Any, bytes | None]) -> None:
        method, path, body, raw = asked
        given_body: dict[str, Any] = {"content": raw} if body is None else {"content": dump(body)}
        headers = {"Content-Type": "application/json"} if body is not None else {}
        answer = loop.run_until_complete(
            client.request(method.upper(), path, headers=headers, **given_body)
        )
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        if answer.status_code >= 400 and not path.startswith("/readyz"):
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code

    try:
        sends()
    finally:
        loop.run_until_complete(client.aclose())
        loop.close()
    assert house.audit.verify().is_whole


def dump(body: Any) -> bytes:
    """JSON as strangers send it, with NaN and lone surrogates."""
    return json.dumps(body).encode()
