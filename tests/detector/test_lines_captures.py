"""Real captures: tunnels and rogue networks are named, ordinary traffic is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.replay import Replay
from collector.settings import CollectorSettings
from detector.alerts import Alert
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.lines import LINE_DETECTORS

pytestmark = pytest.mark.captures

#: Sessions between inside hosts are judged as lateral movement, not as lines.
_INSIDE_SESSIONS = ("rdp", "rfb", "vnc")


def alerts_of(capture: Path) -> list[Alert]:
    """What the detectors of lines say of one capture on a fresh installation."""
    hospital = Hospital()
    engine = Engine(hospital, LINE_DETECTORS, EngineSettings(), HostTable(hospital), EdgeMemory())
    for observed in Replay(CollectorSettings()).read([capture]):
        engine.feed(observed)
    engine.finish()
    assert not engine.failures
    return list(engine.alerts.values())


def captures_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in (".pcap", ".pcapng", ".cap"))


def test_tunnels_and_remote_tools_are_named(captures: Path) -> None:
    asked = [
        p
        for p in captures_in(captures / "remote-tool-vpn")
        if not any(word in p.name for word in _INSIDE_SESSIONS)
    ]
    missed = [p.name for p in asked if not alerts_of(p)]
    assert len(missed) <= 0.05 * len(asked), missed


@pytest.mark.parametrize("folder", ["rogue-network", "exfil-tunnel"])
def test_rogue_networks_and_tunnels_in_other_protocols_are_named(
    captures: Path, folder: str
) -> None:
    assert [p.name for p in captures_in(captures / folder) if not alerts_of(p)] == []


@pytest.mark.parametrize("folder", ["medical", "ot-ics"])
def test_devices_at_work_are_quiet(captures: Path, folder: str) -> None:
    loud = {
        p.name: {a.detector for a in alerts_of(p) if a.severity not in ("info", "low")}
        for p in captures_in(captures / folder)
    }
    told = {name: detectors for name, detectors in loud.items() if detectors}
    assert all(detectors == {"tool_signature"} for detectors in told.values()), told
    assert len(told) <= 1, told
