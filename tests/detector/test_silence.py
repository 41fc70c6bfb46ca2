"""Agents that fall silent on hosts that go on are told; an outage or a PC switched off is not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detector.hospital import Hospital, Segment
from detector.impact.silence import Silence
from tests.detector.windows import World, flow

GUARD, FILES = "10.0.9.9", "10.0.8.8"
CLIENTS = [f"10.0.1.{n}" for n in range(1, 21)]


def told(silent: Iterable[str] = (), off: Iterable[str] = (), hours: int = 80) -> list[Any]:
    """What is told in so many hours, if some agents, or whole hosts, stop after the 60th."""
    world = World(Hospital(segments=(Segment(name="LAN", prefixes=("10.0.0.0/16",)),)))
    found = []
    for hour in range(hours):
        at = hour * 3600.0
        on = [c for c in CLIENTS if hour < 60 or c not in set(off)]
        flows = [flow(c, FILES, 445, at + n, app="smb") for c in on for n in range(4)]
        flows += [flow(c, GUARD, 8443, at + 9) for c in on if hour < 60 or c not in set(silent)]
        found += world.run(Silence(), world.window(flows, start_s=at, seconds=3600))
    return [(f.source, f.targets, f.facts["count"], f.facts["alive"]) for f in found]


def test_two_agents_that_stop() -> None:
    assert told(silent=CLIENTS[:2]) == [(CLIENTS[0], (GUARD,), 2, 18)]


def test_one_agent_alone_is_not_told() -> None:
    assert told(silent=CLIENTS[:1]) == []


def test_an_outage_of_the_server_is_not_silence_of_its_clients() -> None:
    assert told(silent=CLIENTS) == []


def test_hosts_that_are_switched_off_are_not_silent() -> None:
    assert told(off=CLIENTS[:5]) == []
