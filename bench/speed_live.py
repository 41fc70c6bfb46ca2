"""The highest rate of packets that is captured without loss, beside tcpdump.

    python -m bench.speed_live CAPTURE [--rates 50000,100000,200000,400000,0] [--seconds 8]

Two network namespaces with a virtual cable are made (needs root and tcpreplay). The capture is
sent at each rate (0: as fast as tcpreplay can) to `mimawari collect` (flows and sightings on,
tshark off) and to `tcpdump -w /dev/null`; the table shows what was sent, what came, what was lost,
and the share of one core that the receiver used.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.collector.wires import Wire, mimawari, settings_file, spooled, wire


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--rates", default="50000,100000,200000,400000,0")
    parser.add_argument("--seconds", type=int, default=8)
    chosen = parser.parse_args()
    with wire("tcpreplay", "tcpdump") as cable, tempfile.TemporaryDirectory() as folder:
        for rate in map(int, chosen.rates.split(",")):
            for name in ("mimawari", "tcpdump"):
                state = Path(folder) / f"{name}-{rate}"
                state.mkdir()
                measure = _mimawari if name == "mimawari" else _tcpdump
                print(f"{rate or 'top':>8} {name:9} {measure(cable, chosen, rate, state)}")
    return 0


def _send(cable: Wire, chosen: argparse.Namespace, rate: int) -> tuple[int, float]:
    """(packets sent, packets a second)."""
    pace = ["-p", rate] if rate else ["-t"]
    told = cable.send(chosen.capture, *pace, "-K", "--loop", "0", "--duration", chosen.seconds)
    sent = int(re.findall(r"Successful packets:\s+(\d+)", told)[0])
    return sent, sent / chosen.seconds


def _mimawari(cable: Wire, chosen: argparse.Namespace, rate: int, folder: Path) -> str:
    source = {"kind": "interface", "interface": "far0", "ring_mib": 256, "duplicates_within_ms": 0}
    state = folder / "state"
    process = cable.start(cable.far, *mimawari("collect", settings_file(folder, [source]), state))
    try:
        while not _is_up(state):
            time.sleep(0.5)
        time.sleep(1)
        before = _processor_s(process.pid)
        sent, per_s = _send(cable, chosen, rate)
        time.sleep(1)
        spent = _processor_s(process.pid) - before
        process.send_signal(signal.SIGTERM)
        process.wait(120)
    finally:
        process.kill()
        process.wait()
    last = spooled(state)[-1].health
    told = last.sources["interface far0"]
    return (
        f"sent {sent:>9,} ({per_s:,.0f}/s) seen {told['packets']:>9,} lost {told['dropped']:,} "
        f"flows {last.flows:,} shed {sum(last.shed.values()):,} cores {spent / chosen.seconds:.2f}"
    )


def _is_up(state: Path) -> bool:
    seen = spooled(state)
    return bool(seen) and seen[-1].health.sources["interface far0"]["state"] == "up"


def _tcpdump(cable: Wire, chosen: argparse.Namespace, rate: int, folder: Path) -> str:
    words = ["ip", "netns", "exec", cable.far, "tcpdump", "-i", "far0", "-B", "262144", "-n", "-w"]
    process = subprocess.Popen([*words, "/dev/null"], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    before = _processor_s(process.pid)
    sent, per_s = _send(cable, chosen, rate)
    time.sleep(1)
    spent = _processor_s(process.pid) - before
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    seen = int(re.findall(r"(\d+) packets? captured", said)[0])
    lost = int(re.findall(r"(\d+) packets? dropped by kernel", said)[0])
    return (
        f"sent {sent:>9,} ({per_s:,.0f}/s) seen {seen:>9,} lost {lost:,} "
        f"cores {spent / chosen.seconds:.2f}"
    )


def _processor_s(pid: int) -> float:
    return _spent(Path(f"/proc/{pid}/stat"))


def _spent(stat: Path) -> float:
    words = stat.read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
