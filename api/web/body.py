"""Bounds what a request may send."""

from __future__ import annotations

from fastapi import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.faults import TooLarge
from api.web.problems import problem_of


class BodyLimit:
    """Refuses bodies above a size, said beforehand or found out while reading."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Request(scope).headers.get("content-length", "0")
        if not said.isdecimal() or int(said[:20]) > self._most_bytes:
            fault = TooLarge(f"a request may send at most {self._most_bytes} bytes")
            problem = problem_of(fault, scope.get("state", {}).get("request_id", ""))
            await problem.response()(scope, receive, send)
            return
        read = 0

        async def receive_bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most_bytes:
                raise HTTPException(413, f"a request may send at most {self._most_bytes} bytes")
            return message

        await self._app(scope, receive_bounded, send)
