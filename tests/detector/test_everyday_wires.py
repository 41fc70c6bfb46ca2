"""Packets of a hospital's working day: quiet on an empty memory, or asked about and then quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.configuration import Configuration
from collector.replay import Replay
from detector.alerts import Alert
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hosts import HostTable
from detector.incidents import Incident
from sample_pcaps.wire import SECOND, Span
from tests.detector.everyday_wires import (
    ASKED_ONCE,
    QUIET_AT_ONCE,
    TWINS,
    Scene,
    browsing_shares,
    polling_by_wmi,
    servers_polled_by_winrm,
    software_pushed,
)

#: Monday 2026-10-05 08:30 in Japan.
MORNING_NS = 1_791_156_600 * SECOND
DAY_NS = 86_400 * SECOND
LOUD = ("medium", "high", "critical")


def told(scene: Scene, folder: Path, days: int = 1) -> tuple[list[Alert], list[Incident]]:
    """All alerts and incidents of a scene that is played day after day on an empty memory."""
    span = Span(scene.__name__)
    for number in range(days):
        scene(span, MORNING_NS + number * DAY_NS)
    capture = folder / "scene.pcap"
    capture.write_bytes(span.pcap())
    configuration = Configuration.model_validate({})
    hosts = HostTable(configuration.hospital)
    engine = Engine(
        configuration.hospital,
        configuration.detectors(),
        configuration.detector.engine,
        hosts,
        EdgeMemory(),
    )
    for seen in Replay(configuration.collector).read([capture]):
        engine.feed(seen)
    engine.finish()
    assert not engine.failures
    return list(engine.alerts.values()), engine.incidents()


def named(scene: Scene) -> str:
    return scene.__name__


def words(alerts: list[Alert]) -> list[tuple[str, str, str, str]]:
    return [(a.severity, a.detector, a.variant, a.title.en) for a in alerts if a.severity in LOUD]


@pytest.mark.parametrize("scene", QUIET_AT_ONCE, ids=named)
def test_quiet_though_nothing_was_learnt(scene: Scene, tmp_path: Path) -> None:
    assert words(told(scene, tmp_path)[0]) == []


@pytest.mark.parametrize("scene", ASKED_ONCE, ids=named)
def test_asked_about_for_three_days_and_then_low(scene: Scene, tmp_path: Path) -> None:
    alerts, incidents = told(scene, tmp_path, days=10)
    since = MORNING_NS + 4 * DAY_NS
    assert words([a for a in alerts if a.last_ns >= since]) == []
    assert [i.push for i in incidents if i.last_ns >= since] in ([], ["digest"])


@pytest.mark.parametrize(
    ("scene", "expected"), TWINS, ids=lambda part: getattr(part, "__name__", "")
)
def test_the_same_bytes_in_an_intruders_hands_are_told(
    scene: Scene, expected: str, tmp_path: Path
) -> None:
    alerts, _ = told(scene, tmp_path)
    at_last = max(a.last_ns for a in alerts) - 600 * SECOND
    loud = [a for a in alerts if a.severity in LOUD and a.last_ns >= at_last]
    assert expected in {f"{a.detector}/{a.variant}" for a in loud}


def test_who_looks_into_everybodys_file_server_is_not_told_after_the_fifth(tmp_path: Path) -> None:
    alerts, _ = told(browsing_shares, tmp_path)
    assert len([a for a in alerts if a.variant == "enumeration"]) == 4


def test_what_is_not_seen_is_said_in_words(tmp_path: Path) -> None:
    alerts, _ = told(servers_polled_by_winrm, tmp_path)
    shell = next(a for a in alerts if a.detector == "remote_shell")
    assert "（アカウント：見えていません）" in shell.next_step.ja
    assert "(account: not seen)" in shell.next_step.en
    asked, _ = told(polling_by_wmi, tmp_path)
    assert not [a for a in asked if ":-1" in a.title.en]
    browsed, _ = told(browsing_shares, tmp_path)
    assert "共有、SID の名前" in browsed[0].title.ja
    assert "shares, names of SIDs" in browsed[0].title.en


def test_a_round_says_how_many_and_that_it_goes_on(tmp_path: Path) -> None:
    alerts, _ = told(software_pushed, tmp_path, days=5)
    service = [a for a in alerts if a.variant == "service"]
    first, latest = service[0], max(service, key=lambda a: a.last_ns)
    assert "ほか" not in first.title.ja and "3 日以上続いている" not in first.why.ja
    assert "ほか" in latest.title.ja and " more" in latest.title.en
    assert "3 日以上続いている" in latest.why.ja and "for three days" in latest.why.en
    assert {a.app for a in service} == {"smb"}  # a pipe of SMB carried the calls
