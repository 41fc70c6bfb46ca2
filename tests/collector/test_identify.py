"""The identification kernel names an application by its bytes, and reads nothing outside them."""

from __future__ import annotations

import inspect
import itertools
import struct
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.apps import APPS
from collector.identify import databases, hospital, network, remote, tunnels, web, windows
from collector.identify.kernels import identify, identify_by_port
from collector.identify.names import name_table

TCP, UDP = 6, 17
RANDOM = np.random.default_rng(7).integers(0, 256, 2000, np.uint8).tobytes()


def named(payload: bytes, protocol: int = TCP, to: int = 40000, came_from: int = 50000) -> str:
    buffer = np.frombuffer(payload, np.uint8)
    return APPS[identify(buffer, 0, len(buffer), protocol, came_from, to, False)[0]]


def ike(version: int, exchange: int, flags: int, size: int = 0) -> bytes:
    body = RANDOM[:60]
    header = RANDOM[100:108] + bytes(8) + bytes([33, version, exchange, flags]) + bytes(4)
    return header + struct.pack(">I", size or 28 + len(body)) + body


def client_hello(name: bytes, alpn: bytes = b"") -> bytes:
    entry = b"\0" + struct.pack(">H", len(name)) + name
    listed = struct.pack(">H", len(entry)) + entry
    extensions = struct.pack(">HH", 0, len(listed)) + listed if name else b""
    if alpn:
        listed = struct.pack(">HB", len(alpn) + 1, len(alpn)) + alpn
        extensions += struct.pack(">HH", 16, len(listed)) + listed
    body = b"\x03\x03" + RANDOM[:32] + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    body += struct.pack(">H", len(extensions)) + extensions
    shake = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(shake)) + shake


SESSION, HMAC = RANDOM[200:208], RANDOM[300:320]
REPLAY = struct.pack(">II", 1, 1_700_000_000)
UDP_CASES = {
    "ikev1": ike(0x10, 2, 0),
    "ikev1_aggressive": ike(0x10, 4, 0),
    "ikev2": ike(0x20, 34, 8),
    "openvpn": b"\x38" + SESSION + bytes(5),
    "wireguard": b"\x01\0\0\0" + RANDOM[:144],
    "tailscale": b"TS\xf0\x9f\x92\xac" + RANDOM[:60],
    "bacnet": bytes.fromhex("810b000c0120ffff00ff1008"),
    "stun": bytes.fromhex("000100002112a442") + RANDOM[:12],
    "snmp": bytes.fromhex("302902010004067075626c6963a01c02040000000102010002010030") + bytes(9),
    "sip": b"REGISTER sip:pbx.example SIP/2.0\r\n",
    "dns": bytes.fromhex("123401000001000000000000") + b"\x03ris\x05local\0\0\1\0\1",
    "kerberos": bytes.fromhex("6a81d03081cda103020105a20302010a") + bytes(40),
}
TCP_CASES = {
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "vnc": b"RFB 003.008\n",
    "rdp": b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x0b\0\0\0",
    "pptp": b"\0\x9c\0\x01\x1a\x2b\x3c\x4d" + bytes(148),
    "openvpn": b"\0\x0e\x38" + SESSION + bytes(5),
    "smb": b"\0\0\0\x40\xfeSMB" + bytes(60),
    "dcerpc": bytes.fromhex("05000b03100000001c00000001000000") + bytes(12),
    "http_proxy": b"CONNECT ext.example:443 HTTP/1.1\r\n\r\n",
    "sstp": b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n",
    "winrm": b"POST /wsman?PSVersion=5.1 HTTP/1.1\r\n\r\n",
    "chisel": b"GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Protocol: chisel-v3\r\n\r\n",
    "doh": b"POST /q HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\n\r\n",
    "socks": b"\x05\x01\x00",
    "frp": b"\x17" + client_hello(b"frps.example"),
    "telnet": bytes.fromhex("fffd18fffd20fffd23fffd27"),
    "astm": b"\x021H|\\^&|||H7600^1|||||host||P|1\r",
    "rtsp": b"OPTIONS rtsp://10.30.64.201/axis-media/media.amp RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    "hl7": b"\x0bMSH|^~\\&|LIS|LAB|EMR|HOSP|20260101||ORU^R01|1|P|2.5\r",
    "dicom": b"\x01\0\0\0\0\xcd\0\x01\0\0" + b"PACS".ljust(16) + b"CT1".ljust(16) + bytes(169),
    "postgres": bytes.fromhex("0000000804d2162f"),
    "mssql": bytes.fromhex("1201002f0000010000001a000601002000010200210001030022000404002600")
    + b"\x01\xff\x09\0\0\0\0\0\0\0\0\0\0\0\0",
    "printer": b"\x1b%-12345X@PJL JOB\r\n",
    "tls": client_hello(b"pacs.example"),
    "anydesk": client_hello(b"", b"anydesk/6.2.0/linux"),
    "tinc": b"0 hospital_1 17.7\n",
    "ica": b"\x7f\x7fICA\0",
    "nomachine": b"NXSH-6.0.0\n",
    "mqtt": b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0",
    "unknown": RANDOM[500:600],
}


