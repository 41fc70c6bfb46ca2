"""Log in and out; one's own name and password."""

from __future__ import annotations

from fastapi import Request, Response
from pydantic import Field

from api.faults import NotLoggedIn
from api.routes.bodies import Asked, PersonBody
from api.routes.router import make_router
from api.web.frame import address_of
from api.web.sessions import Asker, UseCases, clear_session, set_session, settings_of

router = make_router("login")


class LoginBody(Asked):
    login: str = Field(max_length=200)
    password: str = Field(max_length=1000)


class NewPassword(Asked):
    old: str = Field(max_length=1000)
    new: str = Field(max_length=1000, description="at least 12 characters")


@router.post("/login")
def log_in(body: LoginBody, request: Request, response: Response, use: UseCases) -> PersonBody:
    """Begin a session; its cookie comes with the answer."""
    done = use.login.login(body.login, body.password, address_of(request))
    set_session(response, settings_of(request), done.token)
    return PersonBody.of(done.person)


@router.post("/logout", status_code=204)
def log_out(request: Request, response: Response, asker: Asker, use: UseCases) -> None:
    """End the session."""
    use.login.logout(asker)
    clear_session(response, settings_of(request))


@router.get("/me")
def who_am_i(asker: Asker) -> PersonBody:
    """Who asks, and what they may do."""
    if asker is None:
        raise NotLoggedIn("log in, or send an API key as 'Authorization: Bearer …'")
    return PersonBody.of(asker)


@router.post("/me/password")
def change_password(
    body: NewPassword, request: Request, response: Response, asker: Asker, use: UseCases
) -> PersonBody:
    """Choose one's own password; all other sessions end."""
    done = use.login.change_password(asker, body.old, body.new)
    set_session(response, settings_of(request), done.token)
    return PersonBody.of(done.person)
