"""What stands around the collector starts anew: an exporter, and tshark while packets come."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.exports.decoder import ExportDecoder
from collector.observations import Observations
from collector.sightings import Smb
from tests.collector.test_exports import (
    TUPLE,
    Field,
    data_set,
    decode,
    ipfix,
    record,
    template_set,
    v9,
)
from tests.collector.test_flow_listener import flows_in, listening, send
from tests.collector.wires import mimawari, settings_file, spooled, wire

PSEXEC = "lateral-movement/el_impacket_psexec.pcap"


def test_an_exporter_that_starts_anew_has_lost_nothing() -> None:
    """Its numbers begin at 0; that is no gap of four thousand million records."""
    decoder = ExportDecoder()
    template = template_set(2, 300, TUPLE)
    decode(ipfix(template, data_set(300, record() * 3), sequence=5_000), decoder=decoder)
    decode(ipfix(template, data_set(300, record() * 2), sequence=0), decoder=decoder)
    decode(ipfix(data_set(300, record()), sequence=2), decoder=decoder)
    assert decoder.exporters["192.0.2.1"].lost == 0
    assert decoder.exporters["192.0.2.1"].flows == 6
    decode(ipfix(data_set(300, record()), sequence=9), decoder=decoder)
    assert decoder.exporters["192.0.2.1"].lost == 6, "later gaps count again"


def test_after_a_restart_templates_may_say_something_else() -> None:
    """The same number with another layout: what follows is read by it, what came before stays."""
    decoder = ExportDecoder()
    swapped: list[Field] = [(12, 4), (8, 4), *TUPLE[2:]]
    first = decode(v9(template_set(0, 300, TUPLE), data_set(300, record())), decoder=decoder)
    after = decode(
        v9(template_set(0, 300, swapped), data_set(300, record()), uptime_ms=1_000),
        decoder=decoder,
    )
    assert first.source.tolist() == after.destination.tolist()


def test_data_with_a_new_number_waits_for_its_template_and_none_is_lost() -> None:
    decoder = ExportDecoder()
    decode(ipfix(template_set(2, 300, TUPLE), data_set(300, record())), decoder=decoder)
    assert len(decode(ipfix(data_set(301, record() * 4), sequence=0), decoder=decoder)) == 0
    assert len(decode(ipfix(template_set(2, 301, TUPLE), sequence=4), decoder=decoder)) == 4
    assert decoder.shed == {}


def test_a_listener_goes_on_with_an_exporter_that_starts_anew(tmp_path: Path) -> None:
    template = template_set(2, 300, TUPLE)
    with listening(tmp_path, allow=["127.0.0.1/32"]) as until:
        port = until()["port"]
        send(port, ipfix(template, data_set(300, record()), sequence=70_000), source=47391)
        until(packets=1)
        send(port, ipfix(data_set(301, record() * 2), sequence=0), source=47391)
        send(port, ipfix(template_set(2, 301, TUPLE), sequence=2), source=47391)
        told = until(packets=3)
        while told["exporters"]["127.0.0.1"]["flows"] < 3:
            told = until()
        assert told["exporters"]["127.0.0.1"]["lost"] == 0
    assert int(flows_in(tmp_path).packets.sum()) == 3 * int(flows_in(tmp_path).packets.min())


def children(parent: int, name: str) -> list[int]:
    """Processes below this one that have this name."""
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            if Path(f"/proc/{child}/comm").read_text().strip() == name:
                found.append(child)
            found += children(child, name)
    return found


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_a_tshark_killed_under_live_traffic_is_replaced_and_flows_go_on(
    captures: Path, tmp_path: Path
) -> None:
    capture = captures / PSEXEC
    settings = settings_file(tmp_path, [{"kind": "interface", "interface": "far0", "ring_mib": 8}])
    settings.write_text(settings.read_text().replace("enabled = false", "enabled = true"))
    state = tmp_path / "state"

    def until(is_so: Callable[[list[Observations]], bool]) -> list[Observations]:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            seen = spooled(state)
            if seen and is_so(seen):
                return seen
            time.sleep(0.1)
        raise AssertionError(f"never so: {seen[-1].health.to_json() if seen else 'nothing'}")

    def of_smb(seen: list[Observations]) -> int:
        return sum(isinstance(s, Smb) for one in seen for s in one.sightings)

    def is_up(seen: list[Observations]) -> bool:
        return any(s["state"] == "up" for s in seen[-1].health.sources.values())

    with wire("tcpreplay") as cable:
        process = cable.start(cable.far, *mimawari("collect", settings, state))
        try:
            until(is_up)
            cable.send(capture, "-p", "200")
            before = of_smb(until(lambda seen: of_smb(seen) > 0))
            [tshark] = children(process.pid, "tshark")
            os.kill(tshark, signal.SIGKILL)
            cable.send(capture, "-p", "200")
            until(lambda seen: seen[-1].health.shed["deep_tshark"] > 0)
            cable.send(capture, "-p", "200")
            last = until(lambda seen: of_smb(seen) > before)[-1]
            assert "deep" not in last.health.blind
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
    seen = spooled(state)
    health = seen[-1].health
    told = sum(int(s.flows.packets.sum() + s.flows.reply_packets.sum()) for s in seen)
    assert told == health.packets > 0, "no packet's flow is lost, whatever tshark does"
    assert health.sources["interface far0"]["dropped"] == 0
