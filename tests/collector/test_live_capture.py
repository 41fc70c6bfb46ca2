"""Live capture over a virtual cable: what is sent is found, and what is wrong is said."""

from __future__ import annotations

import signal
import struct
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.flows import FlowBatch
from tests.collector.fastlane_frames import ethernet, ipv4, tcp, udp
from tests.collector.wires import Wire, mimawari, settings_file, spooled, wire

START_S = 60
FIN, SYN, PUSH, ACK = 1, 2, 8, 16


def capture_of(path: Path, frames: Iterable[bytes]) -> Path:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    records = [struct.pack("<IIII", 1, n, len(f), len(f)) + f for n, f in enumerate(frames)]
    path.write_bytes(head + b"".join(records))
    return path


def connection(port: int, vlan: int | None = None, number: int = 1) -> list[bytes]:
    """A whole TCP connection: opened, one line each way, closed."""
    client, server = "10.9.0.1", "10.9.0.2"
    there, back = (port, 80), (80, port)
    steps = [
        (client, server, there, SYN, 100, 0, b""),
        (server, client, back, SYN | ACK, 500, 101, b""),
        (client, server, there, PUSH | ACK, 101, 501, b"GET / HTTP/1.0\r\n\r\n"),
        (server, client, back, PUSH | ACK, 501, 119, b"HTTP/1.0 200 OK\r\n\r\n"),
        (client, server, there, FIN | ACK, 119, 520, b""),
        (server, client, back, FIN | ACK, 520, 120, b""),
        (client, server, there, ACK, 120, 521, b""),
    ]
    return [
        ethernet(ipv4(a, b, 6, tcp(*ports, flags, data, seq, ack), ident=number + n), vlan=vlan)
        for n, (a, b, ports, flags, seq, ack, data) in enumerate(steps)
    ]


class Running:
    """`mimawari collect` at the far end of a cable."""

    def __init__(self, cable: Wire, folder: Path, rest: str = "", **settings: object) -> None:
        source = {"kind": "interface", "interface": "far0", "ring_mib": 8, **settings}
        self.state = folder / "state"
        self._before = len(spooled(self.state))
        self._process = cable.start(
            cable.far, *mimawari("collect", settings_file(folder, [source], rest), self.state)
        )

    def source(self) -> dict[str, Any]:
        seen = spooled(self.state)[self._before :]
        return seen[-1].health.sources.get("interface far0", {}) if seen else {}

    def until(self, state: str, **counts: int) -> dict[str, Any]:
        """Wait until the source is in a state and has counted so much."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            told = self.source()
            if told.get("state") == state and all(told[k] >= n for k, n in counts.items()):
                return told
            time.sleep(0.1)
        raise AssertionError(f"never {state} with {counts}; it says {self.source()}")

    def end(self) -> FlowBatch:
        """SIGTERM; all flows that were stored."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0
        return FlowBatch.join([seen.flows for seen in spooled(self.state)])

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def cable() -> Any:
    with wire("tcpreplay") as made:
        yield made


def test_what_is_sent_becomes_flows_with_their_vlan(cable: Wire, tmp_path: Path) -> None:
    running = Running(cable, tmp_path, workers=2)
    try:
        running.until("up")
        sent = [f for n in range(200) for f in connection(2000 + n, vlan=30)]
        cable.send(capture_of(tmp_path / "sent.pcap", [*sent, *connection(9000)]), "-p", "5000")
        told = running.until("up", packets=201 * 7)
        flows = running.end()
    finally:
        running.kill()
    assert told["dropped"] == told["duplicates"] == 0
    assert len(flows) == 201
    assert set(flows.packets.tolist()) == {4}
    assert set(flows.reply_packets.tolist()) == {3}
    assert sorted(set(flows.vlan.tolist())) == [0, 30]
    assert np.count_nonzero(flows.vlan) == 200
    assert abs(int(flows.first_ns[0]) - time.time_ns()) < 300e9


