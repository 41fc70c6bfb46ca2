"""SMB3's encrypted messages: their lengths are told, whatever segments they travel in."""

import shutil
import struct

import pytest

from collector.deep.lane import DeepLane
from collector.fastlane.lane import FastLane
from tests.collector.fastlane_frames import ACK, PSH, SYN, chunk, ethernet, ipv4, tcp

pytestmark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")

CLIENT, SERVER = ("10.1.20.5", 50_000), ("10.1.1.9", 445)


def sealed(size: int) -> bytes:
    """An encrypted message (MS-SMB2 §2.2.41) behind its length (RFC 1002 §4.3.1)."""
    head = b"\xfdSMB" + bytes(range(16)) + bytes(16) + struct.pack("<IHHQ", size, 0, 1, 7)
    body = head + bytes(n * 31 & 255 for n in range(size))
    return struct.pack("!I", len(body)) + body


def frames(messages, segment: int = 1448):
    """A connection in which each (is_response, bytes) follows the other, cut into segments."""
    sent, at = [1000, 5000], 0.01
    yield 0.0, frame(False, SYN, b"", 999, 0)
    yield 0.001, frame(True, SYN | ACK, b"", 4999, 1000)
    for is_response, payload in messages:
        for start in range(0, len(payload), segment):
            piece = payload[start : start + segment]
            yield at, frame(is_response, PSH | ACK, piece, sent[is_response], sent[not is_response])
            sent[is_response] += len(piece)
            at += 0.001


def frame(is_response: bool, flags: int, payload: bytes, seq: int, ack: int) -> bytes:
    (ip, port), (peer, peer_port) = (SERVER, CLIENT) if is_response else (CLIENT, SERVER)
    return ethernet(ipv4(ip, peer, 6, tcp(port, peer_port, flags, payload, seq, ack)))


def told(messages, segment: int = 1448):
    lane, fast = DeepLane(), FastLane()
    capture = chunk(frames(messages, segment))
    lane.feed(capture.buffer, fast.feed(capture).picks)
    found = [s for s in lane.drain() if s.kind == "smb" and s.is_encrypted]
    lane.close()
    assert not lane.malformed
    return [(s.is_response, s.sealed_bytes) for s in found]


def test_each_message_tells_its_length_and_direction() -> None:
    talk = [(False, 113), (True, 5080), (False, 88), (True, 124), (False, 200_112), (True, 80)]
    assert told([(way, sealed(size)) for way, size in talk]) == talk


def test_several_messages_in_one_segment() -> None:
    together = sealed(113) + sealed(88)
    assert told([(False, together), (True, sealed(124))]) == [
        (False, 113), (False, 88), (True, 124),
    ]  # fmt: skip
