"""The deep lane's first look, beside plain Python."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.deep.clocks import may_tell_clock
from collector.deep.kernels import BULK, CLOCK, COMMAND, DICOM, HL7, LDAP, PROGRAM, TSHARK, look_at
from collector.fastlane.layout import PICK_ROW_DTYPE
from collector.packet import Pick
from tests.collector.feeder import packet_rows

_SMB = (b"\xfeSMB", b"\xffSMB", b"\xfdSMB")
_BULK_BYTES = 300
_COMMAND = b"\0\0\0\0\4\0\0\0"


def looks_of(payloads: list[bytes]) -> list[int]:
    buffer, picks = packet_rows(*payloads, kind=Pick.DEEP, protocol=6)
    looks, keys = np.empty(len(picks), np.uint16), np.empty((3, len(picks)), np.uint64)
    rows = picks.view(PICK_ROW_DTYPE)
    look_at(np.frombuffer(buffer, np.uint8), rows, _BULK_BYTES, np.uint64(7), looks, *keys)
    return looks.tolist()


def twin(payload: bytes) -> int:
    if len(payload) < 4:
        return COMMAND if payload else 0
    look = DICOM if len(payload) >= 6 and payload[0] in (1, 2, 3, 4) and payload[1] == 0 else 0
    look |= HL7 if payload[0] == 0x0B else 0
    signed = payload[4:8] == b"\1\0\0\0" or payload[4:6] == b"\5\4"
    look |= LDAP if payload[0] == 0x30 or signed else 0
    look |= CLOCK if may_tell_clock(payload) else 0
    is_smb = payload[4:8] in _SMB or payload[:2] in (b"\5\0", b"\5\1")
    look |= TSHARK if is_smb and len(payload) >= 8 else 0
    look |= BULK if is_bulk(payload) else 0
    is_command = len(payload) < 12 or payload[-1] in (0, 4) or _COMMAND in payload
    look |= COMMAND if is_command else 0
    return look | (PROGRAM if writes_program(payload) else 0)


def is_bulk(payload: bytes) -> bool:
    length = 4 + int.from_bytes(payload[1:4], "big")
    if len(payload) < 16 or length <= max(_BULK_BYTES, len(payload)):
        return False
    head = payload[4:8]
    if head == b"\xfeSMB":
        return payload[16:17] in (b"\x08", b"\x09")
    return head == b"\xfdSMB" or (head == b"\xffSMB" and payload[8:9] in (b"\x2e", b"\x2f"))


def writes_program(payload: bytes) -> bool:
    head = payload[4:8]
    if head == b"\xfeSMB" and payload[16:18] == b"\x09\0" and len(payload) > 72:
        at = -1 if payload[20] & 1 else 4 + int.from_bytes(payload[70:72], "little")
    elif head == b"\xffSMB" and payload[8:9] == b"\x2f" and len(payload) > 60:
        at = 4 + int.from_bytes(payload[59:61], "little")
    else:
        at = -1
    return at >= 0 and payload[at : at + 2] == b"MZ"


@st.composite
def writes(draw: st.DrawFn) -> bytes:
    """A request of SMB that nearly writes a program, cut anywhere."""
    head = draw(st.sampled_from(_SMB))
    body = bytearray(draw(st.binary(min_size=130, max_size=130)))
    body[:4] = b"\0" + draw(st.integers(0, 600)).to_bytes(3, "big")
    body[4:8] = head
    body[8:9] = draw(st.sampled_from([b"\x2e", b"\x2f", b"\x00"]))
    body[16:18] = draw(st.sampled_from([b"\x08\0", b"\x09\0", b"\0\0"]))
    body[20:21] = draw(st.sampled_from([b"\0", b"\1"]))
    place = draw(st.integers(60, 130))
    body[59:61] = body[70:72] = (place - 4).to_bytes(2, "little")
    body[place : place + 2] = b"MZ"[: max(0, 130 - place)]
    return bytes(body[: draw(st.integers(0, 130))])


@st.composite
def commands(draw: st.DrawFn) -> bytes:
    """What starts a DICOM command, or nearly does, amid other bytes."""
    start = bytearray(_COMMAND)
    if draw(st.booleans()):
        start[draw(st.integers(0, 7))] = draw(st.integers(0, 255))
    few = st.lists(st.sampled_from([0, 4, 1, 255]), max_size=20).map(bytes)
    return draw(few) + bytes(start) + draw(few) + b"\1"


@settings(deadline=None, max_examples=300)
@given(st.lists(writes() | commands() | st.binary(max_size=40), min_size=1, max_size=8))
def test_looks_are_those_of_plain_python(payloads: list[bytes]) -> None:
    assert looks_of(payloads) == [twin(payload) for payload in payloads]


def test_what_each_look_means() -> None:
    hello = b"\1\0\0\0\0\x44\0\1"
    looks = looks_of([hello, b"\x0bMSH|", b"\x30\x0c\2\1\7", b"GET / HTTP/1.1"])
    assert [look & ~COMMAND for look in looks] == [DICOM, HL7, LDAP, 0]
    assert looks[3] == 0


def test_a_connection_is_one_both_ways() -> None:
    buffer, picks = packet_rows(b"\x0bMSH|", b"\x0bMSH|", kind=Pick.DEEP, protocol=6)
    picks[1]["source"], picks[1]["destination"] = picks[0]["destination"], picks[0]["source"]
    ports = picks[0]["destination_port"], picks[0]["source_port"]
    picks[1]["source_port"], picks[1]["destination_port"] = ports
    looks, keys = np.empty(2, np.uint16), np.empty((3, 2), np.uint64)
    rows = picks.view(PICK_ROW_DTYPE)
    look_at(np.frombuffer(buffer, np.uint8), rows, _BULK_BYTES, np.uint64(7), looks, *keys)
    assert keys[0][0] == keys[0][1]
    assert keys[1][0] != keys[1][1]
