"""Captures read in a process of their own give what they give when read here."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import sample_pcaps
from collector.capture import CaptureError
from collector.observations import Observations
from collector.reading_process import ReadingProcess, _Sender, reading_process
from collector.replay import Progress, Replay
from collector.settings import CollectorSettings
from collector.told import Told
from tests.collector.test_spool import every_kind

FOLDER = Path(sample_pcaps.__file__).parent
SETTINGS = CollectorSettings()


@pytest.fixture
def process() -> Iterator[ReadingProcess]:
    process = ReadingProcess()
    yield process
    process.close()


def told(read: Iterator[Observations]) -> list[tuple[bytes, tuple[str, ...], object, int, object]]:
    return [
        (s.flows.rows.tobytes(), s.flows.sensors, s.sightings, s.watermark_ns, s.health.to_json())
        for s in read
    ]


def test_the_same_is_told(process: ReadingProcess, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"no capture")
    cut_off = tmp_path / "cut_off.pcap"
    cut_off.write_bytes((FOLDER / "15_scan.pcap").read_bytes()[:-3])
    files = [FOLDER / "12_mobile_router.pcap", broken, cut_off]
    here = Replay(SETTINGS)
    progress: list[Progress] = []
    apart = process.replay(SETTINGS, progress.append)
    expected = told(here.read(files))
    assert told(apart.read(files)) == expected
    assert expected[-1][2]
    assert apart.health == here.health
    assert [n for n in apart.health.notes if "cut off" in n]
    [fault] = apart.faults
    assert isinstance(fault, CaptureError)
    assert (str(fault), fault.path, fault.offset) == (str(here.faults[0]), broken, 0)


def test_files_beside_the_captures_are_no_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("queue", "pickle", "collector"):
        (tmp_path / f"{name}.py").write_text("open('was_run', 'w').close()")
    monkeypatch.chdir(tmp_path)
    process = ReadingProcess()
    process.close()
    process = ReadingProcess()
    assert list(process.replay(SETTINGS, None).read([FOLDER / "15_scan.pcap"]))
    process.close()
    assert not (tmp_path / "was_run").exists()


def test_progress_is_told(process: ReadingProcess, tmp_path: Path) -> None:
    scan = (FOLDER / "15_scan.pcap").read_bytes()
    many = tmp_path / "many.pcap"
    many.write_bytes(scan[:24] + scan[24:] * (70_000_000 // len(scan)))
    progress: list[Progress] = []
    list(process.replay(SETTINGS, progress.append).read([many]))
    assert progress[-1].file == many
    assert 0 < progress[-1].position <= progress[-1].size == many.stat().st_size


def test_sightings_of_every_kind_keep_their_order() -> None:
    sightings = every_kind() + every_kind()[::-1]
    same_time = [replace(sighting, time_ns=7) for sighting in sightings]
    told = Told(same_time, range(len(same_time)))
    assert pickle.loads(pickle.dumps(told)) == tuple(same_time) == told
    assert pickle.loads(pickle.dumps(Told())) == () == Told()


def test_a_process_that_is_killed_is_told(process: ReadingProcess) -> None:
    process._process.kill()
    with pytest.raises(RuntimeError, match=r"ended too early \(status -9\)"):
        list(process.replay(SETTINGS, None).read([FOLDER / "15_scan.pcap"]))


def test_a_fault_of_ours_comes_with_its_place(process: ReadingProcess) -> None:
    wrong = SETTINGS.model_copy(update={"fast_lane": None})
    with pytest.raises(RuntimeError, match="new_fast_lane"):
        list(process.replay(wrong, None).read([FOLDER / "15_scan.pcap"]))


def test_it_ends_with_a_parent_that_stops_listening(process: ReadingProcess) -> None:
    files = [FOLDER / "12_mobile_router.pcap"] * 50
    next(process.replay(SETTINGS, None).read(files))
    process.close()
    assert process._process.returncode == 0


def test_small_captures_are_read_without_it(tmp_path: Path) -> None:
    with reading_process([FOLDER / "15_scan.pcap", tmp_path / "none.pcap"]) as process:
        assert process is None
    (tmp_path / "large.pcap").touch()
    os.truncate(tmp_path / "large.pcap", 64 << 20)
    with reading_process([tmp_path]) as process:
        assert process is not None
    assert process._process.returncode == 0


class _Exhausted:
    def send_bytes(self, message: bytes) -> None:
        raise MemoryError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sender_that_fails_holds_nobody_up() -> None:
    sender = _Sender(_Exhausted())  # type: ignore[arg-type]
    sender.start()
    with pytest.raises(BrokenPipeError):
        for _ in range(1000):
            sender.send("progress", None)
    sender.end()
    assert not sender.is_alive()


def test_it_reads_on_what_it_has_begun_with(process: ReadingProcess) -> None:
    scan, router = FOLDER / "15_scan.pcap", FOLDER / "12_mobile_router.pcap"
    process.begin(SETTINGS, [scan])
    assert told(process.replay(SETTINGS, None).read([router])) == told(
        Replay(SETTINGS).read([scan])
    )
