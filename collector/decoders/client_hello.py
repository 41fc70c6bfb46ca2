"""The TLS ClientHello (RFC 8446 §4.1.2) and its JA4 fingerprint (FoxIO's BSD-licensed method)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from collector.decoders.decoder import Malformed
from collector.decoders.wire import readable

VERSIONS: Final[dict[int, str]] = {
    0x0304: "1.3", 0x0303: "1.2", 0x0302: "1.1", 0x0301: "1.0", 0x0300: "ssl3", 0x0002: "ssl2",
}  # fmt: skip
_JA4_VERSION: Final = {
    0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
    0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3",
}  # fmt: skip
_SNI, _SIGNATURES, _ALPN, _SUPPORTED_VERSIONS = 0, 13, 16, 43
_NOTHING: Final = "0" * 12


@dataclass(slots=True)
class ClientHello:
    """What a ClientHello says; `is_whole` is false where the packet ends before it does."""

    version: int
    ciphers: list[int] = field(default_factory=list)
    extensions: list[int] = field(default_factory=list)
    signatures: list[int] = field(default_factory=list)
    sni: str = ""
    alpn: list[bytes] = field(default_factory=list)
    is_whole: bool = False

    @property
    def version_name(self) -> str:
        return VERSIONS.get(self.version, f"{self.version:#06x}")

    @property
    def alpn_names(self) -> tuple[str, ...]:
        return tuple(readable(name) for name in self.alpn)

    def ja4(self, transport: str) -> str:
        """JA4; empty where the ClientHello goes on in a packet that we do not have."""
        if not self.is_whole:
            return ""
        counts = f"{min(len(self.ciphers), 99):02d}{min(len(self.extensions), 99):02d}"
        head = (
            f"{'q' if transport == 'quic' else 't'}{_JA4_VERSION.get(self.version, '00')}"
            f"{'d' if _SNI in self.extensions else 'i'}"
            f"{counts}{self._alpn_mark()}"
        )
        kept = sorted(e for e in self.extensions if e not in (_SNI, _ALPN))
        tail = _hex(kept) + ("_" + _hex(self.signatures) if self.signatures else "")
        ciphers = _digest(_hex(sorted(self.ciphers)))
        return f"{head}_{ciphers}_{_digest(tail) if self.extensions else _NOTHING}"

    def _alpn_mark(self) -> str:
        """First and last letter of the first protocol; of its hex where they are no letters."""
        if not self.alpn or not self.alpn[0]:
            return "00"
        first = self.alpn[0]
        if first[:1].isalnum() and first[-1:].isalnum():
            return chr(first[0]) + chr(first[-1])
        return first.hex()[0] + first.hex()[-1]


def read_client_hello(body: bytes) -> ClientHello:
    """Read a handshake message from its type byte on; what is there of one that is cut off."""
    if len(body) < 39 or body[0] != 1:
        raise Malformed("no ClientHello")
    end = 4 + int.from_bytes(body[1:4], "big")
    hello = ClientHello(version=body[4] << 8 | body[5])
    try:
        at = 38 + 1 + body[38]
        length = body[at] << 8 | body[at + 1]
        hello.ciphers = _numbers(body[at + 2 : at + 2 + length])
        at += 2 + length
        at += 1 + body[at]
        if at + 2 > end:
            hello.is_whole = at == end <= len(body)
            return hello
        stop = at + 2 + (body[at] << 8 | body[at + 1])
        _read_extensions(hello, body, at + 2, min(stop, end))
        hello.is_whole = stop <= end <= len(body)
    except IndexError:
        if len(body) >= end:
            raise Malformed("a ClientHello whose lengths do not add up") from None
    return hello


def _read_extensions(hello: ClientHello, body: bytes, at: int, stop: int) -> None:
    while at + 4 <= stop:
        kind, length = body[at] << 8 | body[at + 1], body[at + 2] << 8 | body[at + 3]
        value = body[at + 4 : at + 4 + length]
        at += 4 + length
        if not _is_grease(kind):
            hello.extensions.append(kind)
        if len(value) < length:
            return
        if kind == _SNI:
            hello.sni = _server_name(value)
        elif kind == _ALPN:
            hello.alpn = _protocols(value)
        elif kind == _SIGNATURES:
            hello.signatures = _numbers(value[2:])
        elif kind == _SUPPORTED_VERSIONS:
            hello.version = max([v for v in _numbers(value[1:]) if v], default=hello.version)


def _server_name(value: bytes) -> str:
    """RFC 6066 §3: list length, type 0, name length, name."""
    if len(value) < 5 or value[2] != 0:
        return ""
    return readable(value[5 : 5 + (value[3] << 8 | value[4])]).lower()


def _protocols(value: bytes) -> list[bytes]:
    names: list[bytes] = []
    at = 2
    while at < len(value) and len(names) < 16:
        names.append(value[at + 1 : at + 1 + value[at]])
        at += 1 + value[at]
    return names


def _numbers(raw: bytes) -> list[int]:
    """16-bit numbers without GREASE (RFC 8701)."""
    numbers = struct.unpack_from(f"!{len(raw) // 2}H", raw)
    return [n for n in numbers if not _is_grease(n)]


def _is_grease(number: int) -> bool:
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 255


def _hex(numbers: list[int]) -> str:
    return ",".join(f"{n:04x}" for n in numbers)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12] if text else _NOTHING
