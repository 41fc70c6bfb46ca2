"""Day-0 set-up: the proposal with its evidence, edited and confirmed in one place."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response

from dashboards.view import KnownView, file_response

router = APIRouter(include_in_schema=False)


@router.get("/setup")
def setup(view: KnownView) -> Response:
    return view.show("setup.html", state=view.services.setup.state(view.person))


@router.get("/setup/{name}.{form}")
def proposal_file(view: KnownView, name: str, form: Literal["csv", "toml"]) -> Response:
    content = view.services.setup.file(view.person, f"{name}.{form}")
    return file_response(content, f"{name}.{form}", f"text/{form}; charset=utf-8")


@router.post("/setup")
def confirm(view: KnownView, plan: Annotated[str, Form()]) -> Response:
    view.services.setup.confirm(view.person, plan.replace("\r\n", "\n"))
    return view.go("/setup", "plan_confirmed")
