"""No bytes crash the fast lane, stall it, or make it lie about what it saw."""

import struct
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.capture import CaptureError, Chunk, open_capture
from collector.fastlane import FastLane, FastLaneSettings
from tests.collector.fastlane_envelopes import ENVELOPES
from tests.collector.fastlane_frames import (
    ACK,
    SYN,
    chunk,
    cut,
    ends,
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
    ethernet(ipv4(A, B, 17, udp(4000, 4001, b"x" * 40), fragment=0x2000, ident=7)),
    ethernet(ipv4(A, B, 17, b"y" * 24, fragment=6, ident=7)),
]
HOSTILE_SEEDS = [*SEEDS, *(envelope(INNER) for envelope in ENVELOPES.values())]
LINKS = st.sampled_from([0, 1, 9, 12, 50, 101, 104, 105, 108, 113, 127, 228, 276, 999])


@st.composite
def hostile_frames(draw: st.DrawFn) -> bytes:
    """A sound frame with bytes changed, cut or added; or just bytes."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=120))
    frame = bytearray(draw(st.sampled_from(HOSTILE_SEEDS)))
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


def fragment(data: bytes, offset: int, size: int, ident: int = 7) -> bytes:
    more = 0x2000 if offset + size < len(data) else 0
    piece = data[offset : offset + size]
    return ethernet(ipv4(A, B, 17, piece, fragment=more | offset // 8, ident=ident))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 0, 1, 1, 2)])
def test_fragments_are_one_packet_once_all_have_come(order: tuple[int, ...]) -> None:
    data = udp(4000, 4001, b"x" * 92)
    pieces = [fragment(data, at, 40) for at in (0, 40, 80)]
    flows = run([chunk([(at, pieces[number]) for at, number in enumerate(order)])])
    assert ends(flows) == [f"{A}:4000 > {B}:4001 1/0 S0"]
    assert flows.bytes.tolist() == [20 + len(data)]


def test_a_datagram_that_misses_a_fragment_is_told_but_not_counted() -> None:
    data = udp(4000, 4001, b"x" * 92)
    pieces = [fragment(data, 0, 40), fragment(data, 80, 40), fragment(data, 80, 40, ident=8)]
    whole = ethernet(ipv4(A, B, 17, udp(5000, 5001, b"x")))
    lane = FastLane()
    lane.feed(chunk(enumerate([*pieces, whole])))
    assert ends(lane.finish().flows) == [f"{A}:5000 > {B}:5001 1/0 S0"]
    assert lane.counters.malformed == {"fragment_incomplete": 2}


def test_a_tunnel_in_fragments_counts_inside_and_outside() -> None:
    inner = ipv4("10.9.0.1", "10.9.0.2", 6, tcp(40000, 80, SYN, b"y" * 100))
    data = udp(2152, 2152, struct.pack("!BBHI", 0x30, 0xFF, len(inner), 1) + inner)
    pieces = [fragment(data, at, 80) for at in (0, 80)]
    assert ends(run([chunk(enumerate(pieces))])) == [
        f"{A}:2152 > {B}:2152 1/0 S0",
        "10.9.0.1:40000 > 10.9.0.2:80 1/0 S0",
    ]
    assert len(run([chunk(enumerate(pieces[:1]))])) == 0


def with_checksum(segment: bytes, right: bool) -> bytes:
    """A UDP packet from A to B whose checksum is right, or not."""
    words = ipv4(A, B, 17, segment)[12:20] + struct.pack("!HH", 17, len(segment)) + segment
    total = sum(struct.unpack(f"!{len(words) // 2}H", words))
    total = (total & 0xFFFF) + (total >> 16)
    value = 0xFFFF - ((total & 0xFFFF) + (total >> 16)) ^ (0 if right else 1)
    return ipv4_summed(segment[:6] + struct.pack("!H", value) + segment[8:])


def ipv4_summed(payload: bytes) -> bytes:
    packet = ipv4(A, B, 17, payload)
    total = sum(struct.unpack("!10H", packet[:20]))
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:10] + struct.pack("!H", 0xFFFF - total) + packet[12:]


def test_wrong_checksums_count_unless_the_settings_say_otherwise() -> None:
    packets = [ethernet(with_checksum(udp(4000, 4001, b"xy"), right)) for right in (True, False)]
    assert run([chunk(enumerate(packets))]).packets.tolist() == [2]
    strict = FastLane(FastLaneSettings(drop_bad_checksums=True))
    strict.feed(chunk(enumerate([*packets, ethernet(ipv4(A, B, 17, udp(1, 2)))])))
    assert ends(strict.finish().flows) == [f"{A}:4000 > {B}:4001 1/0 S0"]
    assert strict.counters.malformed == {"checksum_bad": 2}


def test_a_segment_that_the_card_had_still_to_cut_counts_as_the_settings_say() -> None:
    packet = ipv4(A, B, 17, udp(4000, 4001, b"x" * 100))
    offloaded = ethernet(packet[:2] + b"\0\0" + packet[4:])
    assert run([chunk([(0, offloaded)])]).bytes.tolist() == [len(packet)]
    assert run([chunk([(0, offloaded)])], count_offloaded=False).bytes.tolist() == [0]


def test_ipv6_names_its_ends_in_extension_headers() -> None:
    segment = udp(4000, 4001, b"x")
    final = ip_address("2001:db8::99").packed
    routing = struct.pack("!BBBBI", 17, 2, 0, 1, 0) + final
    home = struct.pack("!BBBBBB", 17, 2, 1, 0, 0xC9, 16) + ip_address("2001:db8::42").packed
    padded = home + b"\1\0"
    frames = [
        ethernet(ipv6("2001:db8::1", "2001:db8::2", 43, routing + segment), 0x86DD),
        ethernet(ipv6("2001:db8::1", "2001:db8::2", 60, padded + segment), 0x86DD),
        ethernet(ipv6("2001:db8::1", "2001:db8::2", 51, bytes([17, 4]) + bytes(22) + segment),
                 0x86DD),
    ]  # fmt: skip
    assert ends(run([chunk(enumerate(frames))])) == [
        "2001:db8::1:4000 > 2001:db8::99:4001 1/0 S0",
        "2001:db8::42:4000 > 2001:db8::2:4001 1/0 S0",
        "2001:db8::1:4000 > 2001:db8::2:4001 1/0 S0",
    ]


def test_tunnels_yield_what_is_inside() -> None:
    flows = run([chunk([(0, frame) for frame in SEEDS])])
    inner = flows.take(flows.destination_port == 445)
    assert int(inner.packets.sum()) == 8
    assert sorted(flows.destination_port.tolist()) == [
        80,
        133,
        445,
        2055,
        2152,
        4001,
        4789,
        5353,
        6081,
    ]
