"""Rewriting inside SMB3 encryption: told by the lengths and the order of sealed messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.sightings import Smb
from detector.alerts import severity_of
from detector.detection import Finding
from detector.impact.sealed_rewriting import SealedRewriting
from tests.detector.windows import START_NS, S, World, flow

CLIENT, SERVER = "10.1.20.5", "10.1.1.9"
#: Lengths as MS-SMB2 makes them: what is asked, and the answer.
CREATE, CLOSE, RENAME, DELETE = (148, 152), (88, 124), (156, 66), (97, 66)
SET_TIMES, SET_END, LIST = (136, 66), (104, 66), (98, 1400)
DAY_S = 86_400.0


def read(size: int) -> tuple[int, int]:
    return 113, 80 + size


def write(size: int) -> tuple[int, int]:
    return 112 + size, 80


def talk(
    files: list[list[tuple[int, int]]], every_s: float = 0.5, start_s: float = 0.0
) -> list[Smb]:
    """What is asked and answered for each file in turn, as sealed messages."""
    told = []
    for n, steps in enumerate(files):
        for step, sizes in enumerate(steps):
            for is_response, size in enumerate(sizes):
                at = start_s + n * every_s + step * 0.002 + is_response * 0.001
                told.append(sealed(at, bool(is_response), size))
    return told


def sealed(at: float, is_response: bool, size: int) -> Smb:
    ends = ((CLIENT, 50000), (SERVER, 445))
    (ip, port), (peer_ip, peer_port) = ends[::-1] if is_response else ends
    return Smb(
        time_ns=START_NS + int(at * S), ip=ip, port=port, peer_ip=peer_ip, peer_port=peer_port,
        dialect=2, command=-1, is_response=is_response, is_encrypted=True, sealed_bytes=size,
    )  # fmt: skip


def encrypted(count: int, last: tuple[int, int] = RENAME) -> list[list[tuple[int, int]]]:
    """Each file read, written anew, and renamed (or deleted), each on a handle of its own."""
    return [
        [CREATE, read(3000 + n), CLOSE, CREATE, write(10_240), CLOSE, CREATE, last, CLOSE]
        for n in range(count)
    ]


def find(told: list[Smb], world: World | None = None) -> list[Finding]:
    world = world or World()
    return world.run(SealedRewriting(), world.window(sightings=told, seconds=600))


@pytest.mark.parametrize("last", [RENAME, DELETE])
def test_read_written_and_renamed_files_are_told_within_seconds(last: tuple[int, int]) -> None:
    (found,) = find(talk(encrypted(20, last)))
    assert (found.source, found.targets, found.variant) == (CLIENT, (SERVER,), "")
    assert (found.facts["files"], found.facts["seconds"]) == (20, 9)
    assert severity_of(found.score * found.confidence) == "medium"
    (first,) = find(talk(encrypted(10, last)))
    assert (first.last_ns - START_NS) / S < 5


def test_the_same_whatever_the_windows() -> None:
    world, told = World(), talk(encrypted(12))
    found = [f for one in told for f in find([one], world)]
    assert [f.facts["files"] for f in found] == [10, 11, 12]


@pytest.mark.parametrize(
    "before",
    [[CREATE], [CREATE, read(9000), CLOSE, CREATE]],
    ids=["alone", "between files that are only read"],
)
def test_files_rewritten_in_place_are_told_more_carefully(before: list[tuple[int, int]]) -> None:
    (found,) = find(talk([[*before, read(5000), write(5016), CLOSE]] * 10))
    assert found.variant == "in_place"
    assert 50 <= found.score * found.confidence < 70


def test_large_files_come_in_pieces() -> None:
    piece = 1 << 20
    files = [[CREATE, *[read(piece)] * 5, *[write(piece)] * 5, RENAME, CLOSE] for _ in range(10)]
    (found,) = find(talk(files))
    assert (found.variant, found.facts["files"]) == ("", 10)


def watched(days: int) -> World:
    world = World()
    world.age(days, flow(CLIENT, SERVER, 445, app="smb"))
    return world


def test_a_pair_watched_for_days_that_never_did_so_is_high() -> None:
    (found,) = find(talk(encrypted(12)), watched(4))
    assert severity_of(found.score * found.confidence) == "high"


def test_a_habit_of_three_days_is_a_note() -> None:
    world = watched(4)
    severities = []
    for day in range(5):
        (found,) = find(talk(encrypted(12), start_s=day * DAY_S), world)
        severities.append(severity_of(found.score * found.confidence))
    assert severities == ["high", "medium", "medium", "low", "low"]


def moved(count: int, growth: int = 0) -> list[list[tuple[int, int]]]:
    """Each file copied with its times, then the first one deleted."""
    return [
        [
            *(CREATE, read(5000 + n * 17), CREATE, SET_END, write(5000 + n * 17 + growth)),
            *(SET_TIMES, CLOSE, CLOSE, CREATE, DELETE, CLOSE),
        ]
        for n in range(count)
    ]


def test_files_moved_one_by_one_are_a_note() -> None:
    (found,) = find(talk(moved(20)), watched(4))
    assert (found.variant, severity_of(found.score * found.confidence)) == ("moved", "low")


@pytest.mark.parametrize("growth", [1, 536])
def test_moves_by_which_files_grow_are_no_moves(growth: int) -> None:
    (found,) = find(talk(moved(20, growth)))
    assert found.variant == ""


def test_files_of_kept_length_that_are_renamed_are_told() -> None:
    files = [[CREATE, read(5000), CLOSE, CREATE, write(5000), CLOSE, RENAME] for _ in range(20)]
    assert "" in {f.variant for f in find(talk(files))}


def test_moving_every_night_excuses_no_encryption() -> None:
    world = watched(4)
    for day in range(4):
        find(talk(moved(20), start_s=day * DAY_S), world)
    (found,) = find(talk(encrypted(20), start_s=4 * DAY_S), world)
    assert severity_of(found.score * found.confidence) == "high"


def test_opening_a_file_is_answered_as_a_chain_that_renames() -> None:
    opened = (316, 348)  # with two leases and a lasting handle
    files = [[opened, read(9000), write(4000), CLOSE] for _ in range(30)]
    assert find(talk(files, 0.05)) == []


def everyday() -> Iterator[tuple[str, list[list[tuple[int, int]]], float]]:
    some = range(60)
    yield "virus scan, backup", [[CREATE, read(9000 + n), CLOSE] for n in some], 0.05
    yield "folder written", [[CREATE, SET_END, write(9000), SET_TIMES, CLOSE] for _ in some], 0.05
    yield (
        "copy by Windows",
        [[CREATE, read(9000), CREATE, SET_END, write(9000), SET_TIMES, CLOSE, CLOSE] for _ in some],
        0.05,
    )
    deleted = [[CREATE, DELETE, CLOSE]] * 60
    yield (
        "archive, originals deleted",
        [
            *([CREATE, read(9000 + n), write(4000), CLOSE] for n in some),
            *deleted,
        ],
        0.05,
    )
    save = [CREATE, read(30_000), CLOSE, CREATE, write(31_000), CLOSE, RENAME, RENAME, DELETE]
    yield "people save documents", [save] * 20, 8.0
    yield "roaming profile leaves", [[CREATE, write(5000), SET_TIMES, RENAME, CLOSE]] * 60, 0.05
    yield "mail file, database", [[read(4096), write(4096)]] * 600, 0.05
    yield "folders tidied", [[CREATE, RENAME, CLOSE, LIST]] * 60, 0.05
    yield (
        "pictures made smaller",
        [[CREATE, read(900_000), CLOSE, CREATE, write(200_000), CLOSE] for _ in some],
        0.2,
    )


@pytest.mark.parametrize("work", [*everyday()], ids=lambda work: work[0])
def test_everyday_work_is_silent(work: tuple[str, list[list[tuple[int, int]]], float]) -> None:
    _, files, every_s = work
    assert find(talk(files, every_s)) == []


def test_nine_files_and_slow_ones_are_silent() -> None:
    assert find(talk(encrypted(9))) == []
    assert find(talk(encrypted(40), every_s=3)) == []


def test_hostile_lengths_neither_break_nor_grow_it() -> None:
    sizes = [0, 1, 66, 88, 97, 104, 113, 136, 1 << 32, 2**32 - 1]
    told = [sealed(n / 1000, bool(n % 3), sizes[n * 7 % 10]) for n in range(20_000)]
    world = World()
    find(told, world)
