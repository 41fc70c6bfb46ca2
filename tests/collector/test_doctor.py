"""The doctor's lines: what is wrong is said, with what to do, in both languages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from collector.doctor import Finding, cover, examine, what_sources_said
from collector.flows import FLOW_DTYPE, FlowBatch, address_number
from collector.lake import Lake
from collector.settings import CollectorSettings
from detector.coverage import coverage
from detector.hospital import Hospital
from detector.store import Store
from tests.collector.wires import ROOT

DAY = 1_790_000_000 * 10**9


def examined(*sources: dict[str, object], **more: object) -> dict[str, Finding]:
    settings = CollectorSettings.model_validate({"sources": sources, **more})
    return {finding.topic: finding for finding in examine(settings, Path("/"))}


def test_without_a_source_nothing_is_seen() -> None:
    assert examined()["sources"].tone == "blind"


def test_an_interface_that_is_not_there_is_named_with_those_that_are() -> None:
    finding = examined({"kind": "interface", "interface": "nope0"})["interface nope0"]
    assert finding.tone == "blind"
    assert "lo" in finding.en
    assert "lo" in finding.ja


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may capture here")
def test_the_right_to_capture_is_seen_and_missed() -> None:
    assert examined({"kind": "interface", "interface": "lo"})["capability"].tone == "ok"
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    words = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable]
    code = (
        "from pathlib import Path; from collector.settings import CollectorSettings as C\n"
        "from collector.doctor import examine\n"
        "s = C.model_validate({'sources': [{'kind': 'interface', 'interface': 'lo'}]})\n"
        "print([f.tone for f in examine(s, Path('/')) if f.topic == 'capability'])"
    )
    done = subprocess.run([*words, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "['blind']", done.stderr


def test_too_little_memory_to_outlive_a_kill_is_told() -> None:
    source = {"kind": "interface", "interface": "lo"}
    assert examined(source)["restart"].tone == "ok"
    many = examined({**source, "workers": 64}, fast_lane={"max_flows": 50_000_000})["restart"]
    assert many.tone == "look"
    assert "max_flows" in many.ja


def test_a_receive_buffer_beyond_the_kernels_limit_is_told() -> None:
    source = {"kind": "flow_listener", "receive_mib": 1024, "allow": ["10.0.0.0/8"]}
    finding = examined(source)["flow_listener 0.0.0.0 2055"]
    assert finding.tone == "look"
    assert "net.core.rmem_max" in finding.ja


def test_a_tshark_that_is_missing_is_told() -> None:
    assert examined(deep_lane={"program": "no-such-tshark"})["tshark"].tone == "blind"


def test_what_the_running_collector_said_is_repeated() -> None:
    up = {"state": "up", "why": {"ja": "", "en": ""}, "packets": 7, "dropped": 0}
    exporter = {"datagrams": 3, "flows": 9, "lost": 2, "malformed": 0}
    sources = {
        "interface eth1": {
            **up,
            "state": "silent",
            "why": {"ja": "届いていません", "en": "no packet"},
        },
        "flow_listener": {**up, "exporters": {"10.1.0.1": exporter}},
    }
    told = {f.topic: f.tone for f in what_sources_said({"sources": sources})}
    assert told == {"interface eth1": "blind", "flow_listener": "ok", "exporter 10.1.0.1": "look"}


def test_the_map_of_blind_spots_tells_vlans_apart(tmp_path: Path) -> None:
    rows = np.zeros(4, FLOW_DTYPE)
    rows["first_ns"] = rows["last_ns"] = rows["reported_ns"] = DAY
    rows["vlan"], rows["ttl_min"] = [10, 20, 20, 30], [64, 64, 64, 0]
    rows["destination_mac"] = [0xFFFF_FFFF_FFFF, 0x0200_0000_0001, 0x0200_0000_0001, 0]
    rows["source"] = [address_number(f"10.0.0.{n}") for n in (1, 2, 3, 4)]
    lake = Lake(tmp_path / "lake")
    lake.append(FlowBatch(rows))
    store = Store(tmp_path / "mimawari.db").open()
    store.save_note("collector_health", {"event_ns": DAY + 1})
    plan = Hospital.model_validate(
        {"segments": [{"name": "放射線", "vlan": 40, "prefixes": ["10.4.0.0/24"]}]}
    )
    found = coverage(store, lake, plan)
    store.close()
    assert [(r["vlan"], r["broadcast"], r["unicast"], r["flow"]) for r in found] == [
        (10, 1, 0, 0), (20, 0, 2, 0), (30, 0, 0, 1), (40, 0, 0, 0),
    ]  # fmt: skip
    assert [line.tone for line in cover(found)] == ["look", "ok", "ok", "blind"]
    assert "放射線" in list(cover(found))[-1].topic


def test_a_vlan_that_only_arp_tells_of_is_seen_by_its_broadcasts(tmp_path: Path) -> None:
    """The lines and the coverage pages tell one truth."""
    store, lake = Store(tmp_path / "mimawari.db").open(), Lake(tmp_path / "lake")
    store.save_note("collector_health", {"event_ns": 3 * DAY})
    heard = [{"vlan": 50, "broadcast": True, "unicast": False, "flow": False}]
    store.save_note("line_evidence", {"hosts": [], "vlans": heard, "at_ns": 3 * DAY - 1})
    [row] = coverage(store, lake, Hospital())
    assert (row["vlan"], row["broadcast"]) == (50, 0)
    assert (row["seen"], row["blind"]) == (["broadcast"], ["unicast", "flow"])
    assert [line.tone for line in cover([row])] == ["look"]
    store.save_note("line_evidence", {"hosts": [], "vlans": heard, "at_ns": DAY})
    assert coverage(store, lake, Hospital()) == [], "what was heard two days ago is no sight"
    store.close()


def test_the_command_speaks_json_and_fails_where_it_is_blind(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "mimawari.py", "doctor", "--json", "--state", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"tone", "topic", "ja", "en"} == set(lines[0])
