"""TLS as it looks from outside (RFC 5246, RFC 8446): hellos, a certificate, sealed records."""

from __future__ import annotations

import struct
from random import Random

from sample_pcaps.asn1 import bits, der, field, integer, oid, sequence, text
from sample_pcaps.tcp import Tcp

_CIPHERS = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0x009C)
_OLD_CIPHERS = _CIPHERS[3:]


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def _handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack("!HH", kind, len(body)) + body


def client_hello(random: Random, name: str, alpn: tuple[str, ...], modern: bool) -> bytes:
    """ClientHello for TLS 1.3 (`modern`) or 1.2."""
    ciphers = _CIPHERS if modern else _OLD_CIPHERS
    extensions = b""
    if name:
        host = b"\0" + struct.pack("!H", len(name)) + name.encode()
        extensions += _extension(0, struct.pack("!H", len(host)) + host)
    extensions += _extension(23, b"") + _extension(0xFF01, b"\0")
    extensions += _extension(10, struct.pack("!HHHH", 6, 29, 23, 24)) + _extension(11, b"\x01\0")
    if alpn:
        offered = b"".join(bytes([len(a)]) + a.encode() for a in alpn)
        extensions += _extension(16, struct.pack("!H", len(offered)) + offered)
    extensions += _extension(13, struct.pack("!HHHHH", 8, 0x0403, 0x0804, 0x0401, 0x0501))
    if modern:
        extensions += _extension(43, b"\x04\x03\x04\x03\x03") + _extension(45, b"\x01\x01")
        share = struct.pack("!HH", 29, 32) + random.randbytes(32)
        extensions += _extension(51, struct.pack("!H", len(share)) + share)
    body = b"\x03\x03" + random.randbytes(32) + b"\x20" + random.randbytes(32)
    body += struct.pack(f"!H{len(ciphers)}H", 2 * len(ciphers), *ciphers) + b"\x01\0"
    return _record(22, _handshake(1, body + struct.pack("!H", len(extensions)) + extensions))


def _server_hello(random: Random, modern: bool) -> bytes:
    extensions = b""
    if modern:
        extensions += _extension(43, b"\x03\x04")
        extensions += _extension(51, struct.pack("!HH", 29, 32) + random.randbytes(32))
    else:
        extensions += _extension(0xFF01, b"\0") + _extension(23, b"")
    body = b"\x03\x03" + random.randbytes(32) + b"\x20" + random.randbytes(32)
    body += struct.pack("!HB", 0x1301 if modern else 0xC02F, 0)
    return _handshake(2, body + struct.pack("!H", len(extensions)) + extensions)


def certificate(random: Random, name: str) -> bytes:
    """A self-signed X.509 certificate for `name`, its key and signature random bytes."""
    algorithm = sequence(oid("1.2.840.10045.4.3.2"))
    who = sequence(der(0x31, sequence(oid("2.5.4.3"), text(name, 0x0C))))
    validity = sequence(text("251001000000Z", 0x17), text("281001000000Z", 0x17))
    curve = sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
    key = sequence(curve, bits(b"\x04" + random.randbytes(64)))
    number = integer(random.randrange(1 << 62))
    signed = sequence(field(0, integer(2)), number, algorithm, who, validity, who, key)
    halves = sequence(integer(random.randrange(1 << 254)), integer(random.randrange(1 << 254)))
    return sequence(signed, algorithm, bits(halves))


def sealed(random: Random, size: int) -> bytes:
    """Application data of one or more records."""
    out = b""
    while size > 0:
        piece = min(size, 16000)
        out += _record(23, random.randbytes(piece))
        size -= piece
    return out


def shake_hands(
    tcp: Tcp,
    name: str = "",
    alpn: tuple[str, ...] = (),
    *,
    modern: bool = True,
    certified: str = "",
) -> Tcp:
    """The handshake; with TLS 1.2 the server shows a certificate for `certified`."""
    random = tcp.span.random
    tcp.send(client_hello(random, name, alpn, modern)).wait(0.004)
    change = _record(20, b"\x01")
    if modern:
        tcp.reply(_record(22, _server_hello(random, modern)) + change + sealed(random, 900))
        return tcp.wait(0.004).send(change + sealed(random, 69))
    shown = certificate(random, certified or name)
    chain = len(shown).to_bytes(3, "big") + shown
    exchange = b"\x03\x00\x17\x41\x04" + random.randbytes(64) + b"\x04\x01\x01\x00"
    flight = _server_hello(random, modern) + _handshake(11, len(chain).to_bytes(3, "big") + chain)
    flight += _handshake(12, exchange + random.randbytes(256)) + _handshake(14, b"")
    tcp.reply(_record(22, flight)).wait(0.004)
    share = _record(22, _handshake(16, b"\x41\x04" + random.randbytes(64)))
    tcp.send(share + change + _record(22, random.randbytes(40))).wait(0.004)
    return tcp.reply(change + _record(22, random.randbytes(40)))
