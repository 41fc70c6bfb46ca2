"""Following the spool: a crash at any file changes nothing of what is stored in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import collector.replay
from collector.flows import FLOW_DTYPE, FlowBatch
from collector.lake import Lake
from collector.observations import CollectorHealth, Observations
from collector.settings import CollectorSettings
from collector.spool import SpoolReader, SpoolWriter
from detector.detectors import DETECTORS
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.following import Following, Retention
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.store import Store
from detector.watch import Round

ROOT = Path(__file__).resolve().parents[2]
SCAN = ROOT / "sample_pcaps" / "15_scan.pcap"


@pytest.fixture(scope="module")
def observed() -> list[Observations]:
    """The sample scan, in rounds of a hundred packets or so."""
    patch = pytest.MonkeyPatch()
    patch.setattr("collector.replay._PACKETS_A_ROUND", 100)
    patch.setattr("collector.capture.reading.CHUNK_PACKETS", 100)
    settings = CollectorSettings.model_validate({"deep_lane": {"enabled": False}})
    seen = list(collector.replay.Replay(settings).read([SCAN]))
    patch.undo()
    assert len(seen) > 15
    return seen


class House:
    """One state folder; `follow` is one life of the detector process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = SpoolWriter(folder / "spool", 1 << 30)

    def start(
        self, store: Store, edges_every_s: int = 10, retention: Retention | None = None
    ) -> Following:
        hosts = HostTable(Hospital())
        file = self.folder / "edges.npz"
        edges = EdgeMemory.load(file, hosts) if file.exists() else EdgeMemory()
        engine = Engine(Hospital(), DETECTORS, EngineSettings(), hosts, edges)
        round_ = Round(engine, store, Lake(self.folder / "lake", rows_a_file=40), file)
        reader = SpoolReader(self.folder / "spool")
        kept = retention or Retention()
        return Following(
            round_, reader, store, lambda alerts: None, Hospital(), edges_every_s, kept
        )

    def live(self, ends_well: bool) -> None:
        store = Store(self.folder / "mimawari.db").open()
        following = self.start(store)
        following.take()
        if ends_well:
            following.save()
        store.close()

    def flows(self) -> list[tuple[object, ...]]:
        rows = Lake(self.folder / "lake").hunt(limit=1_000_000)
        return sorted((r["first_ns"], r["source_port"], r["destination"], r["part"]) for r in rows)

    def alerts(self) -> list[tuple[str, int, int]]:
        store = Store(self.folder / "mimawari.db").open()
        told = sorted((a.id, a.first_ns, len(a.targets)) for a in store.alerts())
        store.close()
        return told


@pytest.fixture(scope="module")
def undisturbed(observed: list[Observations], tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("undisturbed"))
    for seen in observed:
        house.writer.append(seen)
    house.live(ends_well=True)
    assert house.alerts()
    assert len(house.flows()) == sum(len(seen.flows) for seen in observed)
    return house


@pytest.mark.parametrize("crashes", [(3,), (9, 10), (2, 7, 11, 16)])
def test_a_crash_changes_nothing(
    crashes: tuple[int, ...], observed: list[Observations], undisturbed: House, tmp_path: Path
) -> None:
    house = House(tmp_path)
    for number, seen in enumerate(observed):
        house.writer.append(seen)
        if number in crashes:
            house.live(ends_well=False)
    house.live(ends_well=True)
    assert house.flows() == undisturbed.flows()
    assert house.alerts() == undisturbed.alerts()


def test_a_restart_goes_on_and_the_spool_empties(
    observed: list[Observations], undisturbed: House, tmp_path: Path
) -> None:
    house = House(tmp_path)
    for number, seen in enumerate(observed):
        house.writer.append(seen)
        if number % 5 == 0:
            house.live(ends_well=True)
    house.live(ends_well=True)
    assert house.flows() == undisturbed.flows()
    assert house.alerts() == undisturbed.alerts()
    assert len(list((tmp_path / "spool").glob("*.arrow"))) < len(observed) // 2


def test_the_process_killed_by_force_takes_up_its_work(
    observed: list[Observations], undisturbed: House, tmp_path: Path
) -> None:
    house = House(tmp_path)
    command = [sys.executable, ROOT / "mimawari.py", "detect", "--state", tmp_path]
    half = len(observed) // 2
    process = subprocess.Popen(command)
    try:
        for seen in observed[:half]:
            house.writer.append(seen)
        _wait_for(house, half - 1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for seen in observed[half:]:
            house.writer.append(seen)
        process = subprocess.Popen(command)
        _wait_for(house, len(observed) - 1)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert house.flows() == undisturbed.flows()
    assert [row[0] for row in house.alerts()] == [row[0] for row in undisturbed.alerts()]


def _wait_for(house: House, number: int) -> None:
    """Until the health note tells the event time of that spool file."""
    ((_, wanted),) = list(SpoolReader(house.folder / "spool").after(number - 1))[:1]
    store = Store(house.folder / "mimawari.db").open()
    deadline = time.monotonic() + 60
    while store.note("collector_health").get("event_ns", 0) < wanted.watermark_ns:
        assert time.monotonic() < deadline, "the detector does not come so far"
        time.sleep(0.05)
    store.close()


def test_flows_past_their_time_or_room_go_every_hour(tmp_path: Path) -> None:
    hour, start = 3_600_000_000_000, 1_790_000_000_000_000_000
    house = House(tmp_path)
    for number in range(60):
        at = start + number * hour
        rows = np.zeros(50, FLOW_DTYPE)
        rows["first_ns"] = rows["last_ns"] = rows["reported_ns"] = at
        rows["source"][:, 1] = 0xFFFF_0A00_0001 + np.arange(50)
        rows["destination"][:, 1] = 0xFFFF_0A00_0101
        rows["family"], rows["protocol"], rows["packets"] = 4, 6, 1
        house.writer.append(Observations(FlowBatch(rows), (), at, CollectorHealth()))
    store = Store(tmp_path / "mimawari.db").open()
    following = house.start(store, retention=Retention(days=1, bytes=60_000))
    following.take()
    following.save()
    store.close()
    files = list((tmp_path / "lake").glob("*/*.parquet"))
    assert 0 < sum(file.stat().st_size for file in files) < 90_000
    oldest = min(int(file.stem.split("-")[1]) for file in files)
    assert oldest >= start + 24 * hour
