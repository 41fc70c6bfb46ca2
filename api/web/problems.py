"""Errors as RFC 9457 problems, without stack traces."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from api.faults import Fault, NotLoggedIn

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """One error as it is told to whoever asked."""

    status: int
    kind: str  # stable name of the sort of problem
    title: str
    detail: str
    errors: tuple[str, ...] = ()
    request_id: str = ""

    def to_json(self) -> dict[str, Any]:
        told = {k: v for k, v in asdict(self).items() if k != "kind"}
        return {"type": f"urn:mimawari:problem:{self.kind}", **told}

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        body = json.dumps(self.to_json(), ensure_ascii=False).encode()
        return Response(body, self.status, headers, MEDIA_TYPE)


#: Makes a page of a problem for a browser; the console sets it as `app.state.problem_page`.
ProblemPage = Callable[[Request, Problem], Response]


def add_problems(app: FastAPI) -> None:
    """Answer every kind of error of this app with a problem."""
    app.add_exception_handler(Fault, _on_fault)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)


def problem_of(fault: Fault, request_id: str = "") -> Problem:
    """A fault of a use case as a problem."""
    return Problem(fault.status, fault.kind, fault.title, fault.detail, fault.faults, request_id)


def unexpected(request_id: str) -> Problem:
    """A fault of ours; the log holds the rest under the request's id."""
    return Problem(
        500, "unexpected", "Something went wrong here",
        "the fault is in the log under this request_id", request_id=request_id,
    )  # fmt: skip


def fault_headers(fault: Fault) -> dict[str, str]:
    headers = {}
    if fault.retry_after_s:
        headers["Retry-After"] = str(fault.retry_after_s)
    if isinstance(fault, NotLoggedIn):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _on_fault(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Fault)
    return _tell(request, problem_of(fault, _request_id(request)), fault_headers(fault))


def _on_validation(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    # The place and the rule, never the value: it may be a password.
    errors = tuple(
        f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"[:300]
        for error in fault.errors()[:50]
    )
    detail = f"{len(fault.errors())} of the values are not as they should be"
    problem = Problem(
        422, "unacceptable", "The input has faults", detail, errors, _request_id(request)
    )
    return _tell(request, problem)


def _on_http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    try:
        status = HTTPStatus(fault.status_code)
        kind, title = status.name.lower().replace("_", "-"), status.phrase
    except ValueError:
        kind, title = "http", "The request was refused"
    detail = str(fault.detail or title)
    problem = Problem(fault.status_code, kind, title, detail, request_id=_request_id(request))
    return _tell(request, problem, fault.headers)


def _tell(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    page: ProblemPage | None = getattr(request.app.state, "problem_page", None)
    is_api = request.url.path.startswith("/api/")
    if page is None or is_api or "text/html" not in request.headers.get("accept", ""):
        return problem.response(headers)
    response = page(request, problem)
    response.headers.update(headers or {})
    return response


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))
