"""TLS over TCP: the ClientHello, and the server's certificate where it passes in clear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.certificate import read_certificate
from collector.decoders.client_hello import VERSIONS, read_client_hello
from collector.decoders.decoder import Decoder, Malformed, seen
from collector.packet import Packet, Pick
from collector.sightings import Sighting, TlsCertificate, TlsClientHello

_HANDSHAKE: Final = 22
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE = 1, 2, 11


class TlsDecoder(Decoder):
    """The first flight of either side, as far as one packet holds it.

    SNI and certificate names come out of a first segment alone; JA4 only of a whole ClientHello.
    """

    pick: ClassVar[Pick] = Pick.TLS

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        flight, record_version = _handshake(packet.payload)
        if flight[:1] == bytes([_CLIENT_HELLO]):
            hello = read_client_hello(flight)
            yield TlsClientHello(
                **seen(packet),
                sni=hello.sni,
                alpn=hello.alpn_names,
                ja4=hello.ja4("tcp"),
                version=hello.version_name,
            )
            return
        version = VERSIONS.get(record_version, "")
        for kind, body in _messages(flight):
            if kind == _SERVER_HELLO and len(body) >= 2:
                version = VERSIONS.get(body[0] << 8 | body[1], "")
            elif kind == _CERTIFICATE and len(body) > 6:
                length = int.from_bytes(body[3:6], "big")
                found = read_certificate(body[6 : 6 + length])
                yield TlsCertificate(
                    **seen(packet),
                    subject=found.subject,
                    issuer=found.issuer,
                    names=found.names,
                    not_after=found.not_after,
                    version=version,
                )
                return


def starts_record(payload: bytes) -> bool:
    return payload[:1] == bytes([_HANDSHAKE]) and payload[1:2] == b"\3"


def is_cut(payload: bytes) -> bool:
    """Whether what the decoder tells of goes on in the next segment."""
    flight, _ = _handshake(payload)
    for kind, body in _messages(flight):
        if kind == _CLIENT_HELLO:
            return len(flight) < 4 + int.from_bytes(flight[1:4], "big")
        if kind == _CERTIFICATE:
            return len(body) < 6 + int.from_bytes(body[3:6], "big")
    at = 0
    while at + 5 <= len(payload) and payload[at] == _HANDSHAKE:
        at += 5 + (payload[at + 3] << 8 | payload[at + 4])
    return at > len(payload)


def _handshake(data: bytes) -> tuple[bytes, int]:
    """Join the handshake records at the head of a segment; the last may be cut off."""
    if len(data) < 6 or data[0] != _HANDSHAKE or data[1] != 3:
        raise Malformed("no TLS handshake record")
    bodies: list[bytes] = []
    at = 0
    while at + 5 < len(data) and data[at] == _HANDSHAKE:
        length = data[at + 3] << 8 | data[at + 4]
        bodies.append(data[at + 5 : at + 5 + length])
        at += 5 + length
    return b"".join(bodies), data[1] << 8 | data[2]


def _messages(flight: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of the handshake messages; the last may be cut off."""
    at = 0
    while at + 4 <= len(flight):
        length = int.from_bytes(flight[at + 1 : at + 4], "big")
        yield flight[at], flight[at + 4 : at + 4 + length]
        at += 4 + length
