"""Two network namespaces with a virtual cable between them, made and removed by a test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.observations import Observations
from collector.spool import SpoolReader

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Wire:
    """`near` is where packets are sent from, `far` where they are captured."""

    near: str
    far: str

    def run(self, side: str, *command: object) -> subprocess.CompletedProcess[str]:
        words = ["ip", "netns", "exec", side, *map(str, command)]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    def start(self, side: str, *command: object) -> subprocess.Popen[bytes]:
        words = ["ip", "netns", "exec", side, *map(str, command)]
        return subprocess.Popen(words)

    def send(self, capture: Path, *options: object) -> str:
        """Send a capture with tcpreplay."""
        done = self.run(self.near, "tcpreplay", "-q", "-i", "near0", *options, capture)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


@contextmanager
def wire(*programs: str) -> Iterator[Wire]:
    """Needs root and the programs; the test is skipped where they are absent."""
    if os.geteuid() != 0:
        pytest.skip("making network namespaces needs root")
    for program in ("ip", *programs):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    made = Wire(f"mwnear{os.getpid()}", f"mwfar{os.getpid()}")
    try:
        for name in (made.near, made.far):
            done = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
            if done.returncode:
                pytest.skip(f"no network namespace can be made: {done.stderr.decode().strip()}")
        ends = ["near0", "netns", made.near, "type", "veth", "peer", "name", "far0"]
        subprocess.run(["ip", "link", "add", *ends, "netns", made.far], check=True)
        for name, end in ((made.near, "near0"), (made.far, "far0")):
            still = "net.ipv6.conf.all.disable_ipv6=1"
            made.run(name, "sysctl", "-qw", still)
            subprocess.run(["ip", "-n", name, "link", "set", end, "up"], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield made
    finally:
        for name in (made.near, made.far):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def settings_file(folder: Path, sources: Sequence[dict[str, object]], rest: str = "") -> Path:
    """A settings file with these live sources."""
    lines = ["[collector.deep_lane]", "enabled = false"]
    for source in sources:
        lines.append("[[collector.sources]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in source.items()]
    path = folder / "mimawari.toml"
    path.write_text("\n".join(lines) + "\n" + rest, encoding="utf-8")
    return path


def mimawari(verb: str, settings: Path, state: Path) -> list[object]:
    """The command line of a live process."""
    return [sys.executable, ROOT / "mimawari.py", verb, "--config", settings, "--state", state]


def spooled(state: Path) -> list[Observations]:
    """All that the collector has written."""
    return [seen for _, seen in SpoolReader(state / "spool").after(-1)]
