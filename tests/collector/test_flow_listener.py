"""Flow exports over UDP: who may send, what is lost, what is kept over a restart."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector.flows import FlowBatch, address_number, address_text
from collector.live.receiving import Receiver
from tests.collector.test_exports import (
    TUPLE,
    data_set,
    ipfix,
    record,
    template_set,
    v5,
    v5_record,
    v9,
)  # fmt: skip
from tests.collector.wires import mimawari, settings_file, spooled


@contextmanager
def listening(folder: Path, **settings: Any) -> Iterator[Callable[..., dict[str, Any]]]:
    """`mimawari collect` with one listener; call it to wait for a state and counts."""
    source = {"kind": "flow_listener", "port": 0, "address": "127.0.0.1", **settings}
    state = folder / "state"
    before = len(spooled(state))
    process = subprocess.Popen(mimawari("collect", settings_file(folder, [source]), state))
    name = f"flow_listener {source['address']} 0"

    def until(state_name: str = "up", **counts: int) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        told: dict[str, Any] = {}
        while time.monotonic() < deadline:
            seen = spooled(state)[before:]
            told = seen[-1].health.sources.get(name, {}) if seen else {}
            is_there = all(told.get(k, 0) >= n for k, n in counts.items())
            if told.get("state") == state_name and is_there:
                return told
            time.sleep(0.1)
        raise AssertionError(f"never {state_name} with {counts}: {told}")

    try:
        yield until
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def send(port: int, *payloads: bytes, address: str = "127.0.0.1", source: int = 0) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sending:
        sending.bind((address, source))
        for payload in payloads:
            sending.sendto(payload, (address, port))


def flows_in(folder: Path) -> FlowBatch:
    return FlowBatch.join([seen.flows for seen in spooled(folder / "state")])


def test_a_receiver_tells_senders_of_both_families() -> None:
    for address in ("127.0.0.1", "::1"):
        receiver = Receiver(address, 0, 1 << 20)
        send(receiver.port, b"one", b"three", address=address)
        time.sleep(0.05)
        received = receiver.receive(1000)
        assert received is not None
        whole = received.buffer.tobytes()
        spans = zip(received.offset.tolist(), received.length.tolist(), strict=True)
        assert [whole[at : at + size] for at, size in spans] == [b"one", b"three"]
        assert received.sender.tolist() == [list(address_number(address))] * 2
        assert receiver.dropped() == 0
        receiver.close()


def test_datagrams_that_find_no_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.live.receiving._MOST", 512)  # one batch, until it is read
    receiver = Receiver("127.0.0.1", 0, 4096)
    send(receiver.port, b"first")
    time.sleep(0.05)
    send(receiver.port, *[bytes(1400)] * 200)
    assert receiver.dropped() > 150
    taken = 0
    while (received := receiver.receive(300)) is not None:
        taken += len(received.length)
    assert taken + receiver.dropped() == 201
    receiver.close()


def test_a_burst_comes_out_whole_and_in_order() -> None:
    receiver = Receiver("127.0.0.1", 0, 4 << 20)
    sizes = [100 + n % 1300 for n in range(20_000)]
    for at in range(0, len(sizes), 100):
        send(receiver.port, *(n.to_bytes(4, "big") * (sizes[n] // 4) for n in range(at, at + 100)))
        time.sleep(0.001)  # so that the kernel's buffer need not hold all of it
    told: list[tuple[int, int]] = []
    while (received := receiver.receive(300)) is not None:
        spans = zip(received.offset.tolist(), received.length.tolist(), strict=True)
        for place, size in spans:
            words = received.buffer[place : place + size].view(">u4")
            assert (words == words[0]).all()
            told.append((int(words[0]), size))
    assert len(told) + receiver.dropped() == len(sizes)
    assert told == sorted(told)
    assert all(size == sizes[n] // 4 * 4 for n, size in told)
    assert len(told) > 5000  # more than the kernel's buffer holds
    receiver.close()


def test_records_become_flows_and_gaps_are_counted(tmp_path: Path) -> None:
    with listening(tmp_path, allow=["127.0.0.0/8"]) as until:
        port = until()["port"]
        send(port, v5(v5_record(), 1, sequence=0), v5(v5_record(), 1, sequence=10))
        exporter = until(packets=2)["exporters"].get("127.0.0.1")
        while exporter is None or exporter["datagrams"] < 2:
            exporter = until()["exporters"].get("127.0.0.1")
    flows = flows_in(tmp_path)
    assert len(flows) == exporter["flows"] > 0
    assert exporter["lost"] > 0
    assert np.all(flows.one_way == 1)


def test_strangers_are_refused_and_told(tmp_path: Path) -> None:
    with listening(tmp_path, allow=["192.0.2.0/24"]) as until:
        send(until()["port"], v5(v5_record(), 1))
        told = until("refused", refused=1)
        assert "127.0.0.1" in told["why"]["ja"]
    assert len(flows_in(tmp_path)) == 0


def test_a_flooding_exporter_is_bounded(tmp_path: Path) -> None:
    with listening(tmp_path, allow=["127.0.0.1/32"], most_datagrams_per_s=10) as until:
        send(until()["port"], *[v5(v5_record(), 1, sequence=n) for n in range(300)])
        assert until(packets=300, flooding=200)["flooding"] <= 290


#: The same number, another layout: server before client, and the ports the other way round.
SWAPPED = [(12, 4), (8, 4), (11, 2), (7, 2), *TUPLE[4:]]


@pytest.mark.parametrize("announces_while_we_are_down", [False, True])
def test_an_exporter_that_began_anew_is_not_read_by_its_old_layout(
    tmp_path: Path, announces_while_we_are_down: bool
) -> None:
    """Data of the new layout comes before its template, over UDP, with and without us between."""
    before = [
        v9(template_set(0, 300, TUPLE), data_set(300, record()), uptime_ms=86_400_000),
    ]
    after = [
        v9(data_set(300, record(port=50001)), uptime_ms=5_000),
        v9(template_set(0, 300, SWAPPED), uptime_ms=6_000, sequence=1),
    ]
    with listening(tmp_path, allow=["127.0.0.1/32"]) as until:
        send(until()["port"], *before, source=47391)
        until(packets=1)
        if not announces_while_we_are_down:
            send(until()["port"], *after, source=47391)
            assert until(packets=3)["exporters"]["127.0.0.1"]["restarts"] == 1
    if announces_while_we_are_down:
        with listening(tmp_path, allow=["127.0.0.1/32"]) as until:
            send(until()["port"], *after, source=47391)
            until(packets=2)
    flows = flows_in(tmp_path)
    told = [(address_text(*f["source"]), int(f["source_port"])) for f in flows.rows]
    assert sorted(told) == [("10.1.1.5", 50000), ("10.2.2.7", 445)]


def test_templates_are_known_after_a_restart(tmp_path: Path) -> None:
    for payload in (ipfix(template_set(2, 300, TUPLE)), ipfix(data_set(300, record()))):
        with listening(tmp_path, allow=["127.0.0.1/32"]) as until:
            send(until()["port"], payload, source=47390)
            until(packets=1)
    assert len(flows_in(tmp_path)) == 1
