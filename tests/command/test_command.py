"""The command as a newcomer runs it: exit status, messages, the summary line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from detector.hospital import RegisteredLine
from detector.store import Store

ROOT = Path(__file__).resolve().parents[2]
SCAN = ROOT / "sample_pcaps" / "15_scan.pcap"


def mimawari(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "mimawari.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_replay_ends_with_a_summary() -> None:
    done = mimawari("replay", SCAN, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["type"] == "summary"
    assert lines[-1]["packets"] > 0
    assert {line["type"] for line in lines[:-1]} <= {"alert"}
    assert "T1046" in {t for line in lines[:-1] for t in line["techniques"]}


def test_a_file_that_is_no_capture_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    wrong = tmp_path / "notes.pcap"
    wrong.write_text("not a capture")
    done = mimawari("replay", wrong, SCAN, "--json")
    assert done.returncode == 1
    assert "notes.pcap" in done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["packets"] > 0
    assert "notes.pcap" in summary["unreadable"][0]


def test_a_capture_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(SCAN.read_bytes()[:-7])
    done = mimawari("flows", cut, "--json")
    assert done.returncode == 0
    assert "cut.pcap" in done.stderr
    assert len(done.stdout.splitlines()) > 10


def test_flows_are_told_as_documented() -> None:
    done = mimawari("flows", SCAN, "--json")
    flow = json.loads(done.stdout.splitlines()[0])
    assert {
        "first_ns", "last_ns", "src", "dst", "sport", "dport", "proto", "vlan", "src_mac",
        "dst_mac", "packets",
        "bytes", "reply_packets", "reply_bytes", "flags", "reply_flags", "state", "app",
        "app_confidence", "sensor", "community_id",
    } <= set(flow)  # fmt: skip
    assert flow["community_id"].startswith("1:")


def test_every_fault_in_the_settings_is_named_at_once(tmp_path: Path) -> None:
    settings = tmp_path / "m.toml"
    settings.write_text(
        'colour = "red"\n[collector]\nsensor = "a b"\n[detector.rules.host_scan]\nnothing = 1\n'
        '[detector.rules.no_such]\nx = 1\n[[hospital.segments]]\nname = "A"\nvlan = 5000\n'
        'prefixes = ["10.0.0.0/24"]\n',
        encoding="utf-8",
    )
    done = mimawari("config", "check", settings)
    assert done.returncode == 2
    for name in ("colour", "collector.sensor", "host_scan.nothing", "no_such", "segments.0.vlan"):
        assert name in done.stderr, name


@pytest.mark.parametrize("name", ["sample_pcaps/mimawari.toml", "deploy/mimawari.example.toml"])
def test_the_settings_that_come_with_it_have_no_faults(name: str) -> None:
    done = mimawari("config", "check", ROOT / name)
    assert done.returncode == 0, done.stderr


def test_help_is_quick_to_import() -> None:
    told = "import sys, mimawari; print(sorted({'numba', 'pyarrow', 'fastapi'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.captures
def test_no_robustness_capture_stops_it(captures: Path) -> None:
    files = [p for p in sorted((captures / "robustness").iterdir()) if "expected" not in p.name]
    done = mimawari("replay", *files, "--json")
    assert done.returncode in (0, 1), done.stderr[-2000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["type"] == "summary"
    assert summary["detector_failures"] == {}
    assert "Traceback" not in done.stderr


def test_maintenance_is_booked_for_a_registered_line_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "mimawari.db").open()
    store.replace_register([RegisteredLine(id="L-1", vendor="保守", line_type="SSL-VPN")])
    asked = [
        "lines", "book", "--state", tmp_path, "--from", "2026-10-01T09:00",
        "--to", "2026-10-01T12:00", "--person", "田中", "--purpose", "点検", "--approver", "佐藤",
    ]  # fmt: skip
    wrong = mimawari(*asked, "--line", "L-9")
    assert (wrong.returncode, "it has L-1" in wrong.stderr) == (2, True)
    done = mimawari(*asked, "--line", "L-1")
    assert done.returncode == 0, done.stderr
    assert [b.start.isoformat() for b in store.bookings()] == ["2026-10-01T09:00:00+09:00"]
    store.close()


def test_the_weekly_report_is_written_from_an_empty_state(tmp_path: Path) -> None:
    done = mimawari("report", "weekly", "--state", tmp_path, "--html", tmp_path / "week.html")
    assert done.returncode == 0, done.stderr
    assert "週次報告" in (tmp_path / "week.html").read_text(encoding="utf-8")


def test_updated_lists_reach_the_lanes_of_a_replay(tmp_path: Path) -> None:
    listed = (ROOT / "collector" / "data" / "remote_tools.tsv").read_text()
    newer = tmp_path / "remote_tools.tsv"
    newer.write_text(listed + "Newtool\tmimawari-hp.example\tsplashtop\n")
    state = tmp_path / "state"
    assert mimawari("data", "update", newer, "--state", state).returncode == 0
    console = ROOT / "sample_pcaps" / "11_tethered_console.pcap"
    assert mimawari("replay", console, "--state", state).returncode == 0
    told = mimawari("hunt", "--app", "splashtop", "--state", state, "--json")
    assert {json.loads(line)["destination_port"] for line in told.stdout.splitlines()} >= {443}


def test_the_demo_tells_the_same_a_second_time(tmp_path: Path) -> None:
    told = [mimawari("demo", "--no-serve", "--state", tmp_path).stdout for _ in range(2)]
    counts = [text.rstrip().rpartition("sightings, ")[2].partition(" in ")[0] for text in told]
    assert counts[0].endswith(" alerts") and counts[0] == counts[1]
