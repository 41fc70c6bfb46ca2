"""Puts the console on the API's application: pages, static files, and errors as pages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from api.web.problems import Problem
from dashboards.pages import ROUTERS
from dashboards.settings import ConsoleSettings
from dashboards.view import View, open_view

_STATIC = Path(__file__).parent / "static"


def add_console(app: FastAPI, settings: ConsoleSettings | None = None) -> None:
    """Mount the pages on an application that `api.app.create_app` made."""
    app.state.console = settings or ConsoleSettings()
    app.state.console_version = _version_of(_STATIC)
    app.mount("/static", KeptFiles(directory=_STATIC), name="static")
    for router in ROUTERS:
        app.include_router(router)
    app.state.problem_page = problem_page


class KeptFiles(StaticFiles):
    """Static files that browsers keep: their addresses change with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:  # as Starlette declares it
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def problem_page(request: Request, problem: Problem) -> Response:
    """An error for a person with a browser; a missing login leads to the login page."""
    if "hx-request" in request.headers:
        # A page that refreshes itself stays as it is; without a login it is loaded anew.
        headers = {"HX-Refresh": "true"} if problem.status in (401, 403) else None
        return Response(status_code=problem.status, headers=headers)
    if problem.kind == "not-logged-in":
        return RedirectResponse(f"/login?{urlencode({'back': _wanted(request)})}", 303)
    if problem.kind == "password-change-due":
        return RedirectResponse("/account/password", 303)
    view = open_view(request)
    return view.show(
        "problem.html",
        problem.status,
        title=_title(view, problem),
        text=_text(view, problem),
        faults=problem.errors,
        back=_back(request),
    )


def _title(view: View, problem: Problem) -> str:
    key = f"problem.{problem.kind}"
    return view.t(key) if view.t.has(key) else problem.title


def _text(view: View, problem: Problem) -> str:
    """Our own words where the kind says it all, else what the use case said."""
    key = f"problem.{problem.kind}_text"
    return view.t(key) if view.t.has(key) else problem.detail


def _wanted(request: Request) -> str:
    """The page to come back to after the login; a change is not repeated."""
    if request.method != "GET":
        return "/"
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _back(request: Request) -> str:
    """The page a refused form came from, if it was one of ours."""
    referer = request.headers.get("referer", "")
    origin = f"{request.url.scheme}://{request.url.netloc}/"
    return referer if referer.startswith(origin) and request.method != "GET" else "/"


def _version_of(folder: Path) -> str:
    """A short hash of all static files, so that a new version is loaded anew."""
    told = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            told.update(file.read_bytes())
    return told.hexdigest()[:10]
