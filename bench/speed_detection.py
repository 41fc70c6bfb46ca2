"""How fast the detector alone is, over a hospital's days of flows.

    python -m bench.speed_detection [--hosts N …] [--days D] [--costs] [--profile]

Flows are made by `bench.hospital_flows` an hour at a time (not counted) and fed to the engine with
all detectors. Each size runs in a process of its own; the table shows flows, windows, flows a
second of wall and of processor time, and the greatest resident memory; beside them, as the floor,
what numpy takes in the same run to sum bytes by source, target and port window by window, which is
the least that any detector of pairs must do. Without --hosts it measures 1,150 hosts, 300 for as
many days, and 10,000 for a tenth of them, with 870 flows a host and day. --costs adds what each
detector took of the processor.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from api.configuration import Configuration
from bench.hospital_flows import hospital, hours_of_flows
from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from detector.alerts import Alert
from detector.detection import Detector, Window
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hosts import HostTable

ROOT = Path(__file__).resolve().parent.parent
_A_HOST = 870  # flows a host and day: 1,150 hosts make a million


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="*", default=[])
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args()
    if len(asked.hosts) == 1:
        measure(asked.hosts[0], asked.days, asked.profile, asked.costs)
        return 0
    for hosts in asked.hosts or [300, 1150, 10_000]:
        days = asked.days if hosts < 5000 else max(1, asked.days // 10)
        # A process of its own each: peak memory is a process's.
        again = [sys.executable, "-m", "bench.speed_detection", "--hosts", str(hosts)]
        subprocess.run([*again, "--days", str(days)], cwd=ROOT, check=True)
    return 0


class CostedEngine(Engine):
    """An engine that notes what each detector takes of the processor."""

    costs_s: Counter[str] = Counter()
    windows: Counter[str] = Counter()

    def _ask(self, detector: Detector, memory: Any, window: Window) -> Iterator[Alert]:
        began = time.thread_time()
        alerts = list(super()._ask(detector, memory, window))
        self.costs_s[detector.id] += time.thread_time() - began
        self.windows[detector.id] += 1
        return iter(alerts)


def measure(hosts: int, days: int, is_profiled: bool = False, is_costed: bool = False) -> None:
    """Feed the days and print one line."""
    plan = hospital(hosts)
    configuration = Configuration.model_validate({})
    table = HostTable(plan)
    engine = (CostedEngine if is_costed else Engine)(
        plan, configuration.detectors(), configuration.detector.engine, table, EdgeMemory()
    )
    gc.disable()
    profile = cProfile.Profile()
    wall_s = cpu_s = floor_s = 0.0
    flows = 0
    health = CollectorHealth()
    for batch in hours_of_flows(hosts, days, _A_HOST * hosts):
        seen = Observations(batch, (), int(batch.reported_ns[-1]), health)
        began, used = time.perf_counter(), time.process_time()
        if is_profiled:
            profile.enable()
        engine.feed(seen)
        profile.disable()
        wall_s += time.perf_counter() - began
        cpu_s += time.process_time() - used
        flows += len(batch)
        used = time.process_time()
        sum_windows(batch)
        floor_s += time.process_time() - used
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{hosts:6,} hosts, {days} days: {flows:11,} flows in {wall_s:7.1f} s, {cpu_s:7.1f} s cpu:"
        f" {flows / wall_s:9,.0f} flows/s, {flows / cpu_s:9,.0f} a cpu second"
        f" (floor {flows / floor_s:9,.0f}),"
        f" {megabytes:5.0f} MB, {len(engine.edges):,} edges, {len(engine.alerts)} alerts",
        flush=True,
    )
    if isinstance(engine, CostedEngine):
        for name, cost_s in engine.costs_s.most_common():
            shown = engine.windows[name]
            print(
                f"  {name:20} {cost_s:7.2f} s, {shown:7,} windows, {cost_s / shown * 1e6:7.0f} µs"
            )
    for fault, count in engine.failures.items():
        print(f"  FAILED {count} times: {fault}")
    if is_profiled:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def sum_windows(batch: FlowBatch) -> int:
    """The floor: bytes by source, target and port of every 30 s; returns how many sums."""
    window = batch.reported_ns // 30_000_000_000
    starts = np.flatnonzero(np.diff(window, prepend=window[0] - 1))
    count = 0
    for rows in np.split(batch.rows, starts[1:]):
        ends = rows["source"][:, 1] * np.uint64(31) ^ rows["destination"][:, 1] * np.uint64(7)
        _, place = np.unique(ends ^ rows["destination_port"], return_inverse=True)
        count += len(np.bincount(place, rows["bytes"]))
    return count


if __name__ == "__main__":
    sys.exit(main())
