"""What the system refuses is told in one line: what, where, what to do; never as a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCAN = ROOT / "sample_pcaps" / "15_scan.pcap"


def mimawari(
    *words: object, given: bytes | None = None, out: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(ROOT / "mimawari.py"), *map(str, words)]
    return subprocess.run(
        command, input=given, stdout=out, stderr=subprocess.PIPE, timeout=300, check=False,
        env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A file and an empty folder, where commands want the other."""
    (tmp_path / "file").write_text("x\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("replay {scan} --state {here}/file", "a file stands where a folder should be"),
        ("replay {scan} --state {here}/file/below", "a file stands where a folder should be"),
        ("flows {scan} --parquet {here}/folder", "name a file"),
        ("flows {scan} --parquet {here}/none/x.parquet", "correct the path"),
        ("flows {here}/folder", "no capture in this folder"),
        ("replay {scan} --speed nan", "not 'nan'"),
        ("setup propose {scan} --out {here}/file", "a file stands where a folder should be"),
        ("setup confirm {here}/folder", "plan.toml: No such file"),
        ("assets ports {here}/none", "correct the path"),
        ("assets ports {here}/folder", "name a file"),
        ("assets list --state {here}/none", "no such state folder"),
        ("lines list --state {here}/none", "no such state folder"),
        ("baseline list --state {here}/none", "no such state folder"),
        ("report weekly --state {here}/folder --until 0001-01-01", "from 1971 to 9998"),
        ("report weekly --state {here}/folder --html {here}/none/x", "correct the path"),
        ("hunt --state {here}/none", "no such state folder"),
        ("hunt --state {here}/folder --host pacs-1", "not 'pacs-1'"),
        ("data update {here}/none", "correct the path"),
        ("data update {here}/file", "not a list"),
        ("demo --state {here}/file --no-serve", "a file stands where a folder should be"),
        ("demo --port 99999", "65535"),
    ],
)
def test_what_cannot_be_done_is_told(here: Path, words: str, told: str) -> None:
    done = mimawari(*words.format(scan=SCAN, here=here).split(), COLUMNS="400")
    assert told in done.stderr.decode(), done.stderr.decode()
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)


@pytest.mark.parametrize("words", ["flows", "sightings", "replay", "replay --json"])
def test_a_full_disk_behind_the_output_is_told(words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = mimawari(*words.split(), SCAN, out=full.fileno())
    told = done.stderr.decode()
    assert (done.returncode, told.count("make room"), "Traceback" in told) == (2, 1, False)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "mimawari.db").write_bytes(b"what some other program keeps here" * 100)
    done = mimawari("assets", "list", "--state", tmp_path)
    assert f"{tmp_path}/mimawari.db: file is not a database" in done.stderr.decode()
    assert done.returncode == 2


def test_a_pipe_is_read_as_the_file_is() -> None:
    file = mimawari("flows", SCAN)
    for name in ("-", "/dev/stdin"):
        piped = mimawari("flows", name, given=SCAN.read_bytes())
        assert (piped.returncode, piped.stdout) == (0, file.stdout), piped.stderr


def test_what_tcpdump_numbers_is_read_too_and_a_pipe_in_the_folder_holds_nothing_up(
    tmp_path: Path,
) -> None:
    for name in ("dump.pcap", "dump.pcap1", "UPPER.PCAP"):
        shutil.copy(SCAN, tmp_path / name)
    os.mkfifo(tmp_path / "pipe.pcap")
    done = mimawari("flows", tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"6,306 packets" in done.stderr  # three times 2,102


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp932"])
def test_a_terminal_without_the_letters_ends_no_run(encoding: str) -> None:
    for words in ("replay", "sightings"):
        done = mimawari(words, SCAN, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, b""), words


def test_a_hunt_tells_that_kept_flows_are_damaged(tmp_path: Path) -> None:
    assert mimawari("replay", SCAN, "--state", tmp_path).returncode == 0
    for file in tmp_path.glob("lake/*/*.parquet"):
        file.write_bytes(file.read_bytes()[:50])
    hunted = mimawari("hunt", "--state", tmp_path)
    assert (hunted.returncode, hunted.stderr) == (1, b"lake: flows in damaged files: 501\n")
