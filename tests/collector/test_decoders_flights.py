"""A ClientHello or a certificate that two packets share."""

import hmac
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from collector.decoders.quic import _V1, _expand
from collector.packet import Pick
from collector.sighting_lane import SightingLane
from tests.collector.feeder import packet_rows
from tests.collector.test_decoders import certificate_for


def client_hello(padding: int) -> bytes:
    """A ClientHello for ward.example.jp whose key share is as long as asked for."""

    def extension(kind: int, value: bytes) -> bytes:
        return struct.pack("!HH", kind, len(value)) + value

    name = b"ward.example.jp"
    extensions = (
        extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name)
        + extension(51, bytes(padding))
        + extension(43, b"\2\3\4")
        + extension(16, b"\0\3\2h2")
    )
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0"
    body += struct.pack("!H", len(extensions)) + extensions
    return b"\1" + len(body).to_bytes(3, "big") + body


def record(handshake: bytes) -> bytes:
    return b"\x16\3\1" + struct.pack("!H", len(handshake)) + handshake


def quic_initial(crypto: bytes, offset: int, number: int) -> bytes:
    """A client's Initial (RFC 9001 §5) that carries a part of the ClientHello."""
    connection = bytes.fromhex("8394c8f03e515708")
    secret = _expand(hmac.digest(_V1.salt, connection, "sha256"), "client in", 32)
    key, iv, protection = (_expand(secret, f"quic {u}", n) for u, n in
                           (("key", 16), ("iv", 12), ("hp", 16)))  # fmt: skip
    frames = b"\1\6" + struct.pack("!HH", 0x4000 | offset, 0x4000 | len(crypto)) + crypto
    frames = frames.ljust(1160, b"\0")
    head = b"\xc3\0\0\0\1\x08" + connection + b"\0\0"
    head += struct.pack("!H", 0x4000 | 4 + len(frames) + 16) + number.to_bytes(4, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, frames, head)
    mask = Cipher(AES(protection), ECB()).encryptor().update(sealed[:16])
    first = bytes([head[0] ^ mask[0] & 0x0F])
    hidden = bytes(a ^ b for a, b in zip(head[-4:], mask[1:5], strict=True))
    return first + head[1:-4] + hidden + sealed


def told(*payloads: bytes, kind: Pick, protocol: int):
    lane = SightingLane()
    found = lane.decode(*packet_rows(*payloads, kind=kind, protocol=protocol))
    assert not lane.malformed
    assert not lane.failed
    return found


def test_hello_in_two_segments_tells_its_name_first_and_ja4_when_whole() -> None:
    data = record(client_hello(1500))
    [whole] = told(data, kind=Pick.TLS, protocol=6)
    assert (whole.sni, whole.alpn, whole.version) == ("ward.example.jp", ("h2",), "1.3")
    assert whole.ja4.startswith("t13d0104h2_")
    first, second = told(data[:1400], data[1400:], kind=Pick.TLS, protocol=6)
    assert (first.sni, first.ja4) == ("ward.example.jp", "")
    assert (second.ja4, second.time_ns) == (whole.ja4, 1)


def test_a_segment_sent_twice_or_alone_tells_nothing_wrong() -> None:
    data = record(client_hello(1500))
    twice = told(data[:1400], data[:1400], data[1400:], kind=Pick.TLS, protocol=6)
    assert [s.ja4 != "" for s in twice] == [False, True]
    assert told(data[1400:], kind=Pick.TLS, protocol=6) == []


def test_certificate_in_two_segments() -> None:
    der = certificate_for("FortiGate", ["vpn.example.jp"])
    body = bytes(3) + len(der).to_bytes(3, "big") + der
    data = record(b"\x0b" + len(body).to_bytes(3, "big") + body)
    first, second = told(data[:180], data[180:], kind=Pick.TLS, protocol=6)
    assert (first.subject, first.names) == ("FortiGate", ())
    assert (second.subject, second.names) == ("FortiGate", ("vpn.example.jp",))


@pytest.mark.parametrize("is_reversed", [False, True])
def test_quic_hello_in_two_datagrams_in_any_order(is_reversed: bool) -> None:
    hello = client_hello(1300)
    parts = [quic_initial(hello[:900], 0, 0), quic_initial(hello[900:], 900, 1)]
    found = told(*(reversed(parts) if is_reversed else parts), kind=Pick.QUIC, protocol=17)
    assert {s.sni for s in found} == {"ward.example.jp"}
    assert found[-1].ja4.startswith("q13d0104h2_")
    assert found[-1].ja4[1:] == told(record(hello), kind=Pick.TLS, protocol=6)[0].ja4[1:]
