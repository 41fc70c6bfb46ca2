"""QUIC Initial packets (RFC 9000 §17.2.2), whose keys follow from the packet (RFC 9001 §5)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import ClassVar, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from collector.decoders.client_hello import read_client_hello
from collector.decoders.decoder import Decoder, Malformed, seen
from collector.packet import Packet, Pick
from collector.sightings import Sighting, TlsClientHello


class _Version(NamedTuple):
    salt: bytes
    initial_type: int
    label: str


_V1: Final = _Version(bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), 0, "quic")
_DRAFT_29: Final = _Version(bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"), 0, "quic")
_DRAFT_23: Final = _Version(bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"), 0, "quic")
_VERSIONS: Final[dict[int, _Version]] = {
    1: _V1,
    0x6B3343CF: _Version(bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), 1, "quicv2"),
    **{0xFF000000 + draft: _DRAFT_29 for draft in range(29, 33)},
    **{0xFF000000 + draft: _DRAFT_23 for draft in range(23, 29)},
}
_MAX_CRYPTO: Final = 16384
_MAX_PACKETS: Final = 4


class QuicDecoder(Decoder):
    """The ClientHello in a client's first packets (versions 1, 2, and drafts 23 to 32).

    A server's packets and those of other versions tell nothing here.
    """

    pick: ClassVar[Pick] = Pick.QUIC

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        crypto = _client_crypto(packet.payload)
        if crypto:
            hello = read_client_hello(crypto)
            yield TlsClientHello(
                **seen(packet),
                sni=hello.sni,
                alpn=hello.alpn_names,
                ja4=hello.ja4("quic"),
                version=hello.version_name,
                transport="quic",
            )


def is_cut(payload: bytes) -> bool:
    """Whether the ClientHello goes on in the next datagram."""
    frames = b"".join(_initials(payload))
    crypto = _crypto(frames)
    whole = 4 + int.from_bytes(crypto[1:4], "big") if len(crypto) >= 4 else 1
    return bool(frames) and len(crypto) < whole


def _client_crypto(data: bytes) -> bytes:
    return _crypto(b"".join(_initials(data)))


def _initials(data: bytes) -> Iterator[bytes]:
    """The frames of the Initial packets at the head of a datagram, or of two that were joined."""
    if len(data) < 7 or data[0] & 0xC0 != 0xC0:
        raise Malformed("no QUIC long header")
    for _ in range(_MAX_PACKETS):
        version = _VERSIONS.get(int.from_bytes(data[1:5], "big"))
        if len(data) < 7 or version is None or data[0] >> 4 & 0xF != 0xC | version.initial_type:
            return
        try:
            frames, size = _decrypt(data, version)
        except InvalidTag:
            return  # a server's packet: its keys follow from a packet that we do not have
        yield frames
        data = data[size:].lstrip(b"\0")


def _decrypt(data: bytes, version: _Version) -> tuple[bytes, int]:
    """Remove header protection (RFC 9001 §5.4), decrypt with the client's Initial keys.

    Returns the frames and the packet's length.
    """
    connection_id = data[6 : 6 + data[5]]
    at = 6 + data[5]
    at += 1 + data[at]
    token, at = _variable(data, at)
    length, at = _variable(data, at + token)
    if data[5] > 20 or length < 20 or at + length > len(data):
        raise Malformed("a QUIC Initial whose lengths do not add up")
    secret = _expand(hmac.digest(version.salt, connection_id, "sha256"), "client in", 32)
    key, iv, protection = (
        _expand(secret, f"{version.label} {use}", size)
        for use, size in (("key", 16), ("iv", 12), ("hp", 16))
    )
    # AES-ECB on one block is what the RFC defines header protection to be.
    mask = Cipher(AES(protection), ECB()).encryptor().update(data[at + 4 : at + 20])  # noqa: S305
    first = data[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(data[at : at + size], mask[1:], strict=False))
    nonce = (int.from_bytes(iv, "big") ^ int.from_bytes(number, "big")).to_bytes(12, "big")
    head = bytes([first]) + data[1:at] + number
    return AESGCM(key).decrypt(nonce, data[at + size : at + length], head), at + length


def _expand(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 §7.1) for outputs of one hash."""
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0\1"
    return hmac.digest(secret, info, "sha256")[:length]


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000 §16) and the offset behind it."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise Malformed("a QUIC number is cut off")
    return int.from_bytes(data[at : at + size], "big") & (1 << size * 8 - 2) - 1, at + size


def _crypto(frames: bytes) -> bytes:
    """Join CRYPTO frames from offset 0 on; browsers scatter them among PING and PADDING."""
    parts: list[tuple[int, bytes]] = []
    at = 0
    while at < len(frames):
        kind = frames[at]
        at += 1
        if kind == 6:
            offset, at = _variable(frames, at)
            length, at = _variable(frames, at)
            parts.append((offset, frames[at : at + length]))
            at += length
        elif kind in (2, 3):
            at = _skip_ack(frames, at, kind)
        elif kind > 1:
            break
    joined = b""
    for offset, part in sorted(parts):
        if offset > len(joined) or len(joined) > _MAX_CRYPTO:
            break
        joined += part[len(joined) - offset :]
    return joined


def _skip_ack(frames: bytes, at: int, kind: int) -> int:
    _, at = _variable(frames, at)
    _, at = _variable(frames, at)
    ranges, at = _variable(frames, at)
    for _ in range(1 + 2 * min(ranges, len(frames)) + (3 if kind == 3 else 0)):
        _, at = _variable(frames, at)
    return at
