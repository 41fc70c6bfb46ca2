"""The systemd units: sound where systemd can say so, with least rights, and a place for loops."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))


def service(unit: Path) -> configparser.SectionProxy:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read(unit, encoding="utf-8")
    return read["Service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_only_the_collector_has_a_right_and_loops_have_a_writable_place(unit: Path) -> None:
    told = service(unit)
    right = "CAP_NET_RAW" if unit.stem == "mimawari-collector" else ""
    assert told["CapabilityBoundingSet"] == told["AmbientCapabilities"] == right
    assert told["User"] == "mimawari"
    assert told["ProtectSystem"] == "strict"
    assert told["NoNewPrivileges"] == "yes"
    assert told["CacheDirectory"] == "mimawari"
    assert told["Environment"] == "NUMBA_CACHE_DIR=/var/cache/mimawari"


def test_set_up_is_a_shell_script_without_a_slip() -> None:
    done = subprocess.run(["sh", "-n", DEPLOY / "setup.sh"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "/var/cache/mimawari" in (DEPLOY / "setup.sh").read_text(encoding="utf-8")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = unit.read_text(encoding="utf-8").replace("/opt/mimawari/.venv/bin/mimawari", "/bin/true")
    copy = tmp_path / unit.name
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
    slips = [line for line in done.stderr.splitlines() if unit.name in line]
    assert slips == []
