"""Replays a run's lanes through Mimawari and holds the alerts against the truth."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api.configuration import Configuration, read_configuration
from api.replaying import ReplayRun
from detector.hospital import RegisteredLine
from sample_pcaps.lab.lanes import LANES

SETTINGS = Path(__file__).resolve().parents[1] / "mimawari.toml"
_LOUD = ("critical", "high", "medium")
_NO_ALARM = ("policy", "asset", "health")


@dataclass(frozen=True)
class Verdict:
    """What became of one truth (or of a benign run) on one lane.

    `word`: found; noticed (an alert of at least medium names the source, for another reason);
    misnamed (right technique, other parties); missed; blind (the lane cannot see it); quiet; loud.
    `by`: the alerts behind it, shortest form.
    """

    story: str
    lane: str
    what: str
    word: str
    by: tuple[str, ...] = ()
    after_s: float | None = None  # of event time, from the truth's start to the alert's evidence

    @property
    def is_fault(self) -> bool:
        return self.word in ("misnamed", "missed", "loud")


def check(folder: Path, lanes: tuple[str, ...] = LANES, *, has_plan: bool = True) -> list[Verdict]:
    """Judge one story's folder. `has_plan`: with the hospital's plan, ledger and register."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    configuration = _configuration(truth, has_plan=has_plan)
    verdicts: list[Verdict] = []
    for lane in lanes:
        alerts = alerts_of(folder / f"{lane}.pcap", configuration)
        verdicts += _judged(truth, lane, alerts)
    return verdicts


def keep(verdicts: list[Verdict], folder: Path) -> None:
    """Write the verdicts beside the run's truth, for the report."""
    text = json.dumps([asdict(v) for v in verdicts], ensure_ascii=False, indent=1) + "\n"
    (folder / "verdicts.json").write_text(text, encoding="utf-8")


def kept(folder: Path) -> list[Verdict]:
    told = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    return [Verdict(**{**row, "by": tuple(row["by"])}) for row in told]


def alerts_of(capture: Path, configuration: Configuration) -> list[dict[str, Any]]:
    """Replay one capture on an empty memory."""
    with tempfile.TemporaryDirectory(prefix="mimawari-lab-") as state:
        return ReplayRun(configuration, Path(state), keep=False).over([capture])


def _configuration(truth: Mapping[str, Any], *, has_plan: bool) -> Configuration:
    if not has_plan:
        return Configuration.model_validate({})
    sample = read_configuration(SETTINGS)
    lines = tuple(RegisteredLine.model_validate(row) for row in truth["lines"])
    replaced = {line.id for line in lines}
    others = tuple(line for line in sample.hospital.lines if line.id not in replaced)
    hospital = sample.hospital.model_copy(update={"lines": (*others, *lines)})
    return sample.model_copy(update={"hospital": hospital})


def _judged(truth: Mapping[str, Any], lane: str, alerts: list[dict[str, Any]]) -> list[Verdict]:
    story = truth["story"]
    told = [a for a in alerts if a["severity"] != "info"]
    if truth["benign"]:
        loud = [a for a in told if a["severity"] in _LOUD and a["category"] not in _NO_ALARM]
        word = "loud" if loud else "quiet"
        return [Verdict(story, lane, truth["title"], word, tuple(map(short, loud)))]
    return [_on_event(story, lane, event, told) for event in truth["events"]]


def _on_event(
    story: str, lane: str, event: Mapping[str, Any], told: list[dict[str, Any]]
) -> Verdict:
    wanted = event["truth"]
    what = wanted["what"]
    named = [a for a in told if _has_technique(a, wanted["techniques"])]
    right = [a for a in named if _fits(a, wanted)]
    if right:
        first = min(a["first_ns"] for a in right)
        after_s = round((first - event["first_ns"]) / 1e9, 1)
        return Verdict(story, lane, what, "found", tuple(map(short, right)), after_s)
    other = [a for a in told if a["severity"] in _LOUD and _fits(a, {**wanted, "targets": []})]
    if other:
        return Verdict(story, lane, what, "noticed", tuple(map(short, other)))
    if lane not in wanted["lanes"]:
        return Verdict(story, lane, what, "blind")
    if named:
        return Verdict(story, lane, what, "misnamed", tuple(map(short, named)))
    return Verdict(story, lane, what, "missed", tuple(map(short, told)))


def _has_technique(alert: Mapping[str, Any], wanted: list[str]) -> bool:
    return any(
        told == asked or told == asked.split(".")[0] or told.split(".")[0] == asked
        for told in alert["techniques"]
        for asked in wanted
    )


def _fits(alert: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    source = alert["source"]
    reached = {t["ip"] for t in alert["targets"]}
    names = {source["ip"], source["mac"]} & {wanted["source"], *wanted["also"]}
    return bool(names) and (not wanted["targets"] or set(wanted["targets"]) <= reached)


def short(alert: Mapping[str, Any]) -> str:
    """Detector, variant, severity and parties of an alert on one line."""
    targets = ",".join(t["ip"] or t["name"] for t in alert["targets"][:3])
    source = alert["source"]["ip"] or alert["source"]["mac"]
    variant = f"/{alert['variant']}" if alert["variant"] else ""
    return f"{alert['detector']}{variant} {alert['severity']} {source} -> {targets}"
