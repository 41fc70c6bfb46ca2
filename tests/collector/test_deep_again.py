"""What the deep lane reads itself is read once where packets say the same, and told for each."""

import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.deep.kernels import PLAIN, TSHARK, look_at
from collector.deep.lane import DeepLane
from collector.deep.settings import DeepSettings
from collector.fastlane.layout import PICK_ROW_DTYPE
from collector.packet import Pick
from tests.collector.feeder import packet_rows, picks_of
from tests.collector.test_deep_own import ber, command, equal, search

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")


def hl7(number: int, fields: tuple[str, str], end: str = "\rPID|1||77\r") -> bytes:
    head = f"MSH|^~\\&|{fields[0]}|LAB|HIS|WARD|{number}|key|{fields[1]}|{number}|P|2.5"
    return b"\x0b" + head.encode() + end.encode()


def association(kind: int, caller: bytes) -> bytes:
    body = b"\0\1\0\0" + b"PACS".ljust(16) + caller.ljust(16) + bytes(32)
    return bytes([kind, 0]) + len(body).to_bytes(4, "big") + body


def bind(number: int, who: bytes, secret: bytes) -> bytes:
    body = ber(0x60, ber(2, b"\3"), ber(4, who), ber(0x80, secret))
    return ber(0x30, ber(2, bytes([number])), body)


def answer(number: int, result: int, behind: bytes = b"") -> bytes:
    return ber(
        0x30, ber(2, bytes([number])), ber(0x61, ber(10, bytes([result])), ber(4), ber(4), behind)
    )


NAMES = st.sampled_from(["LIS", "RIS", ""])
SAID = st.one_of(
    st.builds(hl7, st.integers(0, 999), st.tuples(NAMES, NAMES)),
    st.builds(hl7, st.just(1), st.tuples(NAMES, NAMES), st.sampled_from(["", "\r", "|" * 9])),
    st.builds(association, st.sampled_from([1, 2, 3]), st.sampled_from([b"CT1", b"MR"])),
    st.builds(bind, st.integers(0, 9), st.sampled_from([b"a", b"bb"]), st.binary(max_size=3)),
    st.builds(answer, st.integers(0, 9), st.sampled_from([0, 49])),
    st.builds(
        search, st.sampled_from([b"dc=a", b""]), st.sampled_from([equal(b"a", b"b"), ber(0x99)])
    ),
    st.sampled_from([command(0x0030), command(0x0020), b"\1\0\0\0", b"\x30\x02\x02\x00"]),
    st.binary(max_size=90),
)  # fmt: skip


def lane() -> DeepLane:
    return DeepLane(DeepSettings(enabled=False))


@given(st.lists(st.tuples(SAID, st.integers(0, 200)), max_size=8))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_the_same_is_told_as_if_each_were_read(said: list[tuple[bytes, int]]) -> None:
    """Each packet in a connection of its own: in one lane together, and in a lane alone."""
    payloads = [payload[:-cut] if cut and cut < 40 else payload for payload, cut in said] * 2
    buffer, picks = packet_rows(*payloads, kind=Pick.DEEP, protocol=6)
    picks["source_port"] = np.arange(len(picks)) + 1024
    together, expected, malformed = lane(), [], Counter[str]()
    for row in range(len(picks)):
        together.feed(buffer, picks[row : row + 1])
        alone = lane()
        alone.feed(buffer, picks[row : row + 1])
        expected += alone.drain()
        malformed += alone.malformed
    assert together.drain() == expected
    assert +together.malformed == malformed


def test_words_that_come_again_are_not_read_again() -> None:
    again = [hl7(number, ("LIS", "ORU^R01")) for number in range(30)]
    again += [bind(number, b"cn=x", b"secret") for number in range(30)]
    again += [association(1, b"CT1")] * 30
    buffer, picks = packet_rows(*again, kind=Pick.DEEP, protocol=6)
    deep = lane()
    for row in range(len(picks)):
        deep.feed(buffer, picks[row : row + 1])
    assert len(deep._sayings) == 3
    assert len(deep.drain()) == 90


