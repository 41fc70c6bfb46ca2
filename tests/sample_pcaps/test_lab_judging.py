"""The lab's judge: what counts as found, and what a lane cannot be asked for."""

from typing import Any

import pytest

from sample_pcaps.lab import needs
from sample_pcaps.lab.check import _judged
from sample_pcaps.lab.stories import STORIES
from sample_pcaps.lab.story import Story

TRUTH = {
    "what": "DCSync",
    "techniques": ["T1003.006"],
    "source": "10.0.0.5",
    "targets": ["10.0.0.1"],
    "lanes": ["span"],
    "also": ["02:00:00:00:00:05"],
}


def alert(**changed: Any) -> dict[str, Any]:
    source, target = {"ip": "10.0.0.5", "mac": "", "name": ""}, {"ip": "10.0.0.1", "name": ""}
    told = {"detector": "d", "variant": "", "severity": "high", "category": "lateral_movement",
            "techniques": ["T1003.006"], "source": source, "targets": [target],
            "first_ns": 3_000_000_000}  # fmt: skip
    return {**told, **changed}


def word(alerts: list[dict[str, Any]], lane: str = "span", *, benign: bool = False) -> str:
    events = [] if benign else [{"truth": TRUTH, "first_ns": 1_000_000_000, "last_ns": 2}]
    told = {"story": "s", "title": "t", "benign": benign, "events": events}
    (verdict,) = _judged(told, lane, alerts)
    return verdict.word


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        ([alert()], "found"),
        ([alert(techniques=["T1003"])], "found"),
        ([alert(techniques=["T1003.001"])], "noticed"),
        ([alert(severity="info")], "missed"),
        ([alert(source={"ip": "", "mac": "02:00:00:00:00:05", "name": ""})], "found"),
        ([alert(source={"ip": "10.0.0.9", "mac": "", "name": ""})], "misnamed"),
        ([alert(targets=[{"ip": "10.0.0.2", "name": ""}], severity="low")], "misnamed"),
        ([alert(techniques=["T1046"], severity="low")], "missed"),
        ([], "missed"),
    ],
)
def test_found_needs_technique_source_and_targets(
    alerts: list[dict[str, Any]], expected: str
) -> None:
    assert word(alerts) == expected


def test_a_lane_without_packets_of_it_is_not_asked() -> None:
    assert word([], "netflow") == "blind"
    assert word([alert()], "netflow") == "found"


def test_a_benign_story_is_loud_from_medium_on() -> None:
    assert word([alert(severity="low")], benign=True) == "quiet"
    assert word([alert(category="policy")], benign=True) == "quiet"
    assert word([alert(severity="medium")], benign=True) == "loud"


def test_every_story_has_a_name_of_its_own() -> None:
    names = [story.name for story in STORIES]
    assert len(set(names)) == len(names)
    assert all(story.title and ":" in need for story in STORIES for need in story.needs)


def test_what_is_missing_is_said_with_its_package() -> None:
    story = Story("s", "t", lambda stage: None, needs=("no-such-program:its-package",))
    causes = [cause for cause in needs.missing(story) if "no-such-program" in cause]
    assert causes and "apt-get install its-package" in causes[0]
    assert "its-package" in needs.packages([story])
