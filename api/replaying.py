"""A replay from captures to alerts and plans, wired from settings."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from api.asset_rows import known_ports
from api.configuration import Configuration
from collector.capture.finding import find_captures
from collector.lake import Lake
from collector.observations import Observations
from detector.alerts import Alert
from detector.engine import Engine
from detector.hospital import Hospital
from detector.isolation.dependencies import LakeDependencies
from detector.isolation.planner import Planner
from detector.opening import EDGES_FILE, open_engine
from detector.store import Store
from detector.watch import Round

if TYPE_CHECKING:
    from api.outputs.telemetry import Telemetry
    from collector.capture import CaptureError
    from collector.reading_process import ReadingProcess, ReplayApart
    from collector.replay import Progress, Replay

#: Incidents for which a replay plans an isolation: these severities, the most urgent first. The
#: console plans for any incident when asked.
_PLANNED = ("critical", "high", "medium")
_MOST_PLANS = 25
_ROWS_A_FILE = 500_000
#: A lake that is not kept is written while reading is what takes time, not at the end.
_ROWS_A_FILE_FOR_NOW = 32_768


class ReplayRun:
    """One replay over a state folder.

    With `keep`, what was learned and found stays in the folder; without, only the flow lake is
    written there, because isolation plans are computed from it.
    """

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        *,
        keep: bool,
        speed: float = 0.0,
        reader: ReadingProcess | None = None,
    ) -> None:
        """With a `reader` the captures are read there, beside the detectors; it serves one run."""
        self._configuration = configuration
        self._folder = folder
        self._keep = keep
        self._speed = speed
        self._reader = reader
        self._replay: Replay | ReplayApart | None = None
        self._notes: list[str] = []
        self._engine: Engine | None = None

    def over(
        self, captures: Sequence[Path], on_progress: Callable[[Progress], None] | None = None
    ) -> list[dict[str, Any]]:
        """Replay the captures; return the alerts as JSON objects, isolation plans included."""
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        store = Store(folder / "mimawari.db").open() if self._keep else None
        hospital: Hospital = self._configuration.hospital
        if store is not None:  # what people have imported and booked since
            hospital = store.hospital(hospital)
        lake = Lake(folder / "lake", _ROWS_A_FILE if self._keep else _ROWS_A_FILE_FOR_NOW)
        collecting = self._configuration.collecting()
        if self._reader is None:
            from collector.replay import Replay

            self._replay = Replay(collecting, on_progress)
        else:
            self._replay = self._reader.replay(collecting, on_progress)
        reading: Generator[Observations, None, None] | None = None
        try:
            found: dict[str, Alert] = {}
            files = find_captures(captures)
            telemetry = self._telemetry()
            reading = self._replay.read(files)
            observed: Iterator[Observations] = self._paced(reading, telemetry)
            # Where memories are to fit the input its beginning is read before all else.
            first = next(observed, None) if self._keep else None
            self._engine = engine = open_engine(
                hospital,
                self._configuration.detectors(),
                self._configuration.detector.engine,
                folder if self._keep else None,
                _begins_ns(first) if first is not None else None,
            )
            if self._reader is not None:  # it loads what reads meanwhile
                lake.warm_up()
            observed = chain([first] if first is not None else [], observed)
            edges_file = folder / EDGES_FILE if self._keep else None
            for alerts in Round(engine, store, lake, edges_file).walk(observed):
                found.update({a.id: a for a in alerts})
            if telemetry is not None:
                self._send(telemetry, engine)
            if store is not None:
                self._keep_evidence(files, list(found.values()))
            ports = known_ports(store) if store is not None else {}
            dependencies = LakeDependencies(lake, hospital)
            planner = Planner(hospital, dependencies, ports)
            return self._with_plans(found, planner, dependencies, store)
        finally:
            if reading is not None:  # a fault above leaves no tshark behind
                reading.close()
            if store is not None:
                store.close()

    def _paced(
        self, observed: Iterator[Observations], telemetry: Telemetry | None
    ) -> Iterator[Observations]:
        """Hold observations back to `speed` times the captured time; 0 = as fast as possible."""
        began: tuple[float, int] | None = None
        for seen in observed:
            if self._speed and seen.watermark_ns:
                began = began or (time.monotonic(), seen.watermark_ns)
                due = began[0] + (seen.watermark_ns - began[1]) / 1e9 / self._speed
                time.sleep(max(0.0, due - time.monotonic()))
            if telemetry is not None:
                telemetry.take(seen)
            yield seen

    def _telemetry(self) -> Telemetry | None:
        """What reports to the telemetry database, if the settings name one."""
        settings = self._configuration.telemetry
        if settings is None:
            return None
        from api.outputs.telemetry import Telemetry

        return Telemetry(settings, self._configuration.hospital, self._folder / "telemetry")

    def _send(self, telemetry: Telemetry, engine: Engine) -> None:
        """Send what was counted; what the database does not take waits on disk."""
        counts: Counter[tuple[str, str]] = Counter(
            (a.category, a.severity) for a in engine.alerts.values()
        )
        last_ns = max((a.last_ns for a in engine.alerts.values()), default=0)
        telemetry.take_alerts(counts, last_ns)
        telemetry.finish()
        health = telemetry.send()
        if health.fault:
            self._notes.append(f"telemetry waits in {self._folder / 'telemetry'}: {health.fault}")

    def _keep_evidence(self, files: Sequence[Path], alerts: Sequence[Alert]) -> None:
        from collector.evidence import cut_evidence
        from detector.evidence import evidence_of

        cut_evidence(files, evidence_of(alerts), self._folder / "evidence")

    def _with_plans(
        self,
        found: dict[str, Alert],
        planner: Planner,
        dependencies: LakeDependencies,
        store: Store | None,
    ) -> list[dict[str, Any]]:
        if self._engine is None:
            return []
        told = {a.id: {**a.to_json(), "isolation": None} for a in found.values()}
        grave = [i for i in self._engine.incidents() if i.severity in _PLANNED]
        planned = [
            (incident, alerts)
            for incident in grave[:_MOST_PLANS]
            if (alerts := [found[i] for i in incident.alert_ids if i in found])
        ]
        dependencies.read_ahead(
            (alert.source.ip, incident.last_ns) for incident, alerts in planned for alert in alerts
        )
        for incident, alerts in planned:
            plan = planner.plan(incident, alerts)
            if store is not None and store.plan(plan.id) is None:
                store.save_plan(plan)
            steps = plan.to_json()["steps"]
            for alert in alerts:
                told[alert.id]["isolation"] = {"plan": plan.id, "steps": steps}
        return sorted(told.values(), key=lambda a: (a["first_ns"], a["id"]))

    @property
    def zone(self) -> ZoneInfo:
        """The hospital's time zone."""
        return ZoneInfo(self._configuration.hospital.timezone)

    @property
    def faults(self) -> list[CaptureError]:
        return self._replay.faults if self._replay else []

    @property
    def notes(self) -> list[str]:
        return [*self._replay.health.notes, *self._notes] if self._replay else []

    def summary(self, wall_s: float) -> dict[str, Any]:
        """The last line of a replay: what was read, found, shed and malformed."""
        if self._replay is None or self._engine is None:
            raise RuntimeError("nothing has been replayed yet")
        health = self._replay.health.to_json()
        shed = Counter(health["shed"]) + self._engine.shedding()
        return {
            "type": "summary",
            "schema": 1,
            **health,
            "alerts": len(self._engine.alerts),
            "shed": dict(shed),
            "detector_failures": dict(self._engine.failures),
            "unreadable": [str(fault) for fault in self._replay.faults],
            "wall_s": round(wall_s, 3),
        }


def _begins_ns(seen: Observations) -> int:
    """The earliest event time of a stretch."""
    times = [s.time_ns for s in seen.sightings[:1]]
    if len(seen.flows):
        times.append(int(seen.flows.reported_ns[0]))
    return min(times, default=seen.watermark_ns)
