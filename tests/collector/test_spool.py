"""The spool: what goes in comes out, whole or not at all, in order, within bounds."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from collector.flows import FLOW_DTYPE, FlowBatch
from collector.observations import CollectorHealth, Observations
from collector.sightings import SIGHTINGS, Arp, Sighting
from collector.spool import SpoolReader, SpoolWriter


def flows(count: int, start: int = 0) -> FlowBatch:
    rows = np.zeros(count, FLOW_DTYPE)
    rows["reported_ns"] = np.arange(start, start + count)
    rows["source"][:, 1] = 0xFFFF_0A00_0001
    return FlowBatch(rows, ("core-1",))


def observed(count: int, sightings: tuple[Sighting, ...] = (), start: int = 0) -> Observations:
    health = CollectorHealth(packets=7, is_live=True, sources={"interface eth1": {"state": "up"}})
    health.shed["flows"] = 3
    return Observations(flows(count, start), sightings, start + count, health)


def every_kind() -> tuple[Sighting, ...]:
    """One sighting of each kind, every field filled with something."""
    made = []
    for kind in SIGHTINGS:
        hints = get_type_hints(kind)
        values: dict[str, Any] = {}
        for field in fields(kind):
            hint = str(hints[field.name])
            if hint.startswith("tuple[int"):
                values[field.name] = (1, 2)
            elif hint.startswith("tuple"):
                values[field.name] = ("a", "\udcff部署")
            elif hint == "<class 'str'>":
                values[field.name] = "名前\x00"
            elif field.default is MISSING or hint in ("<class 'int'>", "<class 'bool'>"):
                values[field.name] = hints[field.name](1)
        made.append(kind(**values))
    return tuple(made)


def test_all_comes_back_as_it_was(tmp_path: Path) -> None:
    SpoolWriter(tmp_path, 1 << 30).append(observed(3, every_kind()))
    ((number, seen),) = SpoolReader(tmp_path).after(-1)
    assert number == 0
    assert seen.flows.rows.tobytes() == flows(3).rows.tobytes()
    assert seen.flows.sensors == ("core-1",)
    assert seen.sightings == every_kind()
    assert seen.watermark_ns == 3
    assert seen.health == observed(3).health


def test_numbers_go_on_after_a_restart_even_if_all_was_taken(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, 1 << 30)
    writer.append(observed(1))
    writer.append(observed(2))
    reader = SpoolReader(tmp_path)
    reader.forget(1)
    assert list(reader.after(-1)) == []
    SpoolWriter(tmp_path, 1 << 30).append(observed(0))
    assert [(number, len(seen.flows)) for number, seen in reader.after(-1)] == [(2, 0)]


def test_half_a_file_is_never_read(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, 1 << 30)
    writer.append(observed(5))
    whole = next(tmp_path.glob("*.arrow"))
    (tmp_path / ".000000000001-5-0.arrow.part").write_bytes(whole.read_bytes()[:300])
    assert [number for number, _ in SpoolReader(tmp_path).after(-1)] == [0]
    SpoolWriter(tmp_path, 1 << 30)
    assert not list(tmp_path.glob(".*"))


def test_past_its_bound_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, 200_000)
    arp = Arp(time_ns=1, operation=1, sender_mac="", sender_ip="", target_mac="", target_ip="")
    for round_ in range(20):
        writer.append(observed(100, (arp,), start=100 * round_))
    kept = [seen for _, seen in SpoolReader(tmp_path).after(-1)]
    assert sum(path.stat().st_size for path in tmp_path.glob("*.arrow")) < 250_000
    assert 0 < len(kept) < 20
    lost = 20 - len(kept)
    assert writer.shed["spool: flows, the detector lags"] == 100 * lost
    assert writer.shed["spool: sightings, the detector lags"] == lost


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 1 MiB; needs root."""
    import os
    import subprocess

    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing_that_memory_can_hold(small_disk: Path) -> None:
    writer = SpoolWriter(small_disk / "spool", 1 << 30, most_waiting=3)
    ballast = small_disk / "ballast"
    assert writer.append(observed(10))
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    for start in (10, 20, 30):
        assert not writer.append(observed(10, start=start))
    assert "No space left" in writer.fault
    assert not writer.shed
    ballast.unlink()
    assert writer.append(observed(10, start=40))
    # Four waited where three may: the oldest of them went, and was counted.
    kept = [
        int(seen.flows.reported_ns[0]) for _, seen in SpoolReader(small_disk / "spool").after(-1)
    ]
    assert kept == [0, 20, 30, 40]
    assert writer.shed["spool: flows, the disk refused"] == 10
    assert writer.fault == ""
