"""TLS as wrappers speak it, not browsers: to a bare address, or with a certificate of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal

from collector.sightings import TlsCertificate, TlsClientHello
from detector.detection import Window
from detector.words import Text

Oddity = Literal["nameless", "self_signed"]
MAX_ENDS: Final = 20_000

ODDITIES: Final[dict[Oddity, Text]] = {
    "nameless": Text(
        ja="TLS の接続先に名前（SNI）がなく、アドレスだけで接続している",
        en="its TLS names no server, only an address",
    ),
    "self_signed": Text(
        ja="相手の証明書が自己署名である", en="the server's certificate is signed by itself"
    ),
}


@dataclass
class OddTls:
    """Oddities by (host inside, outside address), the pair least lately seen forgotten first."""

    odd: dict[tuple[str, str], tuple[Oddity, ...]] = field(default_factory=dict)

    def learn(self, window: Window) -> None:
        """Take in the window's hellos and certificates; a hello with a name clears the pair."""
        for hello in window.of(TlsClientHello):
            if hello.transport != "tcp":
                continue
            if _is_name(hello.sni):
                self.odd.pop((hello.ip, hello.peer_ip), None)
            else:
                self._add(hello.ip, hello.peer_ip, "nameless")
        for shown in window.of(TlsCertificate):
            if shown.subject and shown.subject == shown.issuer:
                self._add(shown.peer_ip, shown.ip, "self_signed")

    def of(self, device: str, peer: str) -> tuple[Oddity, ...]:
        """What is odd about the TLS between these two; empty if nothing, or if there is none."""
        return self.odd.get((device, peer), ())

    def _add(self, device: str, peer: str, oddity: Oddity) -> None:
        known = self.odd.pop((device, peer), ())
        self.odd[device, peer] = known if oddity in known else (*known, oddity)
        if len(self.odd) > MAX_ENDS:
            self.odd.pop(next(iter(self.odd)))


def _is_name(sni: str) -> bool:
    """False for no name, and for an address in its place, which RFC 6066 §3 forbids."""
    if not sni:
        return False
    if sni[-1].isalpha() and ":" not in sni:  # nearly all: no need to parse
        return True
    try:
        ip_address(sni)
    except ValueError:
        return True
    return False
