"""What detectors remember outlives a restart; what does not fit is left out and told."""

from __future__ import annotations

import pickle
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import detector.lateral.rounds
from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from detector.detectors import DETECTORS
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.lateral.rounds import Rounds
from detector.memories import MemoryUnfit, _Reader, load_memories, save_memories
from detector.opening import MEMORIES_FILE, open_engine
from tests.detector.windows import START_NS, S, flow


def start(folder: Path | None) -> Engine:
    return open_engine(Hospital(), DETECTORS, EngineSettings(window_s=1), folder)


def save(engine: Engine, folder: Path) -> None:
    engine.edges.save(folder / "edges.npz")
    file = folder / MEMORIES_FILE
    assert save_memories(file, engine.hosts, engine.memories(), engine.looked_until_ns) == []


def scan(first: int, last: int) -> list[Observations]:
    """One host in vain tried every 20 seconds."""
    told = []
    for n in range(first, last):
        flows = FlowBatch(flow("10.0.0.9", f"10.0.1.{n + 1}", 445, 20.0 * n, "S0"))
        watermark_ns = START_NS + (20 * n + 10) * S
        told.append(Observations(flows, (), watermark_ns, CollectorHealth()))
    return told


def told(engine: Engine) -> dict[str, tuple[str, float, int, int]]:
    return {
        f"{a.detector}/{a.variant} {a.source.ip}": (a.severity, a.score, a.first_ns, len(a.targets))
        for a in engine.alerts.values()
    }


def test_a_scan_cut_by_a_restart_is_told_as_if_there_was_none(tmp_path: Path) -> None:
    whole = start(None)
    for seen in scan(0, 16):
        whole.feed(seen)
    whole.finish()
    before = start(tmp_path)
    for seen in scan(0, 4):
        before.feed(seen)
    before.finish()
    assert before.alerts == {}
    save(before, tmp_path)
    later = start(tmp_path)
    assert later.remembered_until_ns == before.looked_until_ns
    for seen in scan(4, 16):
        later.feed(seen)
    later.finish()
    assert not later.failures
    assert told(later) == told(whole) != {}


def test_hosts_keep_their_numbers(tmp_path: Path) -> None:
    hosts = HostTable(Hospital())
    numbers = [hosts.number_of(f"10.0.{n // 200}.{n % 200}") for n in range(5000)]
    save_memories(tmp_path / "m", hosts, {}, 7)
    again = HostTable(Hospital())
    assert load_memories(tmp_path / "m", again).until_ns == 7
    assert [again.number_of(f"10.0.{n // 200}.{n % 200}") for n in range(5000)] == numbers
    with pytest.raises(MemoryUnfit):
        load_memories(tmp_path / "m", again)


def kept(folder: Path, **parts: Any) -> Path:
    file = folder / "memories.bin"
    save_memories(file, HostTable(Hospital()), parts, 1)
    return file


def test_a_damaged_part_is_left_out_and_the_others_are_used(tmp_path: Path) -> None:
    file = kept(tmp_path, one={"a": np.arange(500)}, two={"b": 2})
    raw = bytearray(file.read_bytes())
    raw[-3] ^= 0xFF  # within the last part
    file.write_bytes(raw)
    found = load_memories(file, HostTable(Hospital()))
    assert list(found.parts) == ["one"]
    assert found.faults == ("memory of two: damaged; it begins anew",)


@pytest.mark.parametrize("cut", [0, 10, 25, 60, 200])
def test_a_file_cut_short_never_stops_the_start(cut: int, tmp_path: Path) -> None:
    file = kept(tmp_path, one={"a": 1})
    file.write_bytes(file.read_bytes()[:cut])
    engine = start(tmp_path)
    assert engine.failures
    assert engine.remembered_until_ns == 0


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def test_the_file_can_run_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = load_memories(kept(tmp_path, bad=Evil(), good=[1]), HostTable(Hospital()))
    assert list(found.parts) == ["good"]
    assert "no record" in found.faults[0]
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", ["io.FileIO", "Path"])
def test_a_part_reaches_nothing_that_a_module_merely_uses(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["detector.memories", name, "ran", "w"]
    module, kind, path, mode = (b"\x8c" + bytes([len(w)]) + w.encode() for w in words)
    call = b"\x80\x04" + module + kind + b"\x93" + path + mode + b"\x86R."
    with pytest.raises(MemoryUnfit, match="no record"):
        _Reader(call, {f"detector.memories.{name}": []}).load()
    assert not Path("ran").exists()


def test_records_of_another_version_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = Rounds()
    rounds.note("a", "b", "c", 5)
    file = kept(tmp_path, rounds=rounds)
    assert list(load_memories(file, HostTable(Hospital())).parts) == ["rounds"]
    wider = make_dataclass("Round", [("began_ns", int), ("further", int, 0)])
    wider.__module__ = "detector.lateral.rounds"
    monkeypatch.setattr(detector.lateral.rounds, "Round", wider)
    found = load_memories(file, HostTable(Hospital()))
    assert found.faults == ("memory of rounds: Round has other fields now; it begins anew",)


def test_what_cannot_be_kept_is_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "memories.bin"
    faults = save_memories(file, HostTable(Hospital()), {"x": lambda: 1, "y": 2}, 3)
    assert len(faults) == 1
    assert faults[0].startswith("memory of x: ")
    assert load_memories(file, HostTable(Hospital())).parts == {"y": 2}


def test_every_memory_can_be_kept() -> None:
    for one in DETECTORS:
        pickle.dumps(one.remember())


@pytest.mark.parametrize("damage", ["cut", "junk", "empty"])
def test_a_damaged_baseline_stands_aside_and_watching_goes_on(tmp_path: Path, damage: str) -> None:
    before = start(tmp_path)
    for seen in scan(0, 4):
        before.feed(seen)
    save(before, tmp_path)
    file = tmp_path / "edges.npz"
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[: len(whole) // 2], "junk": b"x" * 999, "empty": b""}[damage])
    again = start(tmp_path)
    assert again.edges.now_ns == 0
    assert [fault.partition("; ")[2] for fault in again.failures] == [
        "learning begins anew, it was moved to edges.npz.unread: stop the detector and run"
        " `mimawari baseline restore DAY` to go back to a snapshot"
    ]
    assert not file.exists() and (tmp_path / "edges.npz.unread").exists()
