"""Ransom notes: the same readable name in many folders, and hardly anything else."""

from __future__ import annotations

from collector.sightings import Smb
from detector.detection import Finding
from detector.impact.dropped_notes import DroppedNotes
from tests.detector.windows import START_NS, S, World


def write(at: float, file: str) -> Smb:
    return Smb(
        time_ns=START_NS + int(at * S), ip="10.1.20.5", port=50000, peer_ip="10.1.1.9",
        peer_port=445, dialect=2, command=9, is_response=False, tree=r"\\fs\data", file=file,
        write_length=900,
    )  # fmt: skip


def find(told: list[Smb], world: World | None = None) -> list[Finding]:
    world = world or World()
    return world.run(DroppedNotes(), world.window(sightings=told, seconds=600))


def notes(count: int, every_s: float = 1.0, name: str = "HOW_TO_RESTORE.txt") -> list[Smb]:
    return [write(n * every_s, f"wards\\{n}\\{name}") for n in range(count)]


def test_a_note_in_ten_folders() -> None:
    (found,) = find(notes(10))
    assert found.facts == {"note": "how_to_restore.txt", "folders": 10, "seconds": 9}
    assert (found.source, found.targets, found.score) == ("10.1.20.5", ("10.1.1.9",), 80)


def test_windows_change_nothing() -> None:
    world = World()
    assert [len(find([one], world)) for one in notes(12)] == [0] * 9 + [1, 1, 1]


def test_what_is_written_every_day_is_silent() -> None:
    assert find(notes(9)) == []
    assert find(notes(40, every_s=8)) == []  # a person who writes minutes into each folder
    assert find(notes(40, name="desktop.ini")) == []
    assert find([write(n, f"wards\\a\\note{n}.txt") for n in range(40)]) == []
    assert find([write(n, "wards\\a\\log.txt") for n in range(400)]) == []
    copied = [write(n + m / 9, f"p\\{n}\\{name}") for n in range(30)
              for m, name in enumerate(("info.txt", "image.dcm"))]  # fmt: skip
    assert find(copied) == []
