"""Serves the application with uvicorn."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from api.settings import ApiSettings

_MOST_CONNECTIONS = 512
_LAST_WORDS_S = 3  # open live streams are cut off after this long at the end


def make_server(app: FastAPI, settings: ApiSettings) -> uvicorn.Server:
    """A server that is not running yet: call `run()`, or set `should_exit` to end it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
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