@pytest.mark.parametrize("app", UDP_CASES)
def test_names_a_datagram_by_its_bytes(app: str) -> None:
    assert named(UDP_CASES[app], UDP) == app


@pytest.mark.parametrize("app", TCP_CASES)
def test_names_a_segment_by_its_bytes(app: str) -> None:
    assert named(TCP_CASES[app]) == app


@pytest.mark.parametrize(
    "hmac", [b"", RANDOM[:16], HMAC, RANDOM[:32], RANDOM[:64]], ids=lambda h: str(len(h))
)
def test_openvpn_with_each_hmac_and_with_tls_crypt(hmac: bytes) -> None:
    tail = bytes(5) if hmac else RANDOM[:37]  # tls-crypt encrypts what tls-auth shows
    assert named(b"\x38" + SESSION + hmac + REPLAY + tail, UDP) == "openvpn"


def test_ike_on_port_4500_stands_behind_four_zero_bytes() -> None:
    assert named(bytes(4) + ike(0x20, 35, 8), UDP, 4500) == "ikev2"
    assert named(b"\xff", UDP, 4500, 4500) == "nat_t"
    assert named(RANDOM[:4] + bytes(3) + b"\x01" + RANDOM[:80], UDP, 4500, 4500) == "nat_t"


@pytest.mark.parametrize(
    "payload",
    [ike(0x30, 34, 8), ike(0x20, 2, 8), ike(0x10, 34, 0), ike(0x20, 34, 8, 29), ike(0x20, 34, 3)],
    ids=["version", "exchange of v1", "exchange of v2", "length", "flags"],
)
def test_a_wrong_ike_header_is_not_ike(payload: bytes) -> None:
    assert named(payload, UDP) == "unknown"


def test_zeros_are_no_wireguard_and_no_openvpn() -> None:
    assert named(b"\x01" + bytes(147), UDP) == "unknown"
    assert named(b"\x38" + bytes(13), UDP) == "unknown"
    assert named(b"\x04" + bytes(63), UDP) == "unknown"


@pytest.mark.parametrize(
    "payload",
    [b"0 17\n", b"0 name 18\n", b"0 name 17", b"0 na-me 17\n", b"0 name 17.x\n", b"1 name 17\n"],
)
def test_a_line_that_is_no_greeting_is_no_tinc(payload: bytes) -> None:
    assert named(payload) == "unknown"


def test_citrix_greets_on_both_of_its_ports_and_words_alike_are_nothing() -> None:
    assert named(b"\x1aCGP/01\x01" + bytes(20), TCP, 2598) == "ica"
    assert named(b"\x7fICA\0" + bytes(20)) == "unknown"
    assert named(b"NXSH-protocol handbook") == "unknown"


