"""Structured logs on standard error: JSON for machines, lines for a terminal; no secrets."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_SECRET = ("password", "secret", "token", "authorization", "cookie")


def configure_logs(stream: TextIO | None = None, *, as_json: bool | None = None) -> None:
    """Set up logging for the whole process; JSON unless the stream is a terminal."""
    out = stream or sys.stderr
    if as_json is None:
        as_json = not out.isatty()
    # Tracebacks are plain: those with local variables would show passwords.
    last: list[structlog.typing.Processor] = (
        [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
        if as_json
        else [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide_secrets,
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )


def hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank whatever is called a secret, wherever somebody logged it by mistake."""
    for name in event:
        if any(word in name.lower() for word in _SECRET):
            event[name] = "(hidden)"
    return event
