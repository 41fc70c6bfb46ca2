"""A folder of captures: each is read once, flows go on from file to file, over a kill as well."""

from __future__ import annotations

import signal
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.flows import FlowBatch
from tests.collector.test_live_capture import connection
from tests.collector.wires import mimawari, settings_file, spooled


def capture(path: Path, second: int, frames: list[bytes]) -> None:
    """Written aside and renamed, as a careful sender does."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    records = [struct.pack("<IIII", second, n, len(f), len(f)) + f for n, f in enumerate(frames)]
    part = path.with_suffix(".part")
    part.write_bytes(head + b"".join(records))
    part.rename(path)


class Watching:
    def __init__(self, folder: Path, **settings: object) -> None:
        self.captures = folder / "captures"
        self.captures.mkdir(exist_ok=True)
        self.state = folder / "state"
        source = {"kind": "folder", "folder": str(self.captures), "settled_s": 0, **settings}
        self._name = f"folder {self.captures}"
        self._command = mimawari("collect", settings_file(folder, [source]), self.state)
        self.start()

    def start(self) -> None:
        self._before = len(spooled(self.state))
        self._process = subprocess.Popen([str(word) for word in self._command])

    def until(self, is_so: Callable[[dict[str, Any]], bool]) -> None:
        deadline, told = time.monotonic() + 60, {}
        while time.monotonic() < deadline:
            seen = spooled(self.state)[self._before :]
            told = seen[-1].health.sources.get(self._name, {}) if seen else {}
            if told.get("state") == "up" and is_so(told):
                return
            time.sleep(0.05)
        raise AssertionError(f"never so: {told}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> FlowBatch:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0
        return FlowBatch.join([seen.flows for seen in spooled(self.state)])


def told_of(flows: FlowBatch) -> dict[int, tuple[int, int]]:
    assert len(set(flows.source_port.tolist())) == len(flows)
    both = zip(flows.packets.tolist(), flows.reply_packets.tolist(), strict=True)
    return dict(zip(flows.source_port.tolist(), both, strict=True))


def test_connections_that_span_files_are_whole_even_over_a_kill(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    try:
        whole, spanning = connection(2000), connection(3000)
        capture(watching.captures / "a.pcap", 100, [*whole, *spanning[:4]])
        watching.until(lambda told: told.get("files") == 1)
        watching.kill()
        watching.start()
        capture(watching.captures / "b.pcap", 101, [*spanning[4:], *connection(4000)])
        watching.until(lambda told: told.get("files") == 1)
        flows = watching.end()
    finally:
        watching.kill()
    assert told_of(flows) == {2000: (4, 3), 3000: (4, 3), 4000: (4, 3)}


def test_a_stop_and_a_start_read_no_file_again(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    try:
        capture(watching.captures / "a.pcap", 100, connection(2000))
        watching.until(lambda told: told.get("files") == 1)
        assert told_of(watching.end()) == {2000: (4, 3)}
        watching.start()
        capture(watching.captures / "b.pcap", 200, connection(3000))
        watching.until(lambda told: told.get("files") == 1)
        flows = watching.end()
    finally:
        watching.kill()
    assert told_of(flows) == {2000: (4, 3), 3000: (4, 3)}


def test_what_was_read_and_stored_goes_if_so_wished(tmp_path: Path) -> None:
    watching = Watching(tmp_path, removes=True)
    try:
        capture(watching.captures / "a.pcap", 100, connection(2000))
        (watching.captures / "broken.pcap").write_bytes(b"no capture at all")
        deadline = time.monotonic() + 60
        while (watching.captures / "a.pcap").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        flows = watching.end()
    finally:
        watching.kill()
    assert told_of(flows) == {2000: (4, 3)}