def test_warp_is_wireguard_with_a_number_in_its_zero_bytes() -> None:
    marked = b"\x01\x7a\x11\xc3" + RANDOM[:144]
    assert named(marked, UDP, 2408) == "wireguard"
    assert named(marked, UDP, 2409) == "unknown"
    assert named(marked + b"\0", UDP, 2408) == "unknown"


def test_meshcentral_shows_its_own_root() -> None:
    def shown(issuer: bytes) -> str:
        hello = b"\x02\0\0\x26\x03\x03" + RANDOM[:32] + b"\0\xc0\x2f\0"
        body = hello + b"\x0b\0\0\x40" + issuer.ljust(64, b"\0")
        return named(b"\x16\x03\x03" + struct.pack(">H", len(body)) + body, TCP, 50000, 443)

    assert shown(b"MeshCentralRoot-4a51c2") == "remote_tool"
    assert shown(b"Hospital Root CA") == "tls"


def test_s7_is_not_rdp() -> None:
    s7 = bytes.fromhex("0300001611e00000000100c0010ac1020100c2020102")
    assert named(s7, to=102) == "unknown"


def test_a_listed_name_gives_the_tool_away() -> None:
    names = name_table([("anydesk.com", 30), ("net.anydesk.com", 31)])

    def tool(name: bytes) -> int:
        buffer = np.frombuffer(client_hello(name), np.uint8)
        app: int = identify(buffer, 0, len(buffer), TCP, 50000, 443, False, names)[0]
        return app

    assert tool(b"relay-1.net.anydesk.com") == 31
    assert tool(b"Boot.AnyDesk.com") == 30
    assert APPS[tool(b"notanydesk.com")] == "tls"
    assert APPS[tool(b"anydesk.com.example")] == "tls"


@pytest.mark.parametrize(
    ("name", "app"),
    [
        (b"doh.example.net", "doh"),
        (b"eu.doh-2.example.net", "doh"),
        (b"dns.example", "doh"),
        (b"dns9.example.net", "doh"),
        (b"my.dns.example.net", "tls"),
        (b"dnsadmin.example.net", "tls"),
        (b"www.example.doh", "tls"),
        (b"dohle.example.net", "tls"),
    ],
)
def test_a_resolver_says_so_in_its_name(name: bytes, app: str) -> None:
    hello, names = np.frombuffer(client_hello(name), np.uint8), name_table([])
    assert APPS[identify(hello, 0, len(hello), TCP, 50000, 443, False, names)[0]] == app


def test_dns_over_tls_by_its_port_or_protocol() -> None:
    assert named(client_hello(b""), to=853) == "doh"
    assert named(client_hello(b"x.example", alpn=b"dot")) == "doh"
    assert named(client_hello(b"x.example", alpn=b"h2")) == "tls"


@pytest.mark.parametrize(
    ("request_line", "to", "app"),
    [
        (b"CONNECT mail.example:443 HTTP/1.1\r\n\r\n", 3128, "http_proxy"),
        (b'CONNECT {"verbose":false}\r\nPING\r\n', 4222, "unknown"),
        (b"GET http://www.example/ HTTP/1.1\r\nHost: www.example\r\n\r\n", 8080, "http_proxy"),
        (b"GET http://www.example/ HTTP/1.1\r\nHost: www.example\r\n\r\n", 80, "http"),
        (b"GET http://www.example/ HTTP/1.1\r\nProxy-Connection: close\r\n\r\n", 80,
         "http_proxy"),
    ],
)  # fmt: skip
def test_a_proxy_is_asked_for_another_host(request_line: bytes, to: int, app: str) -> None:
    assert named(request_line, to=to) == app


