"""What the deep lane does when tshark is absent, dies, stalls, or is fed rubbish."""

import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from collector.deep.lane import DeepLane
from collector.deep.settings import DeepSettings
from collector.deep.tshark import Tshark, command
from collector.packet import Pick
from collector.recent import Recent
from tests.collector.feeder import frames_of, packet_rows, picks_of

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
PSEXEC = "lateral-movement/el_impacket_psexec.pcap"


def script(folder, text: str) -> str:
    """A program that an account without rights may run."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    for part in (path, *list(folder.parents)[:2], folder):
        part.chmod(0o755)
    return str(path)


def test_absent_tshark_is_told_and_medical_protocols_are_still_read() -> None:
    lane = DeepLane(DeepSettings(program="no-such-tshark"))
    hl7 = b"\x0bMSH|^~\\&|HIS|WARD3|LIS|LAB|202611221200||ORM^O01|7|P|2.5\rPID|1||0012345\r"
    lane.feed(*packet_rows(hl7, b"\0\0\0\x10\xfeSMB", kind=Pick.DEEP, protocol=6))
    [order] = lane.drain()
    assert (order.sending_application, order.message_type) == ("HIS", "ORM^O01")
    assert "install" in lane.blind["deep"].en
    assert lane.shed == {"deep_tshark": 1}


@needs_tshark
def test_nothing_to_dissect_starts_no_tshark() -> None:
    lane = DeepLane(DeepSettings(program="/bin/false"))
    lane.feed(*packet_rows(b"GET / HTTP/1.1\r\n\r\n", kind=Pick.HTTP, protocol=6))
    assert lane.drain() == []
    assert not lane.shed


def test_a_tshark_that_never_answers_is_given_up(tmp_path) -> None:
    lane = DeepLane(
        DeepSettings(
            program=script(tmp_path, "cat >/dev/null"), stall_timeout_s=0.3, max_failures=2
        )
    )
    rows = packet_rows(b"\0\0\0\x10\xfeSMB", kind=Pick.DEEP, protocol=6)
    for _ in range(3):
        lane.feed(*rows)
        assert lane.drain() == []
    assert lane.shed == {"deep_tshark": 3}
    assert "did not answer" in lane.blind["deep"].en


def test_a_tshark_that_dies_at_once_says_why(tmp_path) -> None:
    program = script(tmp_path, "echo no such field >&2; exit 2")
    lane = DeepLane(DeepSettings(program=program, max_failures=1))
    lane.feed(*packet_rows(b"\0\0\0\x10\xfeSMB", kind=Pick.DEEP, protocol=6))
    assert lane.drain() == []
    assert "no such field" in lane.blind["deep"].en


@needs_tshark
def test_a_killed_tshark_is_replaced_and_its_packets_are_counted(captures) -> None:
    buffer, picks = picks_of(frames_of(captures / PSEXEC), Pick.DEEP)
    lane = DeepLane()
    lane.feed(buffer, picks[:200])
    before = lane.drain()
    assert before
    lane._tshark._process.kill()
    lane._tshark._process.wait()
    lane.feed(buffer, picks[200:300])
    lane.drain()
    assert lane.shed == {"deep_tshark": 100}
    lane.feed(buffer, picks[300:])
    assert lane.drain()
    lane.close()
    assert lane.shed == {"deep_tshark": 100}
    assert not lane.blind


@needs_tshark
@pytest.mark.parametrize("rotate_after", [200_000, 150])
def test_a_stretch_drained_behind_the_next_tells_the_same(captures, rotate_after) -> None:
    buffer, picks = picks_of(frames_of(captures / PSEXEC), Pick.DEEP)
    settings = DeepSettings().model_copy(update={"rotate_after": rotate_after})
    at_once, behind, cuts = DeepLane(settings), DeepLane(settings), []
    expected, told = [], []
    for start in range(0, len(picks), 100):
        at_once.feed(buffer, picks[start : start + 100])
        expected.append(list(at_once.drain()))
        behind.feed(buffer, picks[start : start + 100])
        cuts.append(behind.cut())
        told += [list(behind.drain(cut)) for cut in cuts[-2:-1]]
    told.append(list(behind.drain(cuts[-1])))
    at_once.close(), behind.close()
    assert sum(map(len, expected)) > 100
    assert told == expected
    assert not behind.shed


@needs_tshark
def test_real_packets_with_broken_bytes(captures) -> None:
    dice = random.Random(11)
    lane, told = DeepLane(), 0
    for name in (PSEXEC, "lateral-movement/el_wmimplant.pcap", "benign/ndpi_kerberos.pcap"):
        buffer, picks = picks_of(frames_of(captures / name), Pick.DEEP)
        broken = np.frombuffer(buffer, np.uint8).copy()
        for row in picks:
            at, length = int(row["frame_offset"]), int(row["frame_length"])
            for _ in range(dice.randrange(6)):
                broken[at + 34 + dice.randrange(max(1, length - 34)) - 1] = dice.randrange(256)
        lane.feed(broken, picks)
        told += len(lane.drain())
    lane.close()
    assert told > 100
    assert not lane.shed
    assert not lane.blind


@needs_tshark
def test_a_name_with_tabs_and_line_ends_stays_in_its_column() -> None:
    """A CREATE of SMB2 whose file name holds a tab, a line end and our separator."""
    name = "a\tb\nc\x1fd.exe".encode("utf-16-le")
    body = b"\x39\0" + bytes(42) + (120).to_bytes(2, "little") + len(name).to_bytes(2, "little")
    create = b"\xfeSMB\x40\0" + bytes(6) + b"\5\0" + bytes(50) + body + bytes(8) + name
    payload = len(create).to_bytes(4, "big") + create
    total = 40 + len(payload)
    ip = b"\x45\0" + total.to_bytes(2, "big") + bytes(4) + b"\x40\6\0\0\x0a\0\0\1\x0a\0\0\2"
    tcp = b"\x9c\x40\x01\xbd" + bytes(8) + b"\x50\x18\xff\xff" + bytes(4)
    frame = bytes(12) + b"\x08\0" + ip + tcp + payload
    lane = DeepLane()
    lane.feed(*picks_of([(1, 1, frame), (2, 1, frame)], Pick.DEEP))
    told = lane.drain()
    lane.close()
    assert [s.command for s in told][:1] == [5]
    assert all("\t" not in s.file and "\n" not in s.file for s in told)
    assert told[0].file.startswith("a")


def test_a_tshark_that_writes_more_than_it_was_asked_is_closed(tmp_path) -> None:
    program = script(tmp_path, "printf '1\\n2\\n3\\n'; exec cat >/dev/null")
    lane = DeepLane(DeepSettings(program=program, stall_timeout_s=5))
    lane.feed(*packet_rows(b"\0\0\0\x10\xfeSMB", kind=Pick.DEEP, protocol=6))
    tshark = lane._tshark
    assert tshark is not None
    assert lane.drain() == []
    assert lane.malformed["tshark"]
    assert tshark._process.poll() is not None
    assert tshark._process.stdout is not None
    assert tshark._process.stdout.closed


@needs_tshark
def test_a_burst_larger_than_the_pipe_does_not_block() -> None:
    tshark = Tshark(DeepSettings(stall_timeout_s=30))
    started = time.monotonic()
    for number in range(20000):
        tshark.feed(1, number, bytes(12) + b"\x08\0" + bytes(400), 414)
    lines = tshark.lines()
    tshark.close()
    assert [line.split("\t")[0] for line in lines] == [str(n + 1) for n in range(20000)]
    assert time.monotonic() - started < 30


@needs_tshark
def test_it_runs_without_rights() -> None:
    tshark = Tshark(DeepSettings())
    tshark.feed(1, 0, bytes(60), 60)
    tshark.lines()
    status = Path(f"/proc/{tshark._process.pid}/status").read_text().splitlines()
    tshark.close()
    facts = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert facts["NoNewPrivs"] == "1" or "setpriv" not in command(DeepSettings())
    assert facts["Uid"].split()[0] != "0"
    assert int(facts["CapEff"], 16) == 0


def test_memory_of_connections_is_bounded() -> None:
    recent: Recent[int] = Recent(3)
    for number in range(5):
        recent.put(number, number)
    assert [recent.get(n) for n in range(5)] == [None, None, 2, 3, 4]
    recent.put(2, 9)
    recent.put(7, 7)
    assert (recent.get(2), recent.get(3)) == (9, None)
