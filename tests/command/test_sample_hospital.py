"""The sample hospital from end to end: every story is told, every quiet day stays quiet."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from api.configuration import read_configuration
from api.replaying import ReplayRun
from collector.capture import open_capture

SAMPLES = Path(__file__).resolve().parents[2] / "sample_pcaps"
STORIES = sorted(p.name.removesuffix(".pcap") for p in SAMPLES.glob("*.pcap"))
GRADES = ("info", "low", "medium", "high", "critical")


@cache
def span_of(story: str) -> tuple[int, int]:
    """First and last packet time of a capture."""
    with open_capture(SAMPLES / f"{story}.pcap") as capture:
        times = [chunk.index["time_ns"] for chunk in capture if len(chunk)]
    return int(times[0][0]), int(times[-1][-1])


@pytest.fixture(scope="module")
def alerts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All captures in a row, on one memory, as `mimawari demo` replays them."""
    folder = tmp_path_factory.mktemp("state")
    run = ReplayRun(read_configuration(SAMPLES / "mimawari.toml"), folder, keep=True)
    found = run.over([SAMPLES])
    assert run.summary(1)["detector_failures"] == {}
    return found


def within(alerts: list[dict[str, Any]], story: str) -> list[dict[str, Any]]:
    first, last = span_of(story)
    return [a for a in alerts if first - 60_000_000_000 <= a["first_ns"] <= last]


@pytest.mark.parametrize("story", STORIES)
def test_what_was_expected_is_told(story: str, alerts: list[dict[str, Any]]) -> None:
    expected = json.loads((SAMPLES / f"{story}.expected.json").read_text(encoding="utf-8"))
    told = within(alerts, story)
    for wanted in expected:
        assert any(fits(alert, wanted) for alert in told), (wanted, [short(a) for a in told])


@pytest.mark.parametrize("story", STORIES)
def test_quiet_captures_stay_quiet(story: str, alerts: list[dict[str, Any]]) -> None:
    expected = json.loads((SAMPLES / f"{story}.expected.json").read_text(encoding="utf-8"))
    if expected:
        pytest.skip("this capture tells a story")
    assert [short(a) for a in within(alerts, story) if a["severity"] != "info"] == []


def test_each_alert_has_words_evidence_and_a_plan(alerts: list[dict[str, Any]]) -> None:
    for alert in alerts:
        assert all(
            alert[part][lang] for part in ("title", "why", "next_step") for lang in ("ja", "en")
        )
        if alert["severity"] in ("critical", "high", "medium"):
            assert alert["isolation"]["steps"]


def test_replaying_again_gives_the_same_alerts(
    alerts: list[dict[str, Any]], tmp_path: Path
) -> None:
    run = ReplayRun(read_configuration(SAMPLES / "mimawari.toml"), tmp_path, keep=False)
    assert {a["id"] for a in run.over([SAMPLES])} == {a["id"] for a in alerts}


def fits(alert: dict[str, Any], wanted: dict[str, Any]) -> bool:
    named = {t["ip"] for t in alert["targets"]}
    broader = wanted["technique"].split(".")[0]
    return (
        alert["category"] == wanted["category"]
        and bool({wanted["technique"], broader} & set(alert["techniques"]))
        and alert["source"]["ip"] == wanted["source"]
        and set(wanted["targets"]) <= named
        and GRADES.index(alert["severity"]) >= GRADES.index(wanted["severity"])
    )


def short(alert: dict[str, Any]) -> str:
    targets = ",".join(t["ip"] for t in alert["targets"][:4])
    return (
        f"{alert['severity']} {alert['score']} {alert['detector']}/{alert['variant']}"
        f" {alert['category']} {alert['techniques']} {alert['source']['ip']} -> {targets}"
    )
