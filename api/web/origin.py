"""Refuses changes that another site asks a browser for (CSRF), by Sec-Fetch-Site and Origin."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.faults import CrossSite
from api.settings import ApiSettings
from api.web.problems import problem_of
from api.web.sessions import cookie_name

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class OriginGuard:
    """Safe methods pass, and so do API keys, which no browser sends by itself."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._public_origin = settings.public_origin.lower()
        self._scheme = "https" if settings.has_tls else "http"
        self._cookie = cookie_name(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_ours(Request(scope)):
            fault = CrossSite(
                "changes are taken only from this site's own pages, or with an API key"
            )
            problem = problem_of(fault, scope.get("state", {}).get("request_id", ""))
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, request: Request) -> bool:
        if request.method in _SAFE or "authorization" in request.headers:
            return True
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = request.headers.get("origin")
        if origin is not None:
            return origin.lower() == (self._public_origin or self._own_origin(request))
        # Neither header: not a browser of today. Without a cookie it has nothing to abuse.
        return self._cookie not in request.cookies

    def _own_origin(self, request: Request) -> str:
        return f"{self._scheme}://{request.headers.get('host', '')}".lower()
