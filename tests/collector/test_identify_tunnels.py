"""Rarer forms of VPNs and tunnels, packet by packet as their specifications write them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from collector.apps import APPS
from collector.identify.openvpn import is_scrambled_reset
from tests.collector.fastlane_frames import chunk, ethernet, ipv4, run, udp
from tests.collector.test_identify import (
    HMAC,
    RANDOM,
    REPLAY,
    SESSION,
    UDP,
    client_hello,
    ike,
    named,
)

MASK = b"w4rd-3f-n1ght"
ZEROTIER_SELF, ZEROTIER_ROOT = RANDOM[400:405], RANDOM[405:410]


def zerotier_hello(sender: bytes = ZEROTIER_SELF) -> bytes:
    head = RANDOM[410:418] + ZEROTIER_ROOT + ZEROTIER_SELF + b"\0" + RANDOM[420:428]
    hello = b"\x01" + b"\x0b\x01\x0c\0\x02" + RANDOM[430:438]
    return head + hello + sender + b"\0" + RANDOM[440:504] + b"\0" + bytes(20)


def nebula(number: int, index: bytes, first: int = 0x10) -> bytes:
    return bytes([first]) + bytes(3) + index + struct.pack(">Q", number) + RANDOM[500:600]


def app_id_hello(extension: int = 48018) -> bytes:
    extensions = struct.pack(">HH", extension, 33) + b"\x20" + RANDOM[:32]
    body = b"\xfe\xfd" + RANDOM[:32] + b"\0\0" + b"\0\x02\0\xae" + b"\x01\0"
    body += struct.pack(">H", len(extensions)) + extensions
    shake = b"\x01" + struct.pack(">I", len(body))[1:] + bytes(5) + struct.pack(">I", len(body))[1:]
    return b"\x16\xfe\xff" + bytes(8) + struct.pack(">H", len(shake + body)) + shake + body


UDP_FORMS = {
    "zerotier": zerotier_hello(),
    "nebula": nebula(1, bytes(4)),
    "nebula answer": nebula(2, RANDOM[:4]),
    "tailscale": bytes.fromhex("000100142112a442") + RANDOM[:12] + b"\x80\x22\0\x08tailnode"
    + b"\x80\x28\0\x04" + RANDOM[:4],
    "anyconnect": app_id_hello(),
    "vpn_service": b"He\x01\x02" + RANDOM[:12] + b"\x16\xfe\xfd" + bytes(60),
}  # fmt: skip
TCP_FORMS = {
    "ikev2": b"IKETCP",
    "ikev2 answer": struct.pack(">H", 94) + bytes(4) + ike(0x20, 34, 0x20),
    "wireguard": b"\0\x94\x01\0\0\0" + RANDOM[:144],
    "rdp": b"RDG_OUT_DATA /remoteDesktopGateway/ HTTP/1.1\r\n\r\n",
    "vnc": b"GET /websockify HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n",
    "wstunnel": b"GET /v1 HTTP/1.1\r\nSec-WebSocket-Protocol: v1, authorization.bearer.ey\r\n",
    "tailscale": b"POST /ts2021 HTTP/1.1\r\nUpgrade: tailscale-control-protocol\r\n\r\n",
    "tailscale relay": b"GET /derp HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n",
    "remote_tool": b"POST http://192.0.2.1/f.htm HTTP/1.1\r\nUser-Agent: NetSupport Manager/1.3",
}


@pytest.mark.parametrize("form", UDP_FORMS)
def test_a_datagram_tells_on_any_port(form: str) -> None:
    assert named(UDP_FORMS[form], UDP) == form.split()[0]


@pytest.mark.parametrize("form", TCP_FORMS)
def test_a_segment_tells_on_any_port(form: str) -> None:
    assert named(TCP_FORMS[form]) == form.split()[0]


@pytest.mark.parametrize(
    ("payload", "app"),
    [
        (zerotier_hello(RANDOM[600:605]), "unknown"),  # an identity that is another's
        (nebula(3, bytes(4)), "unknown"),
        (nebula(1, RANDOM[:4]), "unknown"),  # nobody knows an index yet
        (nebula(1, bytes(4), 0x20), "unknown"),
        (bytes.fromhex("000100002112a442") + RANDOM[:12], "stun"),
        (app_id_hello(48019), "dtls"),
        (b"Hello" + RANDOM[:60], "unknown"),
    ],
)
def test_what_is_only_alike_is_not_named(payload: bytes, app: str) -> None:
    assert named(payload, UDP) == app


@pytest.mark.parametrize(
    ("name", "alpn", "app"),
    [
        (b"www.rq5vkzm3xw.com", b"", "tor"),
        (b"www.wqjxzvhtkfdm.com", b"", "tor"),
        (b"www.rq5vkzm3xw.com", b"h2", "tls"),  # a browser's
        (b"www.rq5vkzm3xw.net", b"", "tls"),
        (b"www.rq5.com", b"", "tls"),
        (b"www.radiology-7.com", b"", "tls"),
        (b"www.msftconnecttest.com", b"", "tls"),
        (b"www.hospital24.com", b"", "tls"),
    ],
)
def test_tor_makes_up_a_name_that_no_tongue_would(name: bytes, alpn: bytes, app: str) -> None:
    assert named(client_hello(name, alpn), to=443) == app


def test_a_page_is_no_screen_until_it_becomes_a_socket() -> None:
    assert named(b"GET /websockify/doc.html HTTP/1.1\r\nHost: x\r\n\r\n") == "http"


def placed(data: bytes) -> bytes:
    return bytes(byte ^ (at + 1) & 0xFF for at, byte in enumerate(data))


def turned(data: bytes) -> bytes:
    return data[:1] + data[:0:-1]


def masked(data: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[at % len(mask)] for at, byte in enumerate(data))


PLAIN = b"\x38" + SESSION + bytes(5)
SIGNED = b"\x38" + SESSION + HMAC + REPLAY + bytes(5)  # tls-auth with SHA-1
SIGNED_LONG = b"\x38" + SESSION + RANDOM[:64] + REPLAY + bytes(5)
SEALED = b"\x38" + SESSION + REPLAY + RANDOM[:37]  # tls-crypt


@pytest.mark.parametrize("reset", [PLAIN, SIGNED, SIGNED_LONG, SEALED], ids=len)
def test_the_xor_patch_without_a_mask_hides_nothing(reset: bytes) -> None:
    assert named(turned(reset), UDP) == "openvpn"
    assert named(placed(reset), UDP) == "openvpn"


@pytest.mark.parametrize(
    ("reset", "lengths"),
    [(PLAIN, {1, 2}), (SIGNED, {*range(1, 7), 10}), (SIGNED_LONG, {*range(1, 7)}), (SEALED, {1})],
)
def test_a_mask_shows_where_the_reset_must_be_zero(reset: bytes, lengths: set[int]) -> None:
    for length in lengths:
        mask = MASK[:length]
        assert named(masked(reset, mask), UDP) == "openvpn"
        assert named(masked(placed(turned(placed(reset))), mask), UDP) == "openvpn"
    in_tcp = struct.pack(">H", len(reset)) + masked(reset, MASK[:1])
    assert named(in_tcp) == "openvpn"


def test_random_and_regular_packets_are_no_scrambled_resets() -> None:
    noise = np.random.default_rng(11).integers(0, 256, 4_000_000, np.uint8)
    for size in (14, 22, 38, 42, 50, 54, 70, 86):
        taken = 0
        for at in range(0, 30_000 * size, size):
            taken += is_scrambled_reset(noise, at, at + size)
        assert taken == 0
        for filled in (bytes(size), b"8" * size, bytes(range(size)), b"ab" * (size // 2)):
            assert not is_scrambled_reset(np.frombuffer(filled, np.uint8), 0, size)


@pytest.mark.parametrize(
    ("group", "port", "app"),
    [
        ("239.255.102.18", 50001, "anydesk"),
        ("239.255.102.18", 50004, "unknown"),
        ("239.255.102.19", 50001, "unknown"),
    ],
)
def test_anydesk_looks_for_others_in_a_group_of_its_own(group: str, port: int, app: str) -> None:
    frame = ethernet(ipv4("10.0.0.1", group, 17, udp(50001, port, RANDOM[:40])))
    flows = run([chunk([(0.0, frame)])])
    assert [APPS[code] for code in flows.app] == [app]
