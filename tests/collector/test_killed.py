"""A collector killed by force: what was finished and what was open is there again, once."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.flows import FLOW_DTYPE, FlowBatch
from collector.journal import NOTHING, Journal, Mark
from collector.lasting import LastingMemory
from tests.collector.collecting import Collecting
from tests.collector.test_exports import v5, v5_record
from tests.collector.test_flow_listener import send
from tests.collector.test_live_capture import capture_of, connection
from tests.collector.wires import Wire, spooled, wire


@pytest.fixture
def cable() -> Iterator[Wire]:
    with wire("tcpreplay") as made:
        yield made


def test_open_and_lingering_connections_go_on_after_kill_9(cable: Wire, tmp_path: Path) -> None:
    collecting = Collecting(
        tmp_path, {"kind": "interface", "interface": "far0", "ring_mib": 8}, cable
    )
    try:
        collecting.until(lambda told: True)
        whole = [f for n in range(40) for f in connection(2000 + n)]
        begun = [f for n in range(20) for f in connection(3000 + n)[:4]]
        ended = [f for n in range(20) for f in connection(3000 + n)[4:]]
        cable.send(capture_of(tmp_path / "a.pcap", [*whole, *begun]), "-t")
        collecting.until(lambda told: told["packets"] == 40 * 7 + 20 * 4)
        collecting.kill()
        collecting.start()
        told = collecting.until(lambda told: told["resumed"] > 0)
        cable.send(capture_of(tmp_path / "b.pcap", ended), "-t")
        collecting.until(lambda told: told["packets"] == 20 * 3)
        flows = collecting.end()
    finally:
        collecting.kill()
    assert told["resumed"] >= 20  # closed connections linger for 5 s, and may have ended before
    assert sorted(flows.source_port.tolist()) == [*range(2000, 2040), *range(3000, 3020)]
    assert set(flows.packets.tolist()) == {4}
    assert set(flows.reply_packets.tolist()) == {3}
    assert not lasting_folders(collecting.state)


def test_killed_again_and_again_under_traffic_it_tells_every_connection_once(
    cable: Wire, tmp_path: Path
) -> None:
    rest = {"kind": "interface", "interface": "far0", "ring_mib": 8, "workers": 2}
    collecting = Collecting(tmp_path, rest, cable)
    expected = []
    try:
        for round_ in range(4):
            collecting.until(lambda told: True)
            ports = range(2000 + 1000 * round_, 2300 + 1000 * round_)
            frames = [f for port in ports for f in connection(port)]
            cable.send(capture_of(tmp_path / "a.pcap", frames), "-p", "2000")
            expected += ports
            time.sleep(0.3 + 0.37 * round_)  # anywhere in the rounds of a second
            collecting.kill()
            collecting.start()
        collecting.until(lambda told: True)
        flows = collecting.end()
    finally:
        collecting.kill()
    assert sorted(flows.source_port.tolist()) == expected
    assert set((flows.packets + flows.reply_packets).tolist()) == {7}


def test_exported_records_that_wait_for_their_answer_outlive_a_kill(tmp_path: Path) -> None:
    source = {
        "kind": "flow_listener", "address": "127.0.0.1", "port": 0, "allow": ["127.0.0.1/32"],
    }  # fmt: skip
    collecting = Collecting(tmp_path, source)
    try:
        port = collecting.until(lambda told: True)["port"]
        send(port, one_way(4000))
        collecting.until(decoded)
        collecting.kill()
        collecting.start()
        port = collecting.until(lambda told: True)["port"]
        send(port, one_way(5000))
        collecting.until(decoded)
        flows = collecting.end()
    finally:
        collecting.kill()
    assert sorted(flows.source_port.tolist()) == [*range(4000, 4020), *range(5000, 5020)]


def test_killed_while_the_disk_is_full_nothing_finished_is_lost(
    cable: Wire, tmp_path: Path
) -> None:
    disk = tmp_path / "state"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    ballast = disk / "ballast"
    collecting = Collecting(
        tmp_path, {"kind": "interface", "interface": "far0", "ring_mib": 8}, cable
    )
    try:
        collecting.until(lambda told: True)
        fill(ballast)
        cable.send(
            capture_of(tmp_path / "a.pcap", [f for n in range(30) for f in connection(2000 + n)]),
            "-t",
        )
        time.sleep(7)  # closed connections linger for 5 s; then the disk refuses them
        collecting.kill()
        stored = sum(len(seen.flows) for seen in spooled(disk))
        ballast.unlink()
        collecting.start()
        collecting.until(lambda told: True)
        flows = collecting.end()
    finally:
        collecting.kill()
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert stored == 0
    assert sorted(flows.source_port.tolist()) == [*range(2000, 2030)]


def decoded(told: dict[str, Any]) -> bool:
    return bool(told.get("exporters", {}).get("127.0.0.1", {}).get("flows") == 20)


def one_way(port: int) -> bytes:
    """A NetFlow v5 datagram: 20 records of connections from ports from this one on."""
    records = [bytearray(v5_record()) for _ in range(20)]
    for number, record in enumerate(records):
        record[32:34] = (port + number).to_bytes(2, "big")
    return v5(b"".join(records), len(records))


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def lasting_folders(state: Path) -> list[Path]:
    """What is left in shared memory; made anew only to learn its name."""
    memory = LastingMemory(state, 0)
    left = [path for path in memory.folder.iterdir() if not path.name.startswith(".")]
    if not left:
        memory.remove_all()
    return left


def rows_at(*reported_ns: int) -> FlowBatch:
    rows = np.zeros(len(reported_ns), FLOW_DTYPE)
    rows["reported_ns"] = reported_ns
    rows["family"] = 4
    return FlowBatch(rows)


def left_in(folder: Path, stored: Mark) -> list[int]:
    journal = Journal(folder, 1 << 30, stored)
    return [int(ns) for _, flows in journal.left for ns in flows.reported_ns]


def test_a_journal_gives_back_what_the_spool_has_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1 << 30, NOTHING)
    numbers = [
        journal.append(rows_at(10, 50)),
        journal.append(rows_at(20)),
        journal.append(rows_at(60)),
    ]
    for number in numbers[:2]:
        journal.taken(number)
    mark = journal.mark(until_ns=30)
    assert mark == Mark(2, 30)
    journal.forget(mark)
    assert left_in(tmp_path, mark) == [50, 60]
    assert left_in(tmp_path, NOTHING) == [10, 50, 20, 60]
    journal.close()


def test_a_torn_entry_at_the_end_is_no_entry(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1 << 30, NOTHING)
    journal.append(rows_at(10))
    journal.append(rows_at(20))
    journal.close()
    (segment,) = tmp_path.iterdir()
    whole = segment.read_bytes()
    for cut in range(len(whole)):
        segment.write_bytes(whole[:cut])
        assert left_in(tmp_path, NOTHING) in ([], [10])
    segment.write_bytes(whole)
    assert left_in(tmp_path, NOTHING) == [10, 20]


def test_stored_entries_take_no_room_and_the_journal_is_bounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 32 << 20, NOTHING)
    many = rows_at(*range(1, 20_000))
    for _ in range(30):
        journal.append(many)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 33 << 20
    assert sum(journal.shed.values()) > 0
    for number in range(1, 31):
        journal.taken(number)
    journal.forget(journal.mark(1 << 62))
    assert journal.is_empty
    assert not list(tmp_path.iterdir())


def test_memory_of_somebody_else_or_too_little_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="MiB free"):
        LastingMemory(tmp_path, 1 << 60, tmp_path)
    folder = LastingMemory(tmp_path, 0, tmp_path).folder
    assert folder.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
        with pytest.raises(PermissionError, match="somebody else"):
            LastingMemory(tmp_path, 0, tmp_path)
    shutil.rmtree(folder)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(PermissionError):
        LastingMemory(tmp_path, 0, tmp_path)
