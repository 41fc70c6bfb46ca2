"""Serves the application with uvicorn."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from api.settings import ApiSettings
from api.stream import LiveStream
from api.web.patience import PatientProtocol

_MOST_CONNECTIONS = 512
_LAST_WORDS_S = 3  # for what is still being answered at the end


class _Server(uvicorn.Server):
    """Ends the live streams first: they would go on for as long as a page is open."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        live: LiveStream = self.config.app.state.live  # type: ignore[union-attr]  # our FastAPI app
        live.end()
        await super().shutdown(sockets)


def make_server(app: FastAPI, settings: ApiSettings) -> uvicorn.Server:
    """A server that is not running yet: call `run()`, or set `should_exit` to end it."""
    return _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=PatientProtocol,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            # Only a proxy that was named may say for whom it asks.
            proxy_headers=bool(settings.tls_proxy),
            forwarded_allow_ips=list(settings.tls_proxy),
            server_header=False,
            access_log=False,  # the request frame writes one line per request
            log_config=None,
            ws="none",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_LAST_WORDS_S,
        )
    )
