"""Logging in and out, one's own password, one's own keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response

from api.faults import NotLoggedIn, TooMany, Unacceptable, WrongLogin
from api.permissions import KEY_PERMISSIONS, PERMISSIONS
from api.web.frame import address_of
from api.web.sessions import clear_session, set_session, settings_of
from dashboards.view import KnownView, OpenView, View, local_path

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_form(view: OpenView, back: str = "/") -> Response:
    if view.person is not None:
        return view.go(local_path(back))
    return view.show("login.html", back=local_path(back), problem="")


@router.post("/login")
def log_in(
    view: OpenView,
    login: Annotated[str, Form()],
    password: Annotated[str, Form()],
    back: Annotated[str, Form()] = "/",
) -> Response:
    try:
        entered = view.services.login.login(login, password, address_of(view.request))
    except WrongLogin as fault:
        problem = view.t("login.wrong")
        return view.show("login.html", fault.status, back=local_path(back), problem=problem)
    except TooMany as fault:
        problem = view.t("login.wait", n=fault.retry_after_s)
        return view.show("login.html", fault.status, back=local_path(back), problem=problem)
    response = view.go(local_path(back))
    set_session(response, settings_of(view.request), entered.token)
    return response


@router.post("/logout")
def log_out(view: OpenView) -> Response:
    if view.person is not None:
        view.services.login.logout(view.person)
    response = view.go("/login")
    clear_session(response, settings_of(view.request))
    return response


@router.get("/account/password")
def password_form(view: OpenView) -> Response:
    return _password(view)


@router.post("/account/password")
def change_password(
    view: OpenView,
    old: Annotated[str, Form()],
    new: Annotated[str, Form()],
    again: Annotated[str, Form()],
) -> Response:
    if new != again:
        return _password(view, view.t("password.not_same"), status=422)
    try:
        entered = view.services.login.change_password(view.person, old, new)
    except WrongLogin as fault:
        return _password(view, view.t("password.wrong"), status=fault.status)
    except TooMany as fault:
        return _password(view, view.t("login.wait", n=fault.retry_after_s), status=fault.status)
    except Unacceptable as fault:
        return _password(view, view.t("problem.unacceptable"), fault.faults, fault.status)
    response = view.go("/", "password")
    set_session(response, settings_of(view.request), entered.token)
    return response


@router.get("/account")
def account(view: KnownView) -> Response:
    return _account(view)


@router.post("/account/keys")
def make_key(
    view: KnownView,
    name: Annotated[str, Form()],
    days: Annotated[int, Form()],
    permission: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    _, secret = view.services.people.create_key(view.person, name, permission, days)
    return _account(view, secret)


@router.post("/account/keys/{key_id}/revoke")
def revoke_key(view: KnownView, key_id: str) -> Response:
    view.services.people.revoke_key(view.person, key_id)
    return view.go("/account", "revoked")


def _password(
    view: View, problem: str = "", faults: tuple[str, ...] = (), status: int = 200
) -> Response:
    if view.person is None:
        raise NotLoggedIn("log in first")
    is_first = view.person.must_change_password
    return view.show("password.html", status, is_first=is_first, problem=problem, faults=faults)


def _account(view: View, secret: str = "") -> Response:
    keys = view.services.people.keys(view.person) if view.may("keys.own") else []
    grantable = [p for p in PERMISSIONS if p in KEY_PERMISSIONS and view.may(p)]
    return view.show("account.html", keys=keys, grantable=grantable, secret=secret)
