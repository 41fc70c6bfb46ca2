"""How a router of the API is made: its prefix, how one may ask, how errors look."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Security
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyCookie, HTTPBearer

from api.routes.bodies import ProblemBody

PREFIX = "/api/v1"

# Both only tell OpenAPI how to ask; `api.web.sessions` finds out who does.
_ways = (
    HTTPBearer(auto_error=False, scheme_name="key", description="an API key"),
    APIKeyCookie(name="mimawari", auto_error=False, scheme_name="session", description="a session"),
)
_problem = {"model": ProblemBody, "content": {"application/problem+json": {}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {**_problem, "description": words}
    for code, words in (
        (401, "not logged in"),
        (403, "not allowed"),
        (404, "not there"),
        (409, "the present state does not allow it"),
        (413, "too large"),
        (422, "the input has faults"),
        (429, "too many attempts"),
        (503, "cannot be done right now"),
    )
}

Cursor = Annotated[str, Query(max_length=500, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500, description="items of one page")]


def make_router(tag: str, prefix: str = PREFIX) -> APIRouter:
    """A router whose routes may be asked by key or session and answer errors as problems."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        dependencies=[Security(way) for way in _ways],
        responses=PROBLEMS,
        default_response_class=JSONResponse,
    )


async def raw_body(request: Request) -> bytes:
    """The body as it came: a file."""
    return await request.body()


def file_body(words: str) -> dict[str, Any]:
    """Tell OpenAPI that a route takes a ledger file."""
    kinds = ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {
        "requestBody": {
            "required": True,
            "description": words,
            "content": dict.fromkeys(kinds, schema),
        }
    }
