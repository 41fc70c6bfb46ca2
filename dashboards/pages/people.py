"""Accounts of people: make, change, close."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from api.permissions import ROLES
from dashboards.view import KnownView, View

router = APIRouter(include_in_schema=False)


@router.get("/people")
def people(view: KnownView) -> Response:
    return _show(view)


@router.post("/people")
def add(
    view: KnownView,
    login: Annotated[str, Form()],
    name: Annotated[str, Form()],
    language: Annotated[str, Form()] = "ja",
    role: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    account, password = view.services.people.create(view.person, login, name, role, language)
    return _show(view, account.login, password)


@router.post("/people/{login}/roles")
def set_roles(
    view: KnownView,
    login: str,
    role: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    view.services.people.set_roles(view.person, login, role)
    return view.go("/people", "saved")


@router.post("/people/{login}/reset")
def reset(view: KnownView, login: str) -> Response:
    return _show(view, login, view.services.people.reset_password(view.person, login))


@router.post("/people/{login}/disable")
def disable(view: KnownView, login: str) -> Response:
    view.services.people.set_active(view.person, login, False)
    return view.go("/people", "saved")


@router.post("/people/{login}/enable")
def enable(view: KnownView, login: str) -> Response:
    view.services.people.set_active(view.person, login, True)
    return view.go("/people", "saved")


def _show(view: View, whose: str = "", password: str = "") -> Response:
    return view.show(
        "people.html",
        accounts=view.services.people.find(view.person),
        person_roles=ROLES,
        whose=whose,
        password=password,
    )