def test_commands_follow_an_association_that_was_told_again() -> None:
    """The connection is DICOM's from then on, so that commands cut anywhere are found in it."""
    deep, whole = lane(), command(0x0030)
    for port in (1024, 1025):
        buffer, picks = packet_rows(
            association(1, b"CT1"), whole[:7], whole[7:], kind=Pick.DEEP, protocol=6, port=port
        )
        deep.feed(buffer, picks[:1])
        deep.feed(buffer, picks[1:])
        assert [s.message for s in deep.drain()] == ["associate_rq", "c_echo"]


def look(payload: bytes) -> int:
    buffer, picks = packet_rows(payload, kind=Pick.DEEP, protocol=6)
    looks, keys = np.empty(1, np.uint16), np.empty((3, 1), np.uint64)
    rows = picks.view(PICK_ROW_DTYPE)
    look_at(np.frombuffer(buffer, np.uint8), rows, 4096, np.uint64(7), looks, *keys)
    return int(looks[0])


def test_ldap_in_which_tshark_finds_something() -> None:
    """Binds by NTLM or Kerberos, their answers, and what is not whole; nothing else."""
    sasl = ber(0x60, ber(2, b"\3"), ber(4), ber(0xA3, ber(4, b"GSS-SPNEGO"), ber(4, b"NTLMSSP\0")))
    sicily = ber(0x60, ber(2, b"\3"), ber(4), ber(0x8A, b"NTLMSSP\0"))
    for operation in (sasl, sicily):
        assert not look(ber(0x30, ber(2, b"\1"), operation)) & PLAIN
    assert not look(answer(1, 14, ber(0x87, b"NTLMSSP\0"))) & PLAIN
    whole = search(b"dc=a", equal(b"a", b"b"))
    assert not look(whole[:-1]) & PLAIN
    assert not look(whole + whole) & PLAIN
    assert not look(ber(0x30, ber(2, b"\1"), ber(4, b"public"))) & PLAIN
    for plain in (whole, bind(1, b"cn=x", b"secret"), answer(1, 49)):
        assert look(plain) & PLAIN
    assert look(b"\0\0\0\x54\xfeSMB" + bytes(80)) & TSHARK
    assert look(b"\5\0\x0b\3" + bytes(80)) & TSHARK
    assert not look(command(0x0030)) & TSHARK


def tcp(payload: bytes, port: int = 50000) -> bytes:
    """A frame from 10.0.0.1 to port 445 of 10.0.0.2."""
    total = 40 + len(payload)
    ip = b"\x45\0" + total.to_bytes(2, "big") + bytes(4) + b"\x40\6\0\0\x0a\0\0\1\x0a\0\0\2"
    head = port.to_bytes(2, "big") + b"\x01\xbd" + bytes(8) + b"\x50\x18\xff\xff" + bytes(4)
    return bytes(12) + b"\x08\0" + ip + head + payload


@needs_tshark
@pytest.mark.parametrize("first", [hl7(1, ("LIS", "ACK")), association(1, b"CT1")])
def test_a_clinical_packet_blinds_nobody_to_smb(first: bytes) -> None:
    """Whoever can slip one into a connection of SMB hides nothing that comes behind it."""
    create = b"\xfeSMB\x40\0" + bytes(6) + b"\5\0" + bytes(50) + b"\x39\0" + bytes(54) + b"x"
    deep = DeepLane()
    smb = tcp(len(create).to_bytes(4, "big") + create)
    deep.feed(*picks_of([(1, 1, tcp(first)), (2, 1, smb)], Pick.DEEP))
    told = [s.kind for s in deep.drain()]
    deep.close()
    assert told == ["hl7" if first[:1] == b"\x0b" else "dicom", "smb"]


@needs_tshark
def test_the_rest_of_a_long_hl7_message_is_nobodys() -> None:
    deep = DeepLane()
    frames = [(1, 1, tcp(hl7(1, ("LIS", "ORU^R01")))), (2, 1, tcp(b"OBX|1|ED|" + b"A" * 900))]
    deep.feed(*picks_of(frames, Pick.DEEP))
    assert [s.kind for s in deep.drain()] == ["hl7"]
    assert deep._tshark is None
