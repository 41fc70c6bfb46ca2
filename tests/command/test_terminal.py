"""What a person reads after a replay: the gravest first, and no more than a person reads."""

from __future__ import annotations

import pytest

from api.terminal import print_alerts, print_table
from tests.api.house import make_alert

SUMMARY = {
    "packets": 5, "flows": 4, "sightings": 3, "alerts": 130, "wall_s": 0.5,
    "shed": {}, "malformed": {}, "detector_failures": {}, "blind": {},
}  # fmt: skip


def test_many_alerts_are_the_gravest_and_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    several = [make_alert(f"a{n}", score=20.0, severity="low").to_json() for n in range(129)]
    grave = make_alert("a999", score=97.0, severity="critical").to_json()
    print_alerts([*several, grave], SUMMARY)
    told = capsys.readouterr().out
    assert told.startswith(" critical 97")
    assert told.count("Next: ") == 100
    assert "and 30 more (30 low): --json shows them all" in told
    assert "130 alerts in 0.5 s" in told


def test_few_alerts_are_all_there(capsys: pytest.CaptureFixture[str]) -> None:
    print_alerts([make_alert("a1").to_json()], SUMMARY)
    told = capsys.readouterr().out
    assert told.count("次に：") == 1
    assert "more" not in told


def test_what_machines_call_themselves_is_no_markup_and_steers_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = "[/bold]\x1b[2J[link=x]"
    print_table([{"name": hostile}], ("name",), "")
    print_alerts([make_alert("a1").to_json() | {"title": {"ja": hostile, "en": hostile}}],
                 SUMMARY | {"shed": {hostile: 1}})  # fmt: skip
    told = capsys.readouterr().out
    assert told.count("[/bold]\\x1b[2J[link=x]") == 4
    assert "\x1b" not in told
