"""How fast captures become flows, beside tcpdump, nfpcapd, softflowd, NFStream, tshark and pyshark.

    python -m bench.speed_flows [CAPTURE …] [--packets N] [--excerpt N] [--own]

Each program reads the same file, as a whole process; the table shows wall time, processor time, the
greatest memory, packets per second and how these compare with `tcpdump -r FILE -w /dev/null`;
`replay` is everything, with all detectors. The last line is the fast lane inside one process,
without start-up and output. Slow peers read the file's first packets only. Without files two are
made in memory (/dev/shm): full-size packets in long connections, and 64-byte packets in short ones.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.peers import ROOT, Peer, cut, install, peers

_LANE = """
import sys, time
from collector.capture import open_capture
from collector.data import read_reference
from collector.fastlane.lane import FastLane
from collector.identify.names import name_table
lane = FastLane(names=name_table(read_reference().name_suffixes()))
began = packets = 0
with open_capture(sys.argv[1]) as capture:
    for chunk in capture:
        if began:
            packets += len(chunk)
        lane.feed(chunk)
        began = began or time.perf_counter()
print(packets / (time.perf_counter() - began))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="*", type=Path)
    parser.add_argument("--packets", type=int, default=5_000_000)
    parser.add_argument("--excerpt", type=int, default=200_000, help="packets for slow peers")
    parser.add_argument("--own", action="store_true", help="only tcpdump and this program")
    chosen = parser.parse_args()
    if not chosen.own:
        install()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        captures = chosen.captures or _make(Path(folder), chosen.packets)
        for capture in captures:
            compare(capture, Path(folder), 0 if chosen.own else chosen.excerpt)
    return 0


def compare(capture: Path, folder: Path, excerpt: int) -> None:
    """Measure every program on one capture and print the ratios; no peers where excerpt is 0."""
    total = _count(capture)
    flows = [sys.executable, "mimawari.py", "flows", str(capture)]
    programs = [
        Peer("tcpdump -w", ["tcpdump", "-r", str(capture), "-w", os.devnull]),
        Peer("mimawari flows", flows),
        Peer("  --json", [*flows, "--json"]),
        Peer("  --parquet", [*flows, "--parquet", str(folder / "flows.parquet")]),
        Peer("mimawari replay", [sys.executable, "mimawari.py", "replay", str(capture), "--json"]),
    ]
    if excerpt:
        cut(capture, folder / "excerpt.pcap", excerpt)
        cut(capture, folder / "tenth.pcap", excerpt // 10)
        programs += peers(capture, folder / "excerpt.pcap", folder, excerpt)
    print(f"{capture.name}: {capture.stat().st_size / 1e6:,.0f} MB, {total:,} packets")
    base = 0.0
    for program in programs:
        if not program.is_here:
            print(f"  {program.name:20} not installed")
            continue
        (folder / "nf").mkdir(exist_ok=True)
        wall_s, cpu_s, megabytes, status = measure(program.command)
        rate = min(program.most_packets or total, total) / wall_s
        base = base or rate
        told = "" if status == 0 else f"  FAILED (exit {status})"
        times = f"{wall_s:8.2f} s {cpu_s:8.2f} s cpu {megabytes:6.0f} MB"
        print(f"  {program.name:20}{times} {_rate(rate, base)}{told}", flush=True)
    lane = subprocess.run(
        [sys.executable, "-c", _LANE, str(capture)], cwd=ROOT, capture_output=True, check=True
    )
    print(f"  {'fast lane in process':46} {_rate(float(lane.stdout), base)}")


def _rate(rate: float, base: float) -> str:
    return f"{rate / 1e6:8.3f} M packets/s {rate / base:8.3f} of tcpdump's"


def _count(capture: Path) -> int:
    from collector.capture import open_capture

    with open_capture(capture) as source:
        return sum(map(len, source))


def measure(command: list[str]) -> tuple[float, float, float, int]:
    """Best of two runs: (wall s, processor s, greatest resident MB, exit status)."""
    runs = []
    for _ in range(2):
        began = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - began
        runs.append(
            (wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode)
        )
    return min(runs)


def _make(folder: Path, packets: int) -> list[Path]:
    shapes = {"full.pcap": (33, 500), "small.pcap": (5, 10)}
    for name, shape in shapes.items():
        # A process of its own: what this one has used counts as its children's peak memory.
        made = [str(folder / name), str(packets), *map(str, shape)]
        subprocess.run([sys.executable, "-m", "bench.traffic", *made], cwd=ROOT, check=True)
    return [folder / name for name in shapes]


if __name__ == "__main__":
    sys.exit(main())
