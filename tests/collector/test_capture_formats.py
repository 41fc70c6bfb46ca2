"""Every capture format that we read yields the same packets."""

import gzip
import struct
import threading
from pathlib import Path

import pytest
import zstandard

from collector.capture import CaptureError, open_capture

FRAMES = [bytes([n]) * (20 + n) for n in range(5)]
TIMES = [1_700_000_000_123_456_000 + n * 1_000_000_000 for n in range(5)]


def pcap(order: str = "<", is_nano: bool = False, link_type: int = 1) -> bytes:
    magic = 0xA1B23C4D if is_nano else 0xA1B2C3D4
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for time_ns, frame in zip(TIMES, FRAMES, strict=True):
        part = time_ns % 10**9 // (1 if is_nano else 1000)
        size = len(frame)
        out += struct.pack(order + "IIII", time_ns // 10**9, part, size, size + 7) + frame
    return out


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return (
        struct.pack(order + "II", kind, len(body) + 12)
        + body
        + struct.pack(order + "I", len(body) + 12)
    )


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link_type: int, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options)


def enhanced(order: str, number: int, ticks: int, frame: bytes) -> bytes:
    head = struct.pack(
        order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
    )
    return block(order, 6, head + frame)


def read(path: Path) -> tuple[list[tuple[int, bytes, int]], list[str]]:
    packets = []
    with open_capture(path) as capture:
        for chunk in capture:
            for row in chunk.index:
                at, size = int(row["offset"]), int(row["captured"])
                frame = chunk.buffer[at : at + size].tobytes()
                packets.append((int(row["time_ns"]), frame, int(row["link_type"])))
    return packets, capture.notes


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_nano", [False, True])
def test_reads_pcap_in_both_orders_and_units(tmp_path: Path, order: str, is_nano: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap(order, is_nano, link_type=113))
    packets, notes = read(path)
    assert packets == [(t, f, 113) for t, f in zip(TIMES, FRAMES, strict=True)]
    assert notes == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_pcapng_with_sections_interfaces_and_clocks(tmp_path: Path, order: str) -> None:
    nano = struct.pack(order + "HHB3x", 9, 1, 9)
    binary = struct.pack(order + "HHB3x", 9, 1, 0x80 | 20)
    offset = struct.pack(order + "HHq", 14, 8, 1_000_000_000)
    body = section(order)
    body += interface(order, 1) + interface(order, 101, nano) + interface(order, 113, binary)
    body += interface(order, 276, offset) + block(order, 0x0BAD, b"unknown")
    body += enhanced(order, 0, TIMES[0] // 1000, FRAMES[0])
    body += enhanced(order, 1, TIMES[1] + 789, FRAMES[1])
    body += enhanced(order, 2, (TIMES[2] // 10**9 << 20) + 524288, FRAMES[2])
    body += enhanced(order, 3, 700_000_000_000_000, FRAMES[3])
    body += block(order, 3, struct.pack(order + "I", len(FRAMES[4])) + FRAMES[4])
    old = struct.pack(order + "HHIIII", 1, 0, TIMES[4] >> 32, TIMES[4] & 0xFFFFFFFF, 4, 4)
    body += block(order, 2, old + b"abcd")
    body += section(order) + interface(order, 0) + enhanced(order, 0, TIMES[0] // 1000, b"x")
    path = tmp_path / "a"
    path.write_bytes(body)
    packets, notes = read(path)
    assert notes == []
    assert packets == [
        (TIMES[0], FRAMES[0], 1),
        (TIMES[1] + 789, FRAMES[1], 101),
        (TIMES[2] // 10**9 * 10**9 + 500_000_000, FRAMES[2], 113),
        (1_700_000_000_000_000_000, FRAMES[3], 276),
        (1_700_000_000_000_000_000, FRAMES[4], 1),
        (TIMES[4], b"abcd", 101),
        (TIMES[0], b"x", 0),
    ]


def test_reads_gzip_and_zstd_like_the_plain_file(tmp_path: Path) -> None:
    plain, squeezed, frames = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    plain.write_bytes(pcap())
    squeezed.write_bytes(gzip.compress(pcap()))
    half = len(pcap()) // 2
    compress = zstandard.ZstdCompressor().compress
    frames.write_bytes(compress(pcap()[:half]) + compress(pcap()[half:]))
    assert read(plain) == read(squeezed) == read(frames)


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress])
def test_a_cut_capture_yields_what_is_there_and_says_where(tmp_path: Path, squeeze: object) -> None:
    path = tmp_path / "cut.pcap"
    assert callable(squeeze)
    path.write_bytes(squeeze(pcap()[:-3]))
    packets, notes = read(path)
    assert [frame for _, frame, _ in packets] == FRAMES[:-1]
    assert notes == [f"{path}: cut off at byte {len(pcap()) - 3}"]


def test_a_cut_gzip_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap.gz"
    path.write_bytes(gzip.compress(pcap() + pcap()[24:] * 999)[:-20])
    packets, notes = read(path)
    assert packets
    assert len(notes) == 1
    assert "cut off at byte" in notes[0]


def test_a_corrupt_length_ends_the_reading_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "bad.pcap"
    path.write_bytes(pcap() + struct.pack("<IIII", 1, 2, 0xFFFFFFF0, 3) + bytes(50))
    packets, notes = read(path)
    assert len(packets) == 5
    assert notes == [f"{path}: corrupt record header at byte {len(pcap())}; the rest is unread"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"snoop\x00\x00\x00\x00\x00\x00\x02", "snoop"),
        (b"PK\x03\x04whatever", "zip"),
        (b"hello, world", "neither pcap nor pcapng"),
        (pcap()[:20], "inside the file header"),
    ],
)
def test_refuses_what_is_no_capture(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=reason):
        open_capture(path)


def test_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(CaptureError, match=str(path)):
            open_capture(path)


def test_leaving_early_leaves_no_thread_behind(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap())
    with open_capture(path) as capture:
        for _ in capture:
            break
    assert not [t for t in threading.enumerate() if t.name.startswith("read-ahead")]
