"""Small files of a day are merged, whoever is killed meanwhile and whoever reads meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

from collector.lake import Lake
from collector.lake_merging import LIST, merge_day
from tests.collector.test_lake import DAY_NS, NOON, flows_of

SECOND = 1_000_000_000


def lake_of(folder: Path, files: int, day: int = 0, rows: int = 3) -> Lake:
    """A lake with so many small files on one day."""
    lake = Lake(folder, rows_a_file=1000)
    for file in range(files):
        at = NOON + day * DAY_NS + file * 300 * SECOND
        lake.append(
            flows_of(*(("10.0.0.1", "10.0.0.2", 1000 + file, at + n * SECOND) for n in range(rows)))
        )
        lake.flush()
    return lake


def parquets(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.rglob("flows-*.parquet"))


def seen(folder: Path) -> list[tuple[int, int]]:
    found = Lake(folder).hunt(host="10.0.0.1", limit=100_000)
    return sorted((row["first_ns"], row["destination_port"]) for row in found)


def test_a_days_small_files_become_one_and_hunts_find_the_same(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 20)
    before = seen(tmp_path)
    assert lake.merge() >= 20
    assert len(parquets(tmp_path)) == 1
    assert seen(tmp_path) == before
    assert len(before) == 60
    assert lake.merge() == 0


def test_few_files_of_today_wait_and_those_of_yesterday_do_not(tmp_path: Path) -> None:
    lake_of(tmp_path, 5)
    lake = lake_of(tmp_path, 5, day=1)
    assert lake.merge() == 5
    assert len(parquets(tmp_path)) == 1 + 5


def test_a_merged_file_holds_no_more_than_a_whole_one(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 12, rows=300)
    lake_of(tmp_path, 1, day=1)
    before = seen(tmp_path)
    while lake.merge():
        pass
    assert max(int(name.split("-")[3]) for name in parquets(tmp_path)) <= 1000
    assert len(parquets(tmp_path)) == 4 + 1
    assert seen(tmp_path) == before


def test_the_same_flows_written_again_after_a_merge_change_nothing(tmp_path: Path) -> None:
    lake_of(tmp_path, 10).merge()
    before = seen(tmp_path)
    again = lake_of(tmp_path, 10)
    assert seen(tmp_path) == before
    lake_of(tmp_path, 30)
    again.merge()
    again.merge()
    lake_of(tmp_path, 30)
    assert len(seen(tmp_path)) == 90, "also after a merged file was merged again"


@pytest.mark.parametrize("step", range(6))
def test_a_kill_at_any_step_leaves_nothing_twice_and_nothing_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The steps are the renames and removals, in the order in which they come."""
    lake = lake_of(tmp_path, 9)
    before, done = seen(tmp_path), [0]

    class Killed(BaseException):
        """No part of the program catches it."""

    def counted(deed: Callable[..., object]) -> Callable[..., object]:
        def do(*given: object, **named: object) -> object:
            done[0] += 1
            if done[0] > step:
                raise Killed
            return deed(*given, **named)

        return do

    with monkeypatch.context() as patched:
        for name in ("rename", "unlink"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        with pytest.raises(Killed):
            lake.merge()
    assert seen(tmp_path) == before
    after = Lake(tmp_path, rows_a_file=1000)
    after.merge()
    assert seen(tmp_path) == before
    assert len(parquets(tmp_path)) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_leaves_the_day_as_it_was_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path, 9)
    before = parquets(tmp_path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert lake.merge() == 0
    assert lake.shed == {"lake: files not merged, the disk refused": 1}
    assert parquets(tmp_path) == before
    assert lake.merge() == 9


def test_readers_find_each_flow_once_while_days_are_merged(tmp_path: Path) -> None:
    for day in range(6):
        lake = lake_of(tmp_path, 9, day=day)
    before, ended, wrong = seen(tmp_path), Event(), list[int]()

    def read() -> None:
        while not ended.is_set():
            wrong.extend([len(seen(tmp_path))] * (len(seen(tmp_path)) != len(before)))

    reader = Thread(target=read)
    reader.start()
    while lake.merge():
        pass
    ended.set()
    reader.join(30)
    assert wrong == []
    assert len(parquets(tmp_path)) == 6


def test_a_day_that_must_go_takes_its_list_along(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 9)
    lake.merge()
    assert list(tmp_path.rglob(LIST))
    lake.keep_within(0, 1)
    assert not list(tmp_path.iterdir())
    assert lake.shed["lake: flows, no room within flows_gib"] == 27


def test_a_damaged_file_keeps_nothing_from_being_merged(tmp_path: Path) -> None:
    lake_of(tmp_path, 5)
    lake_of(tmp_path, 5, day=1)
    lake = lake_of(tmp_path, 1, day=2)
    days = sorted(tmp_path.glob("day=*"))
    next(days[0].glob("flows-*")).write_bytes(b"")
    assert lake.merge() == 9
    assert lake.shed == {"lake: flows in damaged files": 3}
    assert [len(list(day.glob("flows-*.parquet"))) for day in days] == [1, 1, 1]


def test_a_damaged_list_stands_aside_and_a_new_one_is_begun(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 5)
    lake_of(tmp_path, 1, day=1)
    next(tmp_path.glob("day=*")).joinpath(LIST).write_text("{")
    assert len(lake.hunt(host="10.0.0.1")) == 18
    assert lake.merge() == 5
    assert lake.shed == {"lake: lists of merged files damaged": 1}
    assert len(lake.hunt(host="10.0.0.1")) == 18


def test_what_goes_for_want_of_room_waits_for_a_merge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge that has read the old files would bring back what went meanwhile, or break."""
    lake = lake_of(tmp_path, 9)
    begun, asked = Event(), Event()

    def slow(folder: Path, rows_a_file: int, has_ended: bool) -> int:
        begun.set()
        assert not asked.wait(0.3), "files were taken away under a running merge"
        return merge_day(folder, rows_a_file, has_ended)

    def clear() -> None:
        begun.wait()
        lake.keep_within(0, 0)
        asked.set()

    monkeypatch.setattr("collector.lake.merge_day", slow)
    clearing = Thread(target=clear)
    clearing.start()
    lake.merge()
    clearing.join()
    assert not list(tmp_path.iterdir())
    assert set(lake.shed) == {"lake: flows, no room within flows_gib"}
