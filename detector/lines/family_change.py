"""EX-1, family 7: a host's clock or system jumps though nothing inside can have moved it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from collector.sightings import MonitorEvent, Ntlm
from detector.detection import Window
from detector.lines.clues import Clue
from detector.lines.family_leak import LOOK
from detector.lines.signatures import is_in_closed_segment
from detector.sift import sift
from detector.sift_kernels import UPDATED
from detector.words import Text

MAX_HOSTS: Final = 20_000
_WEEK_NS: Final = 7 * 86_400_000_000_000


@dataclass
class Builds:
    """Each server's system build as NTLM tells it, and who lately asked an update server."""

    build: dict[str, str] = field(default_factory=dict)
    updated_ns: dict[int, int] = field(default_factory=dict)  # host number → last call on WSUS


def find_changes(window: Window, builds: Builds) -> Iterator[Clue]:
    """A newer build in a closed segment without a call on the hospital's update server."""
    flows = window.flows
    for row in window.once(sift).rows(UPDATED)[:500].tolist():
        builds.updated_ns[int(window.source[row])] = int(flows.last_ns[row])
        if len(builds.updated_ns) > MAX_HOSTS:
            builds.updated_ns.pop(next(iter(builds.updated_ns)))
    for login in window.of(Ntlm):
        if login.message == "challenge" and login.build:
            yield from _build(login, window, builds)
    for event in window.of(MonitorEvent):
        if event.event == "clock_step" and event.ip:
            yield _step(event)


def _build(login: Ntlm, window: Window, builds: Builds) -> Iterator[Clue]:
    known = builds.build.get(login.ip)
    builds.build[login.ip] = login.build
    if len(builds.build) > MAX_HOSTS:
        builds.build.pop(next(iter(builds.build)))
    if known is None or _parts(login.build) <= _parts(known):
        return
    asked_ns = builds.updated_ns.get(window.hosts.number_of(login.ip), -_WEEK_NS * 10)
    if login.time_ns - asked_ns < _WEEK_NS or not _is_closed(login, window):
        return
    yield Clue(
        host=login.ip,
        family="clock",
        signal="system build jumped",
        weight=1,
        time_ns=login.time_ns,
        what=Text(
            ja=f"院内の更新サーバを使わずに OS のビルドが {known} から {login.build} に上がった",
            en=f"its system went from build {known} to {login.build} without the update server",
        ),
        confirm=LOOK,
        shared=f"build {login.build}",
        fields={"before": known, "now": login.build},
    )


def _step(event: MonitorEvent) -> Clue:
    return Clue(
        host=event.ip,
        mac=event.mac,
        family="clock",
        signal="clock set from elsewhere",
        weight=1,
        time_ns=event.time_ns,
        what=Text(
            ja="院内の時刻サーバを使わずに時計が合った",
            en="its clock was set without the time server inside",
        ),
        confirm=LOOK,
        fields={"monitor": event.monitor, "detail": event.detail},
    )


def _is_closed(login: Ntlm, window: Window) -> bool:
    return is_in_closed_segment(window, login.ip, login.vlan)


def _parts(build: str) -> tuple[int, ...]:
    return tuple(int(p) for p in build.split(".") if p.isdigit())
