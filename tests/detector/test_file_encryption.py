"""Ransomware over SMB is told within seconds; what only looks busy is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from collector.sightings import Smb
from detector.detection import Finding, Window
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.impact.file_encryption import FileEncryption

SECOND = 1_000_000_000
READ, WRITE, SET_INFO = 8, 9, 17


def smb(at_s: float, command: int, file: str, info_class: int = 0, new_name: str = "") -> Smb:
    return Smb(
        time_ns=int(at_s * SECOND), ip="10.0.2.5", port=50000, peer_ip="10.0.8.9", peer_port=445,
        dialect=2, command=command, is_response=False, file=file, info_class=info_class,
        new_name=new_name,
    )  # fmt: skip


def find(sightings: list[Smb]) -> list[Finding]:
    nobody = np.zeros(0, np.uint32)
    hospital = Hospital()
    window = Window(
        start_ns=0, end_ns=600 * SECOND, flows=FlowBatch.empty(), source=nobody,
        destination=nobody, sightings={Smb: tuple(sightings)}, hosts=HostTable(hospital),
        edges=EdgeMemory(), hospital=hospital,
    )  # fmt: skip
    detector = FileEncryption()
    return list(detector.find(window, detector.remember()))


def encrypt(count: int, every_s: float, extension: str = "locked") -> list[Smb]:
    acts = []
    for n in range(count):
        name, at = f"wards\\{n}\\report{n}.docx", n * every_s
        acts += [
            smb(at, READ, name),
            smb(at + 0.01, WRITE, name),
            smb(at + 0.02, SET_INFO, name, 10, f"{name}.{extension}"),
        ]
    return acts


def test_a_burst_of_renamed_files_is_ransomware() -> None:
    (found,) = find(encrypt(12, 0.5))
    assert found.score == 90
    assert found.facts["extension"] == "locked"
    assert (found.source, found.targets) == ("10.0.2.5", ("10.0.8.9",))


def test_thirty_files_leave_no_doubt() -> None:
    (found,) = find(encrypt(40, 0.2))
    assert found.score == 99


def test_a_note_in_five_folders_tells_it_without_an_extension() -> None:
    acts = []
    for n in range(12):
        acts += [smb(n, READ, f"w{n}\\a.docx"), smb(n + 0.1, WRITE, f"w{n}\\a.docx")]
        acts.append(smb(n + 0.2, WRITE, f"w{n}\\README.txt"))
    assert find(acts)[0].facts["note"] in ("README.txt", "a.docx")


def test_files_replaced_by_new_ones_count() -> None:
    acts = []
    for n in range(12):
        old = f"d\\{n}.xlsx"
        acts += [
            smb(n, READ, old),
            smb(n + 0.1, WRITE, old + ".enc"),
            smb(n + 0.2, SET_INFO, old, 13),
        ]
    assert find(acts)[0].facts["extension"] == "enc"


def test_a_backup_that_reads_thousands_is_silent() -> None:
    assert find([smb(n / 50, READ, f"d\\{n}.docx") for n in range(1000)]) == []


def test_saving_many_documents_is_silent() -> None:
    acts = []
    for n in range(30):
        acts += [smb(n / 5, READ, f"d\\{n}.docx"), smb(n / 5 + 0.1, WRITE, f"d\\{n}.docx")]
    assert find(acts) == []


def test_nine_files_are_silent_and_very_slow_renames_too() -> None:
    assert find(encrypt(9, 0.5)) == []
    assert find(encrypt(40, 7)) == []


def test_ten_files_and_no_more_are_enough() -> None:
    (found,) = find(encrypt(10, 0.5))
    assert found.facts["files"] == 10


def test_a_file_every_five_seconds_is_told_by_its_appended_extension() -> None:
    (found,) = find(encrypt(12, 5))
    assert (found.facts["extension"], found.score) == ("locked", 90)
    replaced = []
    for n in range(12):
        old = f"d\\{n}.xlsx"
        replaced += [
            smb(5 * n, READ, old),
            smb(5 * n + 1, WRITE, old + ".enc"),
            smb(5 * n + 2, SET_INFO, old, 13),
        ]
    assert find(replaced)[0].facts["extension"] == "enc"


def test_conversions_saves_and_renames_of_a_minute_are_silent() -> None:
    converted, saved, renamed = [], [], []
    for n in range(12):
        at, old = 5.0 * n, f"d\\{n}"
        converted += [
            smb(at, READ, f"{old}.doc"),
            smb(at + 1, WRITE, f"{old}.docx"),
            smb(at + 2, SET_INFO, f"{old}.doc", 13),
        ]
        saved += [  # as Word does it
            smb(at, READ, f"{old}.docx"),
            smb(at + 1, WRITE, f"d\\~WRD{n}.tmp"),
            smb(at + 2, SET_INFO, f"{old}.docx", 10, f"d\\~WRL{n}.tmp"),
            smb(at + 2.1, SET_INFO, f"d\\~WRD{n}.tmp", 10, f"{old}.docx"),
        ]
        renamed += [smb(at, SET_INFO, f"{old}.log", 10, f"{old}.log.old")]
    assert find(converted) == find(saved) == find(renamed) == []


class Seconds:
    """An engine that is fed second by second, as a sensor does."""

    def __init__(self) -> None:
        hospital = Hospital()
        table, edges = HostTable(hospital), EdgeMemory()
        self.engine = Engine(hospital, [FileEncryption()], EngineSettings(), table, edges)

    def until_told(self, acts: list[Smb], last_s: int) -> int | None:
        """The second of event time at which the alert was out."""
        for second in range(last_s):
            now = [a for a in acts if a.time_ns // SECOND == second]
            seen = Observations(FlowBatch.empty(), tuple(now), second * SECOND, CollectorHealth())
            if self.engine.feed(seen):
                return second
        return None


@pytest.mark.parametrize("begins_s", range(600, 630, 3))
def test_two_files_a_second_are_told_within_thirty_seconds(begins_s: int) -> None:
    acts = [replace(a, time_ns=a.time_ns + begins_s * SECOND) for a in encrypt(60, 0.5)]
    told = Seconds().until_told(acts, begins_s + 60)
    assert told is not None
    assert told - begins_s <= 12
