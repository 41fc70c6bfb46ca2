"""EX-1, family 7: a clock that drifted for hours is suddenly right, and nobody inside set it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from collector.sightings import Clock
from detector.detection import Window
from detector.lines.clues import Clue
from detector.lines.family_leak import LOOK
from detector.lines.signatures import is_in_closed_segment
from detector.lines.surroundings import Surroundings
from detector.sift import sift
from detector.sift_kernels import TIMED
from detector.words import Text

MAX_HOSTS: Final = 20_000
HOUR_NS: Final = 3_600_000_000_000
#: Kerberos tells whole seconds, and an answer takes its way: nearer than this is right.
RIGHT_NS: Final = 1_500_000_000
WRONG_NS: Final = 5_000_000_000
#: A clock left to itself stays within 100 ppm; more is somebody who sets it.
_DRIFT: Final = 1e-4
MIN_TIMES: Final = 3
_YEAR_NS: Final = 366 * 86_400_000_000_000


@dataclass
class Wrong:
    """A clock that is off by itself: since when, how often seen so, and by how much last."""

    since_ns: int
    last_ns: int
    off_ns: int
    times: int = 1


@dataclass
class Clocks:
    """Hosts whose clock is off, and who lately asked an inside server for the time."""

    wrong: dict[str, Wrong] = field(default_factory=dict)
    timed_ns: dict[int, int] = field(default_factory=dict)  # host number → last answer


def find_clock_steps(window: Window, around: Surroundings, clocks: Clocks) -> Iterator[Clue]:
    """A clock off by 5 s or more for an hour that comes within 1.5 s of ours.

    If it is the sensor's own clock that was set, all hosts step together, and `shared` tells.
    """
    _note_time_servers(window, clocks)
    for seen in window.of(Clock):
        off_ns = seen.clock_ns - seen.time_ns
        before = clocks.wrong.get(seen.ip)
        if abs(off_ns) >= WRONG_NS and abs(off_ns) < 50 * _YEAR_NS:
            _note_wrong(clocks, seen, off_ns, before)
        elif abs(off_ns) < RIGHT_NS and before is not None:
            del clocks.wrong[seen.ip]
            if _is_step(before, seen, window, clocks):
                yield _clue(seen, before)


def _note_time_servers(window: Window, clocks: Clocks) -> None:
    flows = window.flows
    rows = window.once(sift).rows(TIMED)[:2_000]
    ends = zip(window.source[rows].tolist(), flows.last_ns[rows].tolist(), strict=True)
    for number, last_ns in ends:
        clocks.timed_ns.pop(number, None)
        clocks.timed_ns[number] = last_ns
        if len(clocks.timed_ns) > MAX_HOSTS:
            clocks.timed_ns.pop(next(iter(clocks.timed_ns)))


def _note_wrong(clocks: Clocks, seen: Clock, off_ns: int, before: Wrong | None) -> None:
    """Go on with a clock that runs by itself; one that was set meanwhile begins anew."""
    clocks.wrong.pop(seen.ip, None)
    if before is not None:
        moved = abs(off_ns - before.off_ns)
        if moved <= RIGHT_NS + _DRIFT * max(0, seen.time_ns - before.last_ns):
            before.last_ns, before.off_ns = seen.time_ns, off_ns
            before.times += 1
            clocks.wrong[seen.ip] = before
            return
    clocks.wrong[seen.ip] = Wrong(seen.time_ns, seen.time_ns, off_ns)
    if len(clocks.wrong) > MAX_HOSTS:
        clocks.wrong.pop(next(iter(clocks.wrong)))


def _is_step(before: Wrong, seen: Clock, window: Window, clocks: Clocks) -> bool:
    if before.times < MIN_TIMES or before.last_ns - before.since_ns < HOUR_NS:
        return False
    could_drift = RIGHT_NS + _DRIFT * (seen.time_ns - before.last_ns)
    if abs(before.off_ns) <= 2 * could_drift:
        return False
    asked_ns = clocks.timed_ns.get(window.hosts.number_of(seen.ip))
    was_set_inside = asked_ns is not None and asked_ns >= before.since_ns - HOUR_NS
    return not was_set_inside and is_in_closed_segment(window, seen.ip, seen.vlan)


def _clue(seen: Clock, before: Wrong) -> Clue:
    off_s = round(before.off_ns / 1e9)
    return Clue(
        host=seen.ip,
        family="clock",
        signal="clock set from elsewhere",
        weight=1,
        time_ns=seen.time_ns,
        what=Text(
            ja=f"{off_s:+d} 秒ずれていた時計が、院内の時刻サーバを使わずに合った",
            en=f"its clock was {off_s:+d} s off and came right without a time server inside",
        ),
        confirm=LOOK,
        shared=f"clock {seen.time_ns // HOUR_NS}",
        fields={"off_s": off_s, "since_ns": before.since_ns, "protocol": seen.protocol},
    )
