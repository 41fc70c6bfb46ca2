"""No bytes crash the fast lane, stall it, or make it lie about what it saw."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.capture import CaptureError, Chunk, open_capture
from collector.fastlane import FastLane, FastLaneSettings
from tests.collector.fastlane_frames import (
    ACK,
    SYN,
    chunk,
    cut,
    ethernet,
    icmp,
    ipv4,
    ipv6,
    run,
    tcp,
    udp,
)  # fmt: skip

A, B = "10.0.0.1", "10.0.0.2"
V6 = ("fd00::1", "fd00::2")
INNER = ipv4(A, B, 6, tcp(4000, 445, ACK, b"\0\0\x40\0\xfeSMB" + bytes(12)))
SEEDS = [
    ethernet(INNER, vlan=5),
    ethernet(ipv6(*V6, 17, udp(5353, 5353, b"x" * 20)), 0x86DD),
    ethernet(ipv6(*V6, 0, bytes([44, 0]) + bytes(6) + bytes([6, 0, 0, 1]) + bytes(60)), 0x86DD),
    ethernet(ipv4(A, B, 47, struct.pack("!HH", 0, 0x0800) + INNER)),
    ethernet(ipv4(A, B, 47, struct.pack("!HHI", 0x1000, 0x88BE, 1) + bytes(8) + ethernet(INNER))),
    ethernet(ipv4(A, B, 17, udp(4000, 4789, b"\x08\0\0\0\0\0\x01\0" + ethernet(INNER)))),
    ethernet(ipv4(A, B, 17, udp(4000, 6081, b"\0\0\x65\x58\0\0\x01\0" + ethernet(INNER)))),
    ethernet(ipv4(A, B, 17, udp(2152, 2152, b"\x34\xff\0\x40\0\0\0\1\0\0\0\x85\1\0\0\0" + INNER))),
    ethernet(ipv4(A, B, 41, ipv6(*V6, 58, icmp(134)))),
    ethernet(b"\0\1\x01\x40" + INNER, 0x8847),
    ethernet(b"\x11\0\0\1\0\x50\0\x21" + INNER, 0x8864),
    ethernet(ipv4(A, B, 6, tcp(4000, 80, SYN, options=b"\2\4\5\xb4\1\3\3\7\4\2\1\1"))),
    ethernet(ipv4(A, B, 17, udp(9999, 2055, struct.pack("!HH", 5, 1) + bytes(68)))),
]
LINKS = st.sampled_from([0, 1, 9, 12, 50, 101, 104, 105, 108, 113, 127, 228, 276, 999])


@st.composite
def hostile_frames(draw: st.DrawFn) -> bytes:
    """A sound frame with bytes changed, cut or added; or just bytes."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=120))
    frame = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(0, len(frame)))])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 10**9), hostile_frames()), max_size=40), LINKS)
def test_any_bytes_pass_and_every_packet_is_counted(
    frames: list[tuple[float, bytes]], link_type: int
) -> None:
    packets = chunk(frames, link_type)
    lane = FastLane(FastLaneSettings(max_flows=16, active_s=60, keep_outer=True))
    flows = [lane.feed(piece) for piece in cut(packets, 7)]
    last = lane.finish()
    assert lane.counters.packets == len(frames)
    assert lane.live_flows == 0
    for output in [*flows, last]:
        picks = output.picks
        assert (picks["payload_offset"] >= picks["frame_offset"]).all()
        ends = picks["payload_offset"] + picks["payload_length"]
        assert (ends <= picks["frame_offset"] + picks["frame_length"]).all()
    reported = np.concatenate([output.flows.reported_ns for output in [*flows, last]])
    assert (np.diff(reported) >= 0).all()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 400), hostile_frames()), min_size=1, max_size=60),
    st.integers(1, 9),
)
def test_chunks_change_neither_flows_nor_picks(
    frames: list[tuple[float, bytes]], size: int
) -> None:
    packets = chunk(frames)

    def told(chunks: list[Chunk]) -> tuple[bytes, bytes]:
        lane = FastLane(FastLaneSettings(active_s=30))
        outputs = [*map(lane.feed, chunks), lane.finish()]
        rows = b"".join(output.flows.rows.tobytes() for output in outputs)
        return rows, b"".join(output.picks.tobytes() for output in outputs)

    assert told(cut(packets, size)) == told([packets])


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400), st.sampled_from([b"", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a"]))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, tail: bytes,
                                     magic: bytes) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("any") / "file"
    order = b"\x1c\x00\x00\x00\x4d\x3c\x2b\x1a" if magic == b"\x0a\x0d\x0d\x0a" else b""
    path.write_bytes(magic + order + tail)
    try:
        with open_capture(path) as capture:
            for piece in capture:
                assert (piece.index["offset"] + piece.index["captured"] <= len(piece.buffer)).all()
    except CaptureError as error:
        assert str(path) in str(error)


def test_every_hostile_capture_is_read_to_its_end(captures: Path) -> None:
    folder = captures / "robustness"
    read = 0
    for path in sorted(folder.glob("*.pcap*")):
        if ".expected." in path.name:
            continue
        lane = FastLane()
        try:
            with open_capture(path) as capture:
                packets = [lane.feed(piece) and len(piece) for piece in capture]
        except CaptureError:
            continue
        lane.finish()
        assert lane.counters.packets == sum(packets)
        read += 1
    assert read > 0


def test_a_fragment_is_its_datagrams_and_an_orphan_is_counted() -> None:
    first = ipv4(A, B, 17, udp(4000, 4001, b"x" * 40), fragment=0x2000, ident=7)
    rest = ipv4(A, B, 17, b"y" * 24, fragment=6, ident=7)
    stray = ipv4(A, B, 17, b"y" * 24, fragment=6, ident=8)
    packets = chunk([(at, ethernet(data)) for at, data in enumerate((first, rest, stray))])
    flows = run([packets])
    assert (flows.packets.tolist(), flows.bytes.tolist()) == ([1], [68 + 24])
    lane = FastLane()
    lane.feed(packets)
    assert lane.counters.malformed == {"fragment_orphan": 1}


def test_tunnels_yield_what_is_inside() -> None:
    flows = run([chunk([(0, frame) for frame in SEEDS])])
    inner = flows.take(flows.destination_port == 445)
    assert int(inner.packets.sum()) == 8
    assert sorted(flows.destination_port.tolist()) == [
        0,
        80,
        133,
        445,
        2055,
        2152,
        4789,
        5353,
        6081,
    ]
