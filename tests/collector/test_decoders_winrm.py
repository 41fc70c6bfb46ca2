"""WinRM requests and NTLM logons over HTTP: what is read of them, and what is left alone."""

from __future__ import annotations

import base64
import struct
from itertools import pairwise

import pytest

from collector.packet import Pick
from collector.sighting_lane import SightingLane
from collector.sightings import Http, Ntlm
from tests.collector.feeder import packet_rows
from tests.collector.test_decoders import sightings_of

_ENVELOPE = b"<s:Envelope><s:Header><a:Action>%s</a:Action><w:ResourceURI>%s</w:ResourceURI>"
_CREATE = b"http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
_SHELL = b"http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
_COMMAND = b"http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Command"
_POWERSHELL = b"http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
_PROCESS = b"http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Process"


def post(body: bytes, *fields: bytes, path: bytes = b"/wsman", length: int = -1) -> list:
    size = str(len(body) if length < 0 else length).encode()
    head = [b"POST %s HTTP/1.1" % path, b"User-Agent: Microsoft WinRM Client", *fields]
    head.append(b"Content-Length: " + size)
    return sightings_of(b"\r\n".join(head) + b"\r\n\r\n" + body, Pick.HTTP, protocol=6)


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        (_ENVELOPE % (_CREATE, _SHELL), "shell"),
        (_ENVELOPE % (_CREATE, _POWERSHELL), "shell"),
        (_ENVELOPE % (_COMMAND, _SHELL), "command"),
        (_ENVELOPE % (_PROCESS + b"/Create", _PROCESS), "process"),
        (_ENVELOPE % (b"http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", _PROCESS), "wmi"),
        (b"<s:Body><wsmid:Identify xmlns:wsmid='.../wsmanidentity.xsd'/>", "identify"),
        (b"", "logon"),
    ],
)
def test_what_an_open_request_asks(body: bytes, asks: str) -> None:
    [http] = post(body)
    assert isinstance(http, Http)
    assert (http.wsman, http.user_agent) == (asks, "Microsoft WinRM Client")


def test_a_sealed_body_is_told_by_its_type_even_where_it_follows() -> None:
    kind = b'Content-Type: multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted"'
    assert [http.wsman for http in post(b"", kind, path=b"/wsman?PSVersion=5.1", length=900)] == [
        "sealed"
    ]


def test_other_pages_are_not_asked() -> None:
    [http] = post(_ENVELOPE % (_COMMAND, _SHELL), path=b"/wsman/SubscriptionManager/WEC")
    assert http.wsman == ""


def authenticate(names: tuple[str, str, str], is_unicode: bool = True) -> bytes:
    raw = [name.encode("utf-16-le" if is_unicode else "ascii") for name in names]
    at, places = 88, b""
    for part in raw:
        places += struct.pack("<HHI", len(part), len(part), at)
        at += len(part)
    responses = struct.pack("<HHI", 24, 24, at) * 2
    head = b"NTLMSSP\0" + struct.pack("<I", 3) + responses + places
    head += struct.pack("<HHI", 0, 0, 0) + struct.pack("<I", 0xE2888204 | is_unicode)
    return head.ljust(88, b"\0") + b"".join(raw) + b"\x5a" * 600


@pytest.mark.parametrize("is_unicode", [True, False])
@pytest.mark.parametrize(("scheme", "around"), [(b"NTLM", b""), (b"Negotiate", b"\xa1\x82\x01")])
def test_who_logs_on_by_ntlm(scheme: bytes, around: bytes, is_unicode: bool) -> None:
    token = base64.b64encode(around + authenticate(("HOSP", "yamada", "WS7"), is_unicode))
    _, logon = post(b"", b"Authorization: " + scheme + b" " + token)
    assert isinstance(logon, Ntlm)
    assert (logon.message, logon.domain, logon.user, logon.workstation) == (
        "authenticate", "HOSP", "yamada", "WS7",
    )  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [b"Bearer dXNlcjpwYXNz", b"Negotiate YIIC", b"NTLM \xff\xfe", b"NTLM", b"NTLM ====",
     b"NTLM " + base64.b64encode(b"NTLMSSP\0\x03\0\0\0" + b"\xff" * 20)],
)  # fmt: skip
def test_other_logons_tell_nothing(value: bytes) -> None:
    assert [type(s) for s in post(b"", b"Authorization: " + value)] == [Http]


