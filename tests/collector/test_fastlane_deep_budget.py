"""What goes to dissection of one connection: so much a minute, for as long as it lives."""

from __future__ import annotations

from collector.fastlane.lane import FastLane, FastLaneSettings
from collector.packet import Pick
from tests.collector.fastlane_frames import ACK, PSH, SYN, chunk, ethernet, ipv4, tcp

CLIENT, SERVER = "10.0.0.1", "10.0.0.9"
#: A whole SMB2 message of 104 bytes behind its NetBIOS head.
MESSAGE = b"\0\0\0\x68\xfeSMB\x40\0" + bytes(98)


def conversation(messages: int, apart_s: float) -> list[tuple[float, bytes]]:
    """One connection whose client sends so many SMB messages."""
    opening = (
        (40_000, 445, SYN, 9, 0),
        (445, 40_000, SYN | ACK, 99, 10),
        (40_000, 445, ACK, 10, 100),
    )
    frames = []
    for n, (source, target, flags, seq, ack) in enumerate(opening):
        ends = (CLIENT, SERVER) if source == 40_000 else (SERVER, CLIENT)
        segment = tcp(source, target, flags, seq=seq, ack=ack)
        frames.append((n * 0.001, ethernet(ipv4(*ends, 6, segment))))
    for n in range(messages):
        segment = tcp(40_000, 445, PSH | ACK, MESSAGE, seq=10 + n * len(MESSAGE), ack=100)
        frames.append((1 + n * apart_s, ethernet(ipv4(CLIENT, SERVER, 6, segment))))
    return frames


def dissected(messages: int, apart_s: float) -> tuple[int, int]:
    """Packets picked for dissection, and shed."""
    lane = FastLane(FastLaneSettings(deep_bytes_per_flow=1624))  # ten frames
    output = lane.feed(chunk(conversation(messages, apart_s)))
    picked = int((output.picks["kind"] == Pick.DEEP).sum())
    return picked, lane.counters.shed.get("deep", 0)


def test_what_is_beyond_a_minutes_bytes_is_shed_and_counted() -> None:
    assert dissected(25, 0.1) == (10, 15)


def test_an_old_connection_is_looked_at_again_every_minute() -> None:
    """Windows keeps one SMB connection to a server for hours; ransomware begins late in it."""
    picked, shed = dissected(25, 30)
    assert (picked, shed) == (25, 0)
