"""What the fast lane picks of a connection's first words, as seen behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.fastlane.lane import FastLane
from collector.sighting_lane import SightingLane
from collector.sightings import AttackBytes, Http, Sighting
from tests.collector.fastlane_frames import ACK, PSH, SYN, chunk, ethernet, ipv4, tcp
from tests.collector.test_decoders import connect_initial

CLIENT, SERVER = "10.1.20.5", "10.1.1.9"
_COMMAND = b"<s:Envelope>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Command"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def connection(port: int, said: list[tuple[bool, bytes]]) -> Iterator[tuple[float, bytes]]:
    """A handshake, then each (is_reply, bytes) in a segment of its own."""
    sent, at = [1000, 5000], 0.01
    for is_reply, flags, seq, ack in ((False, SYN, 999, 0), (True, SYN | ACK, 4999, 1000)):
        yield at, frame(port, is_reply, flags, b"", seq, ack)
        at += 0.001
    for is_reply, payload in said:
        ends = (sent[is_reply], sent[not is_reply])
        yield at, frame(port, is_reply, PSH | ACK, payload, *ends)
        sent[is_reply] += len(payload)
        at += 0.001


def frame(port: int, is_reply: bool, flags: int, payload: bytes, seq: int, ack: int) -> bytes:
    ends = ((CLIENT, 50_000), (SERVER, port))
    (ip, source), (peer, destination) = ends[::-1] if is_reply else ends
    return ethernet(ipv4(ip, peer, 6, tcp(source, destination, flags, payload, seq, ack)))


def told(port: int, said: list[tuple[bool, bytes]]) -> list[Sighting]:
    capture = chunk(connection(port, said))
    return list(SightingLane().decode(capture.buffer, FastLane().feed(capture).picks))


@pytest.mark.parametrize("port", [5985, 47001, 8080])
def test_a_shells_command_is_read_though_it_follows_its_head(port: int) -> None:
    head = b"POST /wsman HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(_COMMAND)
    once = [(False, head), (False, _COMMAND), (True, _OK)]
    seen = [s.wsman for s in told(port, once * 3) if isinstance(s, Http)]
    assert seen == ["head", "command"] * 3


def test_what_follows_other_requests_is_not_picked() -> None:
    head = b"POST /form HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(_COMMAND)
    seen = told(5985, [(False, head), (False, _COMMAND), (False, _COMMAND)])
    assert [s.path for s in seen if isinstance(s, Http)] == ["/form"]


@pytest.mark.parametrize("port", [3389, 13389])
def test_the_channels_of_a_remote_desktop_are_looked_at(port: int) -> None:
    request = bytes.fromhex("0300000b06e00000000000")
    confirm = bytes.fromhex("0300000b06d00000123400")
    talk = [(False, request), (True, confirm), (False, connect_initial(b"MS_T120"))]
    marks = [s.mark for s in told(port, talk) if isinstance(s, AttackBytes)]
    assert marks == ["bluekeep"]
    talk[-1] = (False, connect_initial(b"rdpsnd"))
    assert not [s for s in told(port, talk) if isinstance(s, AttackBytes)]
