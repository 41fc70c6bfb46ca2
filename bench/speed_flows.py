"""How fast captures become flows, beside tcpdump, nfpcapd and NFStream.

    python -m bench.speed_flows [CAPTURE …] [--packets N]

Each program reads the same file, as a whole process; the table shows wall time, processor time and
the ratio of its wall time to `tcpdump -r FILE -w /dev/null`. Without files two are made in memory
(/dev/shm): full-size packets in long connections, and 64-byte packets in short ones. NFStream is
measured where it can be imported.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NFSTREAM = """
import sys
from nfstream import NFStreamer
print(sum(1 for _ in NFStreamer(source=sys.argv[1], accounting_mode=1)))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="*", type=Path)
    parser.add_argument("--packets", type=int, default=5_000_000)
    chosen = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        captures = chosen.captures or _make(Path(folder), chosen.packets)
        for capture in captures:
            compare(capture, Path(folder))
    return 0


def compare(capture: Path, folder: Path) -> None:
    """Measure every program on one capture and print the ratios."""
    flows = [sys.executable, "mimawari.py", "flows", str(capture)]
    store = folder / "nf"
    programs = {
        "tcpdump -w": ["tcpdump", "-r", str(capture), "-w", os.devnull],
        "mimawari flows": flows,
        "mimawari flows --json": [*flows, "--json"],
        "mimawari replay --json": [sys.executable, "mimawari.py", "replay", str(capture), "--json"],
        "nfpcapd": ["nfpcapd", "-r", str(capture), "-w", str(store)],
        "NFStream": [sys.executable, "-c", _NFSTREAM, str(capture)],
    }
    print(f"{capture.name}: {capture.stat().st_size / 1e6:,.0f} MB")
    base = 0.0
    for name, command in programs.items():
        if shutil.which(command[0]) is None or (name == "NFStream" and not _has_nfstream()):
            print(f"  {name:22} not installed")
            continue
        store.mkdir(exist_ok=True)
        wall_s, cpu_s, megabytes, status = measure(command)
        base = base or wall_s
        told = "" if status == 0 else f"  FAILED (exit {status})"
        times = f"{wall_s:8.2f} s {cpu_s:8.2f} s cpu {megabytes:6.0f} MB"
        print(f"  {name:22}{times} {wall_s / base:6.2f}x{told}")
        shutil.rmtree(store)


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


def _has_nfstream() -> bool:
    check = [sys.executable, "-c", "import nfstream"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
