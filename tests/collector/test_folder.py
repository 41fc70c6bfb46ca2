"""A folder of captures: each is read once, flows go on from file to file, over a kill as well."""

from __future__ import annotations

import struct
import time
from pathlib import Path

from collector.flows import FlowBatch
from tests.collector.collecting import Collecting
from tests.collector.test_live_capture import connection


def capture(path: Path, second: int, frames: list[bytes]) -> None:
    """Written aside and renamed, as a careful sender does."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    records = [struct.pack("<IIII", second, n, len(f), len(f)) + f for n, f in enumerate(frames)]
    part = path.with_suffix(".part")
    part.write_bytes(head + b"".join(records))
    part.rename(path)


def watch(folder: Path, **settings: object) -> tuple[Collecting, Path]:
    captures = folder / "captures"
    captures.mkdir()
    source = {"kind": "folder", "folder": str(captures), "settled_s": 0, **settings}
    return Collecting(folder, source), captures


def told_of(flows: FlowBatch) -> dict[int, tuple[int, int]]:
    assert len(set(flows.source_port.tolist())) == len(flows)
    both = zip(flows.packets.tolist(), flows.reply_packets.tolist(), strict=True)
    return dict(zip(flows.source_port.tolist(), both, strict=True))


def test_connections_that_span_files_are_whole_even_over_a_kill(tmp_path: Path) -> None:
    watching, captures = watch(tmp_path)
    try:
        whole, spanning = connection(2000), connection(3000)
        capture(captures / "a.pcap", 100, [*whole, *spanning[:4]])
        watching.until(lambda told: told.get("files") == 1)
        watching.kill()
        watching.start()
        capture(captures / "b.pcap", 101, [*spanning[4:], *connection(4000)])
        watching.until(lambda told: told.get("files") == 1)
        flows = watching.end()
    finally:
        watching.kill()
    assert told_of(flows) == {2000: (4, 3), 3000: (4, 3), 4000: (4, 3)}


def test_a_stop_and_a_start_read_no_file_again(tmp_path: Path) -> None:
    watching, captures = watch(tmp_path)
    try:
        capture(captures / "a.pcap", 100, connection(2000))
        watching.until(lambda told: told.get("files") == 1)
        assert told_of(watching.end()) == {2000: (4, 3)}
        watching.start()
        capture(captures / "b.pcap", 200, connection(3000))
        watching.until(lambda told: told.get("files") == 1)
        flows = watching.end()
    finally:
        watching.kill()
    assert told_of(flows) == {2000: (4, 3), 3000: (4, 3)}


def test_what_was_read_and_stored_goes_if_so_wished(tmp_path: Path) -> None:
    watching, captures = watch(tmp_path, removes=True)
    try:
        capture(captures / "a.pcap", 100, connection(2000))
        (captures / "broken.pcap").write_bytes(b"no capture at all")
        deadline = time.monotonic() + 60
        while (captures / "a.pcap").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        flows = watching.end()
    finally:
        watching.kill()
    assert told_of(flows) == {2000: (4, 3)}
