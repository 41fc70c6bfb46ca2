"""Shared memory whose state folder was deleted is told, and removed once nobody uses it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from collector.doctor import left_over
from collector.lasting import LastingMemory
from collector.orphans import orphans, remove_orphans


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "shm"
    place.mkdir()
    return place


def left_by_a_collector(place: Path, state_dir: Path) -> Path:
    """Memory with a page in it, whose collector has ended."""
    state_dir.mkdir()
    memory = LastingMemory(state_dir, 0, place)
    memory.new("flows", np.dtype("u8"), 1000)[:] = 7
    memory.settle("flows")
    memory.let_go()
    return memory.folder


def grow_old(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1, 1))


def test_memory_of_a_deleted_state_folder_is_removed(place: Path, tmp_path: Path) -> None:
    folder = left_by_a_collector(place, tmp_path / "state")
    kept = left_by_a_collector(place, tmp_path / "other")
    grow_old(folder)
    grow_old(kept)
    assert list(orphans(place)) == []
    shutil.rmtree(tmp_path / "state")
    [orphan] = orphans(place)
    assert (orphan.state_dir, orphan.may_go) == (tmp_path / "state", True)
    assert orphan.bytes >= 8000
    [told] = left_over(place)
    assert told.tone == "look" and str(tmp_path / "state") in told.en
    assert [gone.folder for gone in remove_orphans(place)] == [folder]
    assert not folder.exists() and kept.exists()
    assert list(left_over(place)) == []


def test_what_is_in_use_or_fresh_stays(place: Path, tmp_path: Path) -> None:
    fresh = left_by_a_collector(place, tmp_path / "fresh")
    (tmp_path / "used").mkdir()
    memory = LastingMemory(tmp_path / "used", 0, place)
    grow_old(memory.folder)
    for name in ("fresh", "used"):
        shutil.rmtree(tmp_path / name)
    assert {o.folder: (o.is_in_use, o.is_fresh) for o in orphans(place)} == {
        fresh: (False, True), memory.folder: (True, False),
    }  # fmt: skip
    assert remove_orphans(place) == []
    memory.let_go()


def test_what_does_not_say_whose_it_is_is_left_alone(place: Path) -> None:
    (place / f"mimawari-{os.geteuid()}-0123456789abcdef").mkdir()
    (place / f"mimawari-{os.geteuid()}-link").symlink_to(place)
    assert list(orphans(place)) == []
