"""Ransomware over SMB is told within seconds; what only looks busy is not."""

from __future__ import annotations

import numpy as np

from collector.flows import FlowBatch
from collector.sightings import Smb
from detector.detection import Finding, Window
from detector.edges import EdgeMemory
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


def test_nine_files_are_silent_and_slow_renames_too() -> None:
    assert find(encrypt(9, 0.5)) == []
    assert find(encrypt(40, 3)) == []
