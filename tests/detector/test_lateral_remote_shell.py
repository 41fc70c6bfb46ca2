"""Remote shells by WinRM, from hand-made requests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.apps import APP_CODE
from collector.sightings import Http, Ntlm
from detector.hospital import Asset, Hospital
from detector.lateral.remote_shell import RemoteShell
from tests.detector.windows import START_NS, S, World, flow

CLIENT, SERVER = "10.0.1.7", "10.0.2.9"
WINDOWS = "Microsoft WinRM Client"


def asked(wsman: str, count: int = 1, path: str = "/wsman", **fields: str) -> list[Http]:
    told = {"user_agent": WINDOWS, "ip": CLIENT, "peer_ip": SERVER, **fields}
    return [
        Http(
            time_ns=START_NS + n * S,
            port=50000,
            peer_port=5985,
            method="POST",
            path=path,
            wsman=wsman,
            **told,
        )
        for n in range(count)
    ]


def found(sightings: list[Http], world: World | None = None) -> dict[str, float]:
    world = world or World()
    return {f.variant: f.score for f in world.run(RemoteShell(), world.window([], sightings))}


@pytest.mark.parametrize(
    ("wsman", "technique"),
    [("shell", "T1059.001"), ("command", "T1059.001"), ("process", "T1047"), ("wmi", "T1047")],
)
def test_an_open_request_tells_by_itself(wsman: str, technique: str) -> None:
    world = World()
    (finding,) = world.run(RemoteShell(), world.window([], asked(wsman)))
    assert (finding.variant, finding.score) == ("open", 70)
    assert finding.techniques == ("T1021.006", technique)
    assert (finding.source, finding.targets) == (CLIENT, (SERVER,))
    assert finding.flows[0].destination_port == 5985


def test_sealed_requests_are_a_shell_when_they_are_several() -> None:
    assert found(asked("sealed", 3)) == {"sealed": 60}
    assert found(asked("sealed", 2)) == {}


def test_requests_of_which_a_log_says_no_more_must_be_more() -> None:
    assert found(asked("", 6)) == {"sealed": 60}
    assert found(asked("", 5)) == {}


def test_logons_and_questions_for_the_version_are_no_shell() -> None:
    assert found(asked("logon", 20) + asked("identify", 20)) == {}


def test_collected_events_are_no_shell() -> None:
    assert found(asked("", 20, path="/wsman/SubscriptionManager/WEC")) == {}


def test_another_program_than_windows_own_counts_more() -> None:
    assert found(asked("sealed", 3, user_agent="Ruby WinRM Client (2.8.3)")) == {"sealed": 70}


def test_who_logged_on_is_named() -> None:
    world = World()
    logon = Ntlm(time_ns=START_NS, message="authenticate", user="yamada", ip=CLIENT, peer_ip=SERVER)
    (finding,) = world.run(RemoteShell(), world.window([], [*asked("sealed", 3), logon]))
    assert finding.facts["user"] == "yamada"


def test_what_is_known_or_approved_counts_less() -> None:
    world = World()
    world.age(4, flow(CLIENT, SERVER, 5985, app="winrm"))
    assert found(asked("sealed", 3), world) == {"sealed": 30}
    world.edges.approve(CLIENT, SERVER, APP_CODE["winrm"])
    assert found(asked("sealed", 3), world) == {"sealed": 18}
    admins = Hospital(assets=(Asset(ip=CLIENT, role="admin"),))
    assert found(asked("sealed", 3), World(admins)) == {"sealed": 42}


def test_a_round_is_one_alert() -> None:
    world = World()
    requests = [r for n in range(5) for r in asked("sealed", 3, peer_ip=f"10.0.3.{n}")]
    told = world.run(RemoteShell(), world.window([], requests))
    assert [f.key for f in told] == ["10.0.3.0", "10.0.3.1", "10.0.3.2", CLIENT, CLIENT]
    assert len(told[-1].targets) == 5


def test_a_session_of_yesterday_is_not_counted_on() -> None:
    world = World()
    assert found(asked("sealed", 2), world) == {}
    later = [replace(r, time_ns=r.time_ns + 3600 * S) for r in asked("sealed", 2)]
    window = world.window([], later, start_s=3600)
    assert world.run(RemoteShell(), window) == []