def test_names_that_lie_outside_their_message_are_empty() -> None:
    message = bytearray(authenticate(("HOSP", "yamada", "WS7")))
    message[36:44] = struct.pack("<HHI", 0xFFFF, 0xFFFF, 0xFFFFFFF0)
    _, logon = post(b"", b"Authorization: NTLM " + base64.b64encode(bytes(message)))
    assert (logon.user, logon.domain) == ("", "HOSP")


@pytest.mark.parametrize(
    ("status", "field", "told"),
    [
        (b"401 Unauthorized", b"NTLM", [("refused", "")]),
        (b"401 Unauthorized", b"Negotiate", [("refused", "")]),
        (b"401 Unauthorized", b"Basic realm=x", []),
        (b"200 OK", b"NTLM", []),
        (b"401 Unauthorized", None, [("challenge", "0123456789abcdef")]),
    ],
)
def test_what_a_web_server_answers_to_a_logon(status: bytes, field: bytes | None, told: list):
    message = b"NTLMSSP\0" + struct.pack("<IHHII", 2, 0, 0, 56, 1)
    token = message + bytes.fromhex("0123456789abcdef") + bytes(24)
    field = field or b"NTLM " + base64.b64encode(token)
    answer = b"HTTP/1.1 " + status + b"\r\nWWW-Authenticate: " + field + b"\r\n\r\n"
    seen = sightings_of(answer, Pick.HTTP, protocol=6)
    assert [(one.message, one.challenge) for one in seen if isinstance(one, Ntlm)] == told


@pytest.mark.parametrize(
    ("shown", "user"),
    [
        (b"Basic " + base64.b64encode(b"yamada:secret"), "yamada"),
        (b'Digest username="yamada", realm="hosp", response="00"', "yamada"),
        (b"Basic " + base64.b64encode(b"no colon"), None),
        (b"Basic \xff\xff", None),
        (b"Bearer eyJhbGciOi", None),
    ],
)
def test_of_a_password_logon_only_the_name_is_kept(shown: bytes, user: str | None) -> None:
    _, *logons = post(b"", b"Authorization: " + shown, path=b"/")
    assert [(one.message, one.user) for one in logons] == ([("asked", user)] if user else [])
    assert "secret" not in str(logons)


def test_a_web_servers_refusal_of_a_password() -> None:
    answer = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
    assert [s.message for s in sightings_of(answer, Pick.HTTP, protocol=6)] == ["refused"]
    assert sightings_of(answer.replace(b"401", b"200"), Pick.HTTP, protocol=6) == []


def post_in_segments(body: bytes, *cuts: int, fields: bytes = b"") -> list[str]:
    """What is told of a request whose body is cut into segments, each a packet of its own."""
    head = b"POST /wsman HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (fields, len(body))
    whole, places = head + body, [0, *(len(head) + cut for cut in cuts), len(head) + len(body)]
    lane, told = SightingLane(), []
    for start, end in pairwise(places):
        buffer, picks = packet_rows(whole[start:end], kind=Pick.HTTP, protocol=6, port=50000)
        told += [s.wsman for s in lane.decode(buffer, picks)]
    assert not lane.malformed and not lane.failed
    return told


@pytest.mark.parametrize("cuts", [(0,), (0, 40), (20,)])
def test_a_body_that_follows_its_head_is_read(cuts: tuple[int, ...]) -> None:
    body = _ENVELOPE % (b"x" * 200 + _COMMAND, _SHELL)
    assert post_in_segments(body, *cuts) == ["head", "command"]
    assert post_in_segments(body, len(body) - 5) == ["command"]


def test_requests_of_one_wording_are_each_read_with_their_bodies() -> None:
    body = _ENVELOPE % (_COMMAND, _SHELL)
    lane = SightingLane()
    told = []
    for _ in range(3):
        head = b"POST /wsman HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        for part in (head, body):
            buffer, picks = packet_rows(part, kind=Pick.HTTP, protocol=6, port=50000)
            told += [s.wsman for s in lane.decode(buffer, picks)]
    assert told == ["head", "command"] * 3


def test_bodies_that_never_come_and_sealed_ones_wait_for_nothing() -> None:
    lane = SightingLane()
    for length in (b"900", b"99999999999999999999", b"-1", b"x"):
        head = b"POST /wsman HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n"
        for part in (head, head):
            buffer, picks = packet_rows(part, kind=Pick.HTTP, protocol=6, port=50000)
            lane.decode(buffer, picks)
    assert not lane.failed
    kind = b"Content-Type: multipart/encrypted;protocol=HTTP-SPNEGO-session-encrypted\r\n"
    assert post_in_segments(bytes(900), 0, fields=kind) == ["sealed"]
