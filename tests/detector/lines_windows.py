"""Hand-made windows for the tests of the detectors of lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from collector.apps import APP_CODE
from collector.flows import FLOW_DTYPE, STATE_CODE, FlowBatch, address_number
from collector.sightings import Sighting
from detector.detection import Detector, Finding, Window
from detector.edges import EdgeMemory
from detector.hospital import Hospital
from detector.hosts import HostTable

S = 1_000_000_000
START = 1_750_000_000 * S  # a Sunday in UTC, 2025-06-15 15:06:40


def mac_number(text: str) -> int:
    return int(text.replace(":", ""), 16) if text else 0


def flow(source: str, destination: str, port: int = 443, **columns: Any) -> Any:
    """One row of FLOW_DTYPE: an answered TCP connection unless told otherwise."""
    row = np.zeros(1, FLOW_DTYPE)[0]
    at = columns.pop("at_s", 0.0)
    lasted = columns.pop("lasts_s", 1.0)
    row["first_ns"] = START + int(at * S)
    row["last_ns"] = row["reported_ns"] = START + int((at + lasted) * S)
    row["source"], row["destination"] = address_number(source), address_number(destination)
    row["family"] = 6 if ":" in source else 4
    row["protocol"], row["source_port"], row["destination_port"] = 6, 50000, port
    row["packets"], row["bytes"], row["reply_packets"], row["reply_bytes"] = 10, 1000, 10, 1000
    row["ttl_min"] = row["ttl_max"] = 64
    row["state"] = STATE_CODE["SF"]
    row["sampling"] = 1
    for name in ("source_mac", "destination_mac"):
        row[name] = mac_number(columns.pop(name, ""))
    row["app"] = APP_CODE[columns.pop("app", "unknown")]
    row["app_confidence"] = columns.pop("app_confidence", 95)
    for name, value in columns.items():
        row[name] = value
    return row


def window(
    flows: Sequence[Any] = (),
    sightings: Iterable[Sighting] = (),
    hospital: Hospital | None = None,
    hosts: HostTable | None = None,
    start_s: float = 0,
    length_s: float = 30,
) -> Window:
    """A window over these flows and sightings."""
    hospital = hospital or Hospital()
    hosts = HostTable(hospital) if hosts is None else hosts  # an empty table is false
    batch = FlowBatch(np.array(list(flows), FLOW_DTYPE))
    by_kind: dict[type[Sighting], list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        by_kind[type(sighting)].append(sighting)
    return Window(
        start_ns=START + int(start_s * S),
        end_ns=START + int((start_s + length_s) * S),
        flows=batch,
        source=hosts.number(batch.source),
        destination=hosts.number(batch.destination),
        sightings={k: tuple(sorted(v, key=lambda s: s.time_ns)) for k, v in by_kind.items()},
        hosts=hosts,
        edges=EdgeMemory(),
        hospital=hospital,
    )


def findings(
    detector: Detector,
    flows: Sequence[Any] = (),
    sightings: Iterable[Sighting] = (),
    hospital: Hospital | None = None,
) -> list[Finding]:
    """What one detector finds in one window, with its words proved to fill."""
    found = list(detector.find(window(flows, sightings, hospital), detector.remember()))
    for finding in found:
        fill(detector, finding)
    return found


def fill(detector: Detector, finding: Finding) -> str:
    """Fill all sentences of a finding's wording, as the engine will; the Japanese title."""
    wording = detector.wordings[finding.variant]
    for text in (wording.why, wording.next_step, wording.title):
        shown = text.fill(finding.facts)
    return shown.ja