def test_copies_of_a_mirror_port_count_once(cable: Wire, tmp_path: Path) -> None:
    running = Running(cable, tmp_path)
    try:
        running.until("up")
        twice = [f for frame in connection(2000) for f in (frame, frame)]
        again = ethernet(ipv4("10.9.0.1", "10.9.0.2", 17, udp(5, 6, b"same words"), ttl=63))
        routed = ethernet(ipv4("10.9.0.1", "10.9.0.2", 17, udp(5, 6, b"same words"), ttl=62))
        cable.send(capture_of(tmp_path / "sent.pcap", [*twice, again, routed]), "-t")
        told = running.until("up", packets=16)
        flows = running.end()
    finally:
        running.kill()
    assert told["duplicates"] == 7
    assert sorted((flows.packets + flows.reply_packets).tolist()) == [2, 7]


def test_an_interface_that_goes_is_told_and_taken_up_again(cable: Wire, tmp_path: Path) -> None:
    running = Running(cable, tmp_path)
    try:
        running.until("up")
        cable.run(cable.far, "ip", "link", "set", "far0", "down")
        assert "far0" in running.until("down")["why"]["en"]
        cable.run(cable.far, "ip", "link", "set", "far0", "up")
        running.until("up")
        cable.send(capture_of(tmp_path / "sent.pcap", connection(2000)), "-t")
        running.until("up", packets=7)
        flows = running.end()
    finally:
        running.kill()
    assert len(flows) == 1
    states = [s for seen in spooled(running.state) for s in seen.sightings]
    told = [(s.state, s.why) for s in states if s.kind == "source_state"]
    assert {state for state, _ in told[:-1]} == {"down"}, told
    assert told[-1] == ("up", "")


def test_silence_and_one_direction_only_are_told(cable: Wire, tmp_path: Path) -> None:
    rest = "[collector.fast_lane]\ntcp_idle_s = 1\n"
    running = Running(cable, tmp_path, rest, silent_after_s=3, one_way_least=5)
    try:
        assert "mirror" in running.until("silent")["why"]["en"]
        halves = [f for n in range(20) for f in connection(2000 + n)[::2]]
        for _ in range(4):  # so that it does not fall silent before the flows end
            cable.send(capture_of(tmp_path / "sent.pcap", halves), "-p", "60")
        assert "both" in running.until("one_way")["why"]["en"]
    finally:
        running.kill()


def test_killed_it_loses_no_flow_that_was_finished(cable: Wire, tmp_path: Path) -> None:
    running = Running(cable, tmp_path)
    try:
        running.until("up")
        sent = [f for n in range(50) for f in connection(2000 + n)]
        cable.send(capture_of(tmp_path / "sent.pcap", sent), "-t")
        deadline = time.monotonic() + 30  # closed connections linger for 5 s
        while sum(len(s.flows) for s in spooled(running.state)) < 50:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        running.kill()
        second = Running(cable, tmp_path)
        try:
            second.until("up")
            cable.send(capture_of(tmp_path / "more.pcap", connection(3000)), "-t")
            second.until("up", packets=7)
            flows = second.end()
        finally:
            second.kill()
    finally:
        running.kill()
    assert sorted(flows.source_port.tolist()) == [*range(2000, 2050), 3000]


def test_without_the_right_to_capture_it_says_what_to_do(cable: Wire, tmp_path: Path) -> None:
    settings = settings_file(tmp_path, [{"kind": "interface", "interface": "far0"}])
    tmp_path.chmod(0o777)
    state = tmp_path / "state"
    bare = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    process = cable.start(cable.far, *bare, *mimawari("collect", settings, state))
    try:
        deadline = time.monotonic() + START_S
        why = ""
        while not why and time.monotonic() < deadline:
            seen = spooled(state)
            why = seen[-1].health.sources["interface far0"]["why"]["en"] if seen else ""
            time.sleep(0.1)
        assert "CAP_NET_RAW" in why
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_unknown_settings_of_a_source_are_refused(tmp_path: Path) -> None:
    settings = settings_file(tmp_path, [{"kind": "interface", "interfaces": "far0"}])
    done = subprocess.run(
        mimawari("collect", settings, tmp_path / "state"), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "collector.sources.0.interface" in done.stderr
