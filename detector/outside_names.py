"""Names that hosts used for outside addresses, from DNS answers, TLS and HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from collector.sightings import Dns, Http, TlsClientHello

if TYPE_CHECKING:
    from detector.detection import Window

MAX_NAMES: Final = 100_000


@dataclass
class OutsideNames:
    """The last name seen for each outside address, the oldest forgotten first."""

    by_ip: dict[str, str] = field(default_factory=dict)

    def learn(self, window: Window) -> None:
        for answer in window.of(Dns):
            if answer.is_response and answer.query_type in ("A", "AAAA"):
                for address in answer.answers[:16]:
                    self._put(address, answer.name)
        for hello in window.of(TlsClientHello):
            if hello.sni:
                self._put(hello.peer_ip, hello.sni)
        for request in window.of(Http):
            if request.host:
                self._put(request.peer_ip, request.host.split(":")[0])

    def of(self, ip: str) -> str:
        """The name by which this address was reached; empty if none was seen."""
        return self.by_ip.get(ip, "")

    def _put(self, ip: str, name: str) -> None:
        if ip == name:
            return
        self.by_ip.pop(ip, None)
        self.by_ip[ip] = name.lower().rstrip(".")
        if len(self.by_ip) > MAX_NAMES:
            self.by_ip.pop(next(iter(self.by_ip)))
