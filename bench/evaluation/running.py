"""One simulated hospital through the engine, as one tier of sensor would have seen it."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq

from api.configuration import Configuration, read_configuration
from bench.evaluation.roles import RolePairs, role_pairs
from bench.evaluation.tiers import seen_flows, sees
from collector.arrow import from_table
from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from collector.sightings import Sighting
from detector.alerts import Alert
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.incidents import Incident
from sample_pcaps.simulated.making import read_truth
from sample_pcaps.simulated.told import read_sightings

_S: Final = 1_000_000_000
#: Event time between two questions; close to an attack's moves, as often as the urgent detectors
#: look (`detector.urgent`).
_COARSE_S, FINE_S, FINE_FOR_S = 1800, 5, 900
LOUD: Final = ("critical", "high", "medium")


@dataclass
class Run:
    """What one tier found in one hospital."""

    folder: Path
    tier: str
    truth: dict[str, Any]
    hospital: Hospital
    roles: RolePairs = field(default_factory=Counter)
    alerts: dict[str, Alert] = field(default_factory=dict)
    told_ns: dict[str, int] = field(default_factory=dict)  # alert → event time of first loud word
    named_ns: dict[tuple[str, str], int] = field(default_factory=dict)  # (alert, target) → the same
    incidents: list[Incident] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    flows: int = 0
    window_s: int = 0  # what most detectors wait for
    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_mb: float = 0.0


def run_tier(folder: Path, tier: str, configuration: Configuration | None = None) -> Run:
    """Feed the days in order; thresholds are those of the settings, whatever the days hold."""
    truth = read_truth(folder)
    configuration = configuration or read_configuration(folder / "mimawari.toml")
    hosts = HostTable(configuration.hospital)
    engine = Engine(
        configuration.hospital,
        configuration.detectors(),
        configuration.detector.engine,
        hosts,
        EdgeMemory(),
    )
    window_s = configuration.detector.engine.window_s
    run = Run(folder, tier, truth, configuration.hospital, window_s=window_s)
    began, cpu = time.perf_counter(), time.process_time()
    for seen in _stretches(folder, tier, truth):
        run.flows += len(seen.flows)
        _note(run, engine.feed(seen), seen.watermark_ns)
    _note(run, engine.finish(), int(truth["last_ns"]))
    run.incidents = engine.incidents()
    run.failures = dict(engine.failures)
    run.roles = role_pairs(engine)
    run.wall_s, run.cpu_s = time.perf_counter() - began, time.process_time() - cpu
    run.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return run


def _note(run: Run, alerts: list[Alert], now_ns: int) -> None:
    for alert in alerts:
        run.alerts[alert.id] = alert
        if alert.severity in LOUD:
            run.told_ns.setdefault(alert.id, now_ns)
            for target in alert.targets:
                run.named_ns.setdefault((alert.id, target.ip), now_ns)


def _stretches(folder: Path, tier: str, truth: dict[str, Any]) -> Iterator[Observations]:
    health = CollectorHealth()
    cuts = _cuts(truth)
    at = 0
    for flows, sightings in _pieces(folder, tier, truth):
        times = np.array([s.time_ns for s in sightings], np.int64)
        reported = flows.reported_ns
        last = max(int(reported[-1]) if len(flows) else 0, int(times[-1]) if len(times) else 0)
        f = s = 0
        while at < len(cuts) and cuts[at] <= last:
            f_end = f + int(np.searchsorted(reported[f:], cuts[at]))
            s_end = s + int(np.searchsorted(times[s:], cuts[at]))
            chosen = tuple(sightings[s:s_end])
            yield Observations(flows.take(slice(f, f_end)), chosen, int(cuts[at]), health)
            f, s, at = f_end, s_end, at + 1
        yield Observations(flows.take(slice(f, None)), tuple(sightings[s:]), last, health)


def _cuts(truth: dict[str, Any]) -> Any:
    """Moments at which the engine is asked: coarse, but fine while an attack makes its moves."""
    first, last = truth["first_ns"], truth["last_ns"]
    moments = [np.arange(first, last, _COARSE_S * _S)]
    for scenario in truth["scenarios"]:
        for step in scenario["steps"] if scenario["is_attack"] else ():
            start = step["start_ns"] // (FINE_S * _S) * FINE_S * _S
            moments.append(np.arange(start, start + FINE_FOR_S * _S, FINE_S * _S))
    return np.unique(np.concatenate(moments))


def _pieces(
    folder: Path, tier: str, truth: dict[str, Any]
) -> Iterator[tuple[FlowBatch, list[Sighting]]]:
    """Flows file by file in time order, each with the sightings up to its end."""
    files = sorted(
        (folder / "lake").glob("day=*/flows-*.parquet"), key=lambda p: int(p.name.split("-")[1])
    )
    waiting: list[Sighting] = []
    days = iter(sorted((folder / "sightings").glob("*.parquet")))
    for n, path in enumerate(files):
        flows = seen_flows(
            from_table(pq.read_table(path, partitioning=None)), tier, truth["seed"] + n
        )
        end = int(path.name.split("-")[2])
        while not waiting or waiting[-1].time_ns <= end:
            day = next(days, None)
            if day is None:
                break
            waiting += [s for s in read_sightings(day) if sees(s, tier)]
        upto = [s for s in waiting if s.time_ns <= end]
        waiting = waiting[len(upto) :]
        yield flows, upto
    if waiting:
        yield FlowBatch.empty(), waiting
