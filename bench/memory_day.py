"""Whether memory stays flat over a day of traffic, replayed at full speed.

    python -m bench.memory_day [--flows N] [--packets-a-flow N] [--hosts N] [--folder DIR]

Writes a capture whose packets span 24 hours (TCP connections of `bench.hospital_flows`, quiet
nights and two peaks), replays it with every detector, the lake and the store in a process of its
own (niced), and reads that process's memory every second. Anonymous memory is what counts: pages
of the mapped capture and of files come and go as the kernel likes. It is flat if the last quarter
of the run takes at most 15 % more than the second one; the exit status says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from bench.hospital_flows import hours_of_flows
from bench.traffic import RECORD

ROOT: Final = Path(__file__).resolve().parent.parent
_FLAT: Final = 1.15
_STEP_NS: Final = 40_000_000  # between packets of a connection
_SYN, _SYN_ACK, _PSH_ACK, _FIN_ACK = 2, 18, 24, 17


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=2_000_000)
    parser.add_argument("--packets-a-flow", type=int, default=5)
    parser.add_argument("--hosts", type=int, default=1150)
    parser.add_argument("--folder", type=Path, help="where capture and state are written")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as made:
        folder = Path(made)
        packets = write_day(folder / "day.pcap", asked.hosts, asked.flows, asked.packets_a_flow)
        size = (folder / "day.pcap").stat().st_size >> 20
        print(f"24 h, {asked.hosts:,} hosts, {packets:,} packets, {size:,} MiB", flush=True)
        summary, used = replay(folder / "day.pcap", folder / "state")
    return report(summary, used)


def write_day(path: Path, hosts: int, flows: int, per_flow: int) -> int:
    """A capture of a day's TCP connections; returns how many packets it holds."""
    count = 0
    # Nights are quiet and Mondays busy: the share of TCP and the day's factor are made up for.
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for batch in hours_of_flows(hosts, 1, int(flows / 1.26 / 0.7)):
            rows = batch.rows[batch.rows["protocol"] == 6]
            packets = _packets(rows, per_flow)
            file.write(packets.tobytes())
            count += len(packets)
    return count


def _packets(flows: np.ndarray, per_flow: int) -> np.ndarray:
    """The packets of an hour's connections, in time order."""
    times = (flows["first_ns"][:, None] + np.arange(per_flow) * _STEP_NS).ravel()
    order = np.argsort(times, kind="stable")
    times, flow, step = times[order], flows[order // per_flow], order % per_flow
    is_reply = step % 2 == 1
    rows = np.zeros(len(times), RECORD)
    rows["seconds"], rows["part"] = times // 1_000_000_000, times % 1_000_000_000
    rows["captured"] = rows["wire"] = RECORD.itemsize - 16
    ends = [flow[name][:, 1] & 0xFFFFFFFF for name in ("source", "destination")]
    for at, name in enumerate(("source", "destination")):
        other = "destination" if name == "source" else "source"
        rows[name] = np.where(is_reply, ends[1 - at], ends[at])
        rows[f"{name}_port"] = np.where(is_reply, flow[f"{other}_port"], flow[f"{name}_port"])
    for at, end in enumerate(("destination", "source")):  # Ethernet names the receiver first
        other = "source" if end == "destination" else "destination"
        mac = np.where(is_reply, flow[f"{other}_mac"], flow[f"{end}_mac"]).astype(">u8")
        rows["macs"][:, 6 * at : 6 * at + 6] = mac.view("u1").reshape(-1, 8)[:, 2:]
    rows["ether_type"], rows["version"], rows["ttl"], rows["protocol"] = 0x0800, 0x45, 128, 6
    rows["total"] = RECORD.itemsize - 30
    rows["sequence"], rows["ack"], rows["offset"] = 1 + step // 2, 1, 0x50
    rows["flags"] = np.where(step >= per_flow - 2, _FIN_ACK, _PSH_ACK)
    rows["flags"][step == 0], rows["flags"][step == 1] = _SYN, _SYN_ACK
    return rows


def replay(capture: Path, state: Path) -> tuple[dict[str, object], list[int]]:
    """Run it; what it says last, and its anonymous memory (MiB) once a second."""
    command = [sys.executable, str(ROOT / "mimawari.py"), "replay", str(capture), "--json"]
    told = state.parent / "told"
    with told.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--state", str(state)], stdout=out, cwd=ROOT,
            preexec_fn=lambda: os.nice(15),
        )  # fmt: skip
        used: list[int] = []
        while process.poll() is None:
            used.append(_anonymous_mib(process.pid))
            time.sleep(1)
    if process.returncode:
        raise SystemExit(f"replay ended with {process.returncode}")
    last = told.read_bytes().strip().rsplit(b"\n", 1)[-1]
    summary: dict[str, object] = json.loads(last)
    return summary, [mib for mib in used if mib]


def _anonymous_mib(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(lines[0][1]) >> 10 if lines else 0


def report(summary: dict[str, object], used: list[int]) -> int:
    """Print tenths of the run and the verdict."""
    for tenth in range(10):
        part = used[tenth * len(used) // 10 : (tenth + 1) * len(used) // 10]
        if part:
            print(f"{10 * tenth:3} % of the run: {max(part):5} MiB")
    quarters = [used[at * len(used) // 4 : (at + 1) * len(used) // 4] for at in range(4)]
    ratio = statistics.median(quarters[3]) / statistics.median(quarters[1])
    print(
        f"{summary['packets']:,} packets, {summary['flows']:,} flows, {summary['alerts']} alerts in"
        f" {len(used)} s; shed {summary['shed']}; last quarter to second {ratio:.2f}: "
        f"{'flat' if ratio <= _FLAT else 'it grows'}"
    )
    return 0 if ratio <= _FLAT else 1


if __name__ == "__main__":
    sys.exit(main())
