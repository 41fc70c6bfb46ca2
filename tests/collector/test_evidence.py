"""Evidence: each alert gets its own packets, few enough to look at."""

import struct
from pathlib import Path

import pytest

from collector.capture import open_capture
from collector.evidence import EvidenceRequest, cut_evidence, redact_capture
from tests.collector.fastlane_frames import SECOND, START, ethernet, ipv4, tcp, udp

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def write_capture(path: Path, frames: list[tuple[float, bytes]]) -> Path:
    out = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    for second, frame in frames:
        seconds, part = divmod(START + int(second * SECOND), SECOND)
        out += struct.pack("<IIII", seconds, part, len(frame), len(frame)) + frame
    path.write_bytes(out)
    return path


def frame(source: str, destination: str, number: int = 1) -> bytes:
    return ethernet(ipv4(source, destination, 17, udp(number, 9)))


def frames_of(path: Path) -> list[bytes]:
    with open_capture(path) as capture:
        return [
            piece.buffer[int(row["offset"]) : int(row["offset"]) + int(row["captured"])].tobytes()
            for piece in capture
            for row in piece.index
        ]


def test_each_alert_gets_its_pairs_packets_within_its_time(tmp_path: Path) -> None:
    frames = [frame(A, B, 1), frame(B, A, 2), frame(A, C, 3), frame(C, B, 4), frame(A, B, 5)]
    path = write_capture(tmp_path / "a.pcap", [(10.0 * at, f) for at, f in enumerate(frames)])
    requests = [
        EvidenceRequest("pair", ((A, B),), START, START + 25 * SECOND),
        EvidenceRequest("host", ((C, ""),), START, START + 99 * SECOND),
        EvidenceRequest("nobody", (("10.9.9.9", ""), ("a name", "")), START, START + 99 * SECOND),
    ]
    result = cut_evidence([path, tmp_path / "absent"], requests, tmp_path / "evidence")
    assert result.packets == {"pair": 2, "host": 2}
    assert [fault.path.name for fault in result.faults] == ["absent"]
    assert frames_of(tmp_path / "evidence" / "pair.pcap") == frames[:2]
    assert frames_of(tmp_path / "evidence" / "host.pcap") == frames[2:4]
    assert not (tmp_path / "evidence" / "nobody.pcap").exists()


def test_evidence_is_bounded_and_says_that_it_was_cut(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcap", [(at / 10, frame(A, B, at)) for at in range(50)])
    requests = [EvidenceRequest("x", ((A, B),), START, START + 9 * SECOND)]
    few = cut_evidence([path], requests, tmp_path / "few", most_packets=7)
    assert (few.packets, few.cut_short) == ({"x": 7}, {"x"})
    small = cut_evidence([path], requests, tmp_path / "small", most_bytes=2 * len(frame(A, B)))
    assert (small.packets, small.cut_short) == ({"x": 2}, {"x"})


def test_an_alert_id_cannot_leave_the_folder(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcap", [(0, frame(A, B))])
    with pytest.raises(ValueError, match="plain file name"):
        cut_evidence([path], [EvidenceRequest("../x", ((A, B),), 0, 1)], tmp_path)


def test_redacted_captures_tell_who_but_never_what(tmp_path: Path) -> None:
    secret = b"patient 4711"
    frames = [
        ethernet(ipv4(A, B, 17, udp(5, 9, secret)), vlan=20),
        ethernet(ipv4(A, B, 6, tcp(5, 80, 0x18, secret))),
        ethernet(secret, kind=0x88B5),
    ]
    path = write_capture(tmp_path / "a.pcap", [(float(at), f) for at, f in enumerate(frames)])
    told = redact_capture(path)
    assert secret not in told
    (tmp_path / "b.pcap").write_bytes(told)
    assert frames_of(tmp_path / "b.pcap") == [f[: -len(secret)] for f in frames[:2]]
