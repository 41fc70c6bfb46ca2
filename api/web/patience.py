"""Bounds what a client may hold open: a request that never comes whole, and too many connections.

Without it a few hundred half-sent requests from one machine would keep everybody from the console.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

#: A large ledger over a slow line takes seconds; a whole minute is somebody who holds us up.
PATIENCE_S: Final = 30.0
#: Of one address, of all 512: a browser takes six, a terminal server has many of them.
MOST_OF_ONE: Final = 128

_log = structlog.get_logger("connections")


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes connections whose request does not come whole in time.

    A proxy that was named (`api.tls_proxy`) stands for many clients: its connections are not
    counted. Answers, live streams among them, take as long as they take.
    """

    patience_s: float = PATIENCE_S
    most_of_one: int = MOST_OF_ONE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        if self._is_one_too_many():
            _log.warning("too many connections of one address", address=self._address())
            transport.abort()
            return
        self._look_again(None)

    def _is_one_too_many(self) -> bool:
        address = self._address()
        if self.config.proxy_headers and address in self.config.forwarded_allow_ips:
            return False
        others = [c for c in self.connections if isinstance(c, PatientProtocol)]
        held: int = sum(other._address() == address for other in others)
        return held > self.most_of_one

    def _look_again(self, awaited: object) -> None:
        self.loop.call_later(self.patience_s, self._look, awaited)

    def _look(self, before: object) -> None:
        """Close if the request that was awaited the last time has still not come whole."""
        if self.transport.is_closing():
            return
        awaited = self._awaited()
        if awaited is not None and awaited is before:
            self.transport.abort()
            return
        self._look_again(awaited)

    def _awaited(self) -> object:
        """What stands for the request that is still coming in; None if it has come whole."""
        if self.cycle is None:
            return self
        if self.cycle.response_complete or self.cycle.more_body:
            return self.cycle
        return None

    def _address(self) -> str:
        return self.client[0] if self.client else ""
