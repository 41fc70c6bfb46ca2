"""Finds out who asks: an API key in the header, or a session in the cookie."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request, Response

from api.people import Person
from api.services import Services
from api.settings import ApiSettings
from api.web.frame import address_of

_UNASKED = object()


def services_of(request: Request) -> Services:
    """The use cases; the same for routes and pages."""
    return cast(Services, request.app.state.services)  # app.state carries no types


def settings_of(request: Request) -> ApiSettings:
    return cast(ApiSettings, request.app.state.settings)  # app.state carries no types


def person_of(request: Request) -> Person | None:
    """Who asks; None if nobody known does. Asked once per request."""
    known = getattr(request.state, "person", _UNASKED)
    if known is _UNASKED:
        known = recognise(request)
        request.state.person = known
    return cast("Person | None", known)  # request.state carries no types


def recognise(request: Request) -> Person | None:
    """Ask anew, because a session may have ended meanwhile."""
    login, address = services_of(request).login, address_of(request)
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, secret = header.partition(" ")
        is_bearer = scheme.lower() == "bearer"
        return login.person_of_key(secret.strip(), address) if is_bearer else None
    token = request.cookies.get(cookie_name(settings_of(request)), "")
    return login.person_of_session(token, address) if token else None


def cookie_name(settings: ApiSettings) -> str:
    """Under TLS the name's prefix makes browsers refuse it for any other host or path."""
    return "__Host-mimawari" if settings.has_tls else "mimawari"


def set_session(response: Response, settings: ApiSettings, token: str) -> None:
    """Give the browser its session; scripts cannot read it and other sites cannot send it."""
    response.set_cookie(
        cookie_name(settings),
        token,
        max_age=settings.session_hours * 3600,
        path="/",
        secure=settings.has_tls,
        httponly=True,
        samesite="strict",
    )


def clear_session(response: Response, settings: ApiSettings) -> None:
    """Take the session's cookie away."""
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.has_tls, httponly=True, samesite="strict"
    )


#: For routes and pages: who asks, and the use cases.
Asker = Annotated[Person | None, Depends(person_of)]
UseCases = Annotated[Services, Depends(services_of)]