def test_port_alone_is_a_weak_hint() -> None:
    app, confidence = identify_by_port(TCP, 50000, 3389)
    assert (APPS[app], confidence <= 40) == ("rdp", True)
    assert APPS[identify_by_port(50, 0, 0)[0]] == "esp"
    assert identify_by_port(TCP, 50000, 50001) == (0, 0)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([*UDP_CASES.values(), *TCP_CASES.values()]),
    st.integers(0, 400),
    st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=4),
    st.sampled_from([TCP, UDP]),
    st.sampled_from([0, 53, 123, 139, 500, 547, 1194, 3306, 3389, 3544, 4500, 9993, 21116, 41641]),
    st.booleans(),
)
def test_nothing_outside_the_payload_matters(
    whole: bytes,
    size: int,
    changes: list[tuple[int, int]],
    protocol: int,
    port: int,
    is_reply: bool,
) -> None:
    payload = bytearray(whole[:size])
    for at, value in changes:
        if at < len(payload):
            payload[at] = value
    answers = set()
    for around in (b"", bytes(300), b"\xff" * 300, RANDOM[:300], RANDOM[300:600]):
        buffer = np.frombuffer(around + bytes(payload) + around, np.uint8)
        start = len(around)
        end = start + len(payload)
        answers.add(identify(buffer, start, end, protocol, 50000, port, is_reply))
    assert len(answers) == 1


GROUPS = {
    web.http: "_HTTP_FIRST",
    windows.windows_tcp: "_TCP_FIRST",
    remote.remote_tcp: "_TCP_FIRST",
    hospital.hospital_tcp: "_TCP_FIRST",
    databases.database_tcp: "_FIRST",
    network.network_tcp: "_TCP_FIRST",
    tunnels.tunnel_tcp: "_TCP_FIRST",
}
FIRST_WORDS = (
    *TCP_CASES.values(), b"HTTP/1.1 200 OK", b"SSH-2.0-OpenSSH_9", b"RFB 003.008\n",
    b"\x7f\x7fICA\0",
    b"\x1aCGP/01", b"NXSH-3.5", b"\xff\xfb\x01\xff\xfd\x03", b"\x17\x24\x0a\0\0", b"\x1b%-12345X",
    b"@PJL INFO", b"%!PS-Adobe", b"MSH|^~", b"FHS|^~", b"BHS|^~", b"+OK ready", b"* OK ready",
    b"220 mail", b"EHLO a", b"USER a\r\n", b"AUTH TLS\r\n", b"<34>su: failed", b"SIP/2.0 200 OK",
    b"\xff" * 16 + b"\0\x1d\x01" + bytes(9), b"\x10\x0e\0\4MQTT" + bytes(8), b"0 node 17\n",
    b"\x05\x01\x00", b"\x04\x01\0\x50\1\2\3\4a\0", b"\x17\x16\x03\x01\0\x50\x01" + bytes(6),
    b"\x0a\0\0\0\x03" + bytes(9), b"R\0\0\0\x08\0\0\0\0", b"\x82\0\0\0", b"\x05prt\n", bytes(40),
    b"\x01\0\0\0\x01\1\0\0\0\1", b"\x12\x01\0\x1a" + bytes(22), b"\0\x10\0\0\x06\0\0\0" + bytes(8),
)  # fmt: skip


PORTS = (139, 143, 502, 515, 1433, 1521, 3306, 5432, 7000, 21115, 40000)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
@given(some=st.lists(st.binary(min_size=1, max_size=40), max_size=20))
@settings(max_examples=20)
def test_the_look_at_the_first_byte_changes_nothing(group: Any, some: list[bytes]) -> None:
    every = {GROUPS[group]: np.ones(256, bool)}
    for payload, port in itertools.product((*FIRST_WORDS, *some), PORTS):
        asked = [np.frombuffer(payload, np.uint8), 0, len(payload), 50000, port, False]
        asked = asked[: len(inspect.signature(group.py_func).parameters)]
        with mock.patch.dict(group.py_func.__globals__, every):
            told = group.py_func(*asked)
        assert group(*asked) == told, (payload, port)
