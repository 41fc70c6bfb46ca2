"""Hand-made windows: flows from small tables, sightings from lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, STATE_CODE, FlowBatch, address_number
from collector.sightings import Sighting
from detector.detection import Detector, Finding, Window
from detector.edges import DAY_NS, EdgeMemory
from detector.hospital import Hospital
from detector.hosts import HostTable

#: Monday 2024-01-08 00:00:00 UTC.
START_NS = 1_704_672_000_000_000_000
S = 1_000_000_000

_BY_STATE: Mapping[str, Mapping[str, int]] = {
    "S0": {"flags": 2, "packets": 1, "bytes": 60},
    "REJ": {"flags": 2, "reply_flags": 20, "packets": 1, "bytes": 60, "reply_packets": 1,
            "reply_bytes": 40},
    "SF": {"flags": 27, "reply_flags": 27, "packets": 10, "bytes": 1500, "reply_packets": 9,
           "reply_bytes": 4000},
    "S1": {"flags": 26, "reply_flags": 26, "packets": 10, "bytes": 1500, "reply_packets": 9,
           "reply_bytes": 4000},
    "RSTO": {"flags": 6, "reply_flags": 18, "packets": 2, "bytes": 100, "reply_packets": 1,
             "reply_bytes": 44},
}  # fmt: skip


def flow(
    source: str, destination: str, port: int, at: float = 0.0, state: str = "SF", **columns: Any
) -> np.ndarray[Any, Any]:
    """One flow `at` seconds after START_NS; further columns by name, `app` by token."""
    row = np.zeros(1, FLOW_DTYPE)
    row["source"], row["destination"] = address_number(source), address_number(destination)
    row["family"], row["protocol"], row["sampling"] = 4, 6, 1
    row["source_port"], row["destination_port"] = 50000, port
    row["first_ns"] = START_NS + int(at * S)
    row["last_ns"] = row["reported_ns"] = row["first_ns"] + int(columns.pop("seconds", 0.5) * S)
    row["state"] = STATE_CODE[state]
    for name, value in _BY_STATE.get(state, {}).items():
        row[name] = value
    row["app"] = APP_CODE[columns.pop("app", "unknown")]
    for name, value in columns.items():
        row[name] = value
    return row


class World:
    """A run in miniature: hosts, edges and the detectors' memories live across windows."""

    def __init__(self, hospital: Hospital | None = None) -> None:
        self.hospital = hospital or Hospital()
        self.hosts = HostTable(self.hospital)
        self.edges = EdgeMemory()
        self._memories: dict[str, Any] = {}

    def window(
        self,
        flows: Iterable[np.ndarray[Any, Any]] = (),
        sightings: Iterable[Sighting] = (),
        start_s: float = 0.0,
        seconds: float = 30.0,
    ) -> Window:
        rows = [*flows]
        joined = np.concatenate(rows) if rows else np.zeros(0, FLOW_DTYPE)
        batch = FlowBatch(joined)
        by_kind: dict[type[Sighting], list[Sighting]] = {}
        for sighting in sightings:
            by_kind.setdefault(type(sighting), []).append(sighting)
        start = START_NS + int(start_s * S)
        return Window(
            start_ns=start,
            end_ns=start + int(seconds * S),
            flows=batch,
            source=self.hosts.number(batch.source),
            destination=self.hosts.number(batch.destination),
            sightings={k: tuple(v) for k, v in by_kind.items()},
            hosts=self.hosts,
            edges=self.edges,
            hospital=self.hospital,
        )

    def run(self, detector: Detector, window: Window) -> list[Finding]:
        """What the detector finds; every wording it needs is filled, so that none is broken."""
        if detector.id not in self._memories:
            self._memories[detector.id] = detector.remember()
        found = list(detector.find(window, self._memories[detector.id]))
        for finding in found:
            words = detector.wordings[finding.variant]
            for text in (words.title, words.why, words.next_step):
                text.fill({**finding.facts, "source": finding.source, **_target_of(finding)})
        return found

    def age(self, days: int, *flows: np.ndarray[Any, Any]) -> None:
        """Let the edge memory see these flows once a day for some days before START_NS."""
        for day in range(days, 0, -1):
            rows = [f.copy() for f in flows]
            for row in rows:
                for column in ("first_ns", "last_ns", "reported_ns"):
                    row[column] -= day * DAY_NS
            self.edges.observe(self.window(rows, start_s=-day * 86400))


def _target_of(finding: Finding) -> dict[str, Any]:
    """What an alert adds to a finding's facts."""
    return {"target": (*finding.targets, "")[0], "target_count": len(finding.targets)}
