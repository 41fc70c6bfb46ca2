"""Alerts over a folder of labelled captures: what is found, and how quiet the rest is.

    python -m bench.truth_alerts FOLDER [--only SUBSTRING] [--verbose]

FOLDER holds LABELS.tsv (name, category, label, ATT&CK ids) and the captures it names. A capture
of an attack is found when an alert of at least low severity carries one of its techniques, near
when only the part before the dot agrees. A benign one is quiet when nothing of at least medium
severity is raised outside the categories policy and asset.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from pathlib import Path

from api.configuration import Configuration
from collector.replay import Replay
from detector.alerts import Alert
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hosts import HostTable

QUIET = {"benign", "protocol", "medical", "ot-ics", "robustness", "flow-export"}
SUFFIXES = (".pcap", ".pcapng", ".cap", ".log", ".log.gz", ".labeled", ".binetflow")


def alerts_of(path: Path, configuration: Configuration) -> tuple[list[Alert], Engine, Replay]:
    """Replay one capture on an empty memory."""
    hosts = HostTable(configuration.hospital)
    engine = Engine(
        configuration.hospital,
        configuration.detectors(),
        configuration.detector.engine,
        hosts,
        EdgeMemory(),
    )
    reading = Replay(configuration.collector)
    for seen in reading.read([path]):
        engine.feed(seen)
    engine.finish()
    return list(engine.alerts.values()), engine, reading


def shown(alert: Alert) -> str:
    targets = ",".join(t.ip or t.name for t in alert.targets[:3])
    return (
        f"{alert.severity:8} {alert.score:5.1f} {alert.category:20} {','.join(alert.techniques):28}"
        f" {alert.detector}/{alert.variant} {alert.source.ip or alert.source.mac} -> {targets}"
    )


def judge(category: str, techniques: str, found: list[Alert]) -> str:
    """One word for what became of a capture."""
    loud = [a for a in found if a.severity in ("critical", "high", "medium")]
    wanted = {t for t in techniques.split(";") if t.startswith("T")}
    got = {t for a in found if a.severity != "info" for t in a.techniques}
    if category in QUIET:
        return "LOUD" if [a for a in loud if a.category not in ("policy", "asset")] else "quiet"
    if not wanted:
        return "named" if got else "silent"
    if wanted & got:
        return "found"
    if {t[:5] for t in wanted} & {t[:5] for t in got}:
        return "near"
    return "other" if got else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    configuration = Configuration.model_validate({})
    tally: Counter[str] = Counter()
    with (asked.folder / "LABELS.tsv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    for name, category, label, techniques, *_ in rows:
        path = asked.folder / name
        if asked.only not in name or not name.endswith(SUFFIXES) or not path.exists():
            continue
        began = time.perf_counter()
        found, engine, reading = alerts_of(path, configuration)
        took = time.perf_counter() - began
        verdict = judge(category, techniques, found)
        tally[f"{category}: {verdict}"] += 1
        is_fine = verdict in ("quiet", "found", "named")
        if not is_fine or asked.verbose or engine.failures or took > 10:
            print(f"{verdict:6} {took:5.1f}s {name}  [{techniques}] {label[:90]}", flush=True)
            for alert in sorted(found, key=lambda a: -a.score)[:8]:
                print("         ", shown(alert))
            for failure in engine.failures:
                print("          FAILED", failure)
            for fault in reading.faults:
                print("          UNREADABLE", fault)
    for line, count in sorted(tally.items()):
        print(f"{count:5} {line}")


if __name__ == "__main__":
    main()
