"""EX-2 over days: volume, always on, dormant and ghost lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import numpy as np

from detector.detection import Finding, Window
from detector.hospital import RegisteredLine
from detector.lines.observed import Verdict
from detector.lines.register_match import is_on_request, local_time
from detector.lines.sessions import Session

DAY_NS: Final = 86_400_000_000_000
SLOT_NS: Final = 600_000_000_000  # duty is counted in slots of ten minutes
SLOTS: Final = 144
HISTORY: Final = 56  # days
SCORES: Final[dict[Verdict, float]] = {"volume": 60, "always_on": 45, "dormant": 20, "ghost": 20}
DORMANT_DAYS: Final = 180
GHOST_DAYS: Final = 30
MIN_HISTORY: Final = 10
_FEW_OF_A_KIND: Final = 4
_WEEK_DAYS: Final = 7


@dataclass
class LineDays:
    """Use of one registered line by local day."""

    last_ns: int = 0
    bytes: int = 0  # today
    slots: set[int] = field(default_factory=set)  # today
    #: (is a working day, bytes, slots in use), the newest last.
    past: deque[tuple[bool, int, int]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    told: dict[Verdict, int] = field(default_factory=dict)  # verdict → when


@dataclass(frozen=True)
class Misuse:
    """A verdict that days of use earned, and the numbers behind it."""

    line: RegisteredLine
    verdict: Verdict
    facts: dict[str, object]


@dataclass
class LineUsage:
    """Use of every registered line, and since when there was anything to see."""

    lines: dict[str, LineDays] = field(default_factory=dict)
    since_ns: int = 0
    day: int = 0  # local, days since year 1

    def note(self, line_id: str, session: Session) -> None:
        """Count a session; a long one comes in parts of a minute or so."""
        use = self.lines.setdefault(line_id, LineDays())
        use.last_ns = max(use.last_ns, session.last_ns)
        use.bytes += session.bytes_out + session.bytes_in
        first, last = session.first_ns // SLOT_NS, session.last_ns // SLOT_NS
        use.slots.update(range(max(first, last - SLOTS), last + 1))

    def turn(self, window: Window) -> Iterator[Misuse]:
        """Close the local days that have ended, before the window's sessions are counted."""
        local = local_time(window.start_ns, window.hospital.timezone)
        today = local.toordinal()
        self.since_ns = self.since_ns or window.start_ns
        self.day = self.day or today
        if today > self.day:
            for line in window.hospital.lines:
                use = self.lines.setdefault(line.id, LineDays())
                yield from self._close_days(line, use, today, local.weekday(), window)
            self.day = today

    def volumes(self, window: Window, volume_z: float, floor_bytes: int) -> Iterator[Misuse]:
        """Lines that carry far more today than on their other days."""
        is_workday = local_time(window.start_ns, window.hospital.timezone).weekday() < 5
        for line in window.hospital.lines:
            use = self.lines.get(line.id)
            facts = _volume(use, is_workday, volume_z, floor_bytes) if use else None
            if use and facts and _may_tell(use, "volume", window.start_ns, 1):
                yield Misuse(line, "volume", facts)

    def _close_days(
        self, line: RegisteredLine, use: LineDays, today: int, weekday: int, window: Window
    ) -> Iterator[Misuse]:
        for passed in range(min(today - self.day, HISTORY), 0, -1):
            was_workday = (weekday - passed) % 7 < 5
            use.past.append((was_workday, use.bytes, min(SLOTS, len(use.slots))))
            use.bytes, use.slots = 0, set()
        lately = list(use.past)[-_WEEK_DAYS:]
        duty = sum(slots for *_, slots in lately) / (SLOTS * len(lately))
        now = window.start_ns
        is_up = is_on_request(line) and len(lately) >= 3 and duty > 0.2
        if is_up and _may_tell(use, "always_on", now, 7):
            yield Misuse(line, "always_on", {"duty": round(duty * 100)})
        silent_days = (now - (use.last_ns or self.since_ns)) // DAY_NS
        if use.last_ns and silent_days >= DORMANT_DAYS and _may_tell(use, "dormant", now, 30):
            yield Misuse(line, "dormant", {"days": int(silent_days)})
        if not use.last_ns and silent_days >= GHOST_DAYS and _may_tell(use, "ghost", now, 30):
            yield Misuse(line, "ghost", {"days": int(silent_days)})


def _volume(
    use: LineDays, is_workday: bool, volume_z: float, floor_bytes: int
) -> dict[str, object] | None:
    """Today's bytes so far against the line's own days of the same kind (B2)."""
    if use.bytes < floor_bytes or len(use.past) < MIN_HISTORY:
        return None
    # Days without use say how often a line is used, not how much.
    used = [(was_workday, size) for was_workday, size, _ in use.past if size]
    alike = [size for was_workday, size in used if was_workday == is_workday]
    if len(alike) < _FEW_OF_A_KIND:
        alike = [size for _, size in used]
    if len(alike) < _FEW_OF_A_KIND:
        return None
    logs = np.log1p(np.array(alike, float))
    middle = float(np.median(logs))
    spread = max(float(np.median(np.abs(logs - middle))), 0.15)
    z = 0.6745 * (float(np.log1p(use.bytes)) - middle) / spread
    if z <= volume_z:
        return None
    return {"bytes": use.bytes, "usual": round(float(np.expm1(middle))), "z": round(z, 1)}


def _may_tell(use: LineDays, verdict: Verdict, now_ns: int, days: int) -> bool:
    """Once in so many days."""
    told_ns = use.told.get(verdict)
    if told_ns is not None and now_ns - told_ns < timedelta(days=days).total_seconds() * 1e9:
        return False
    use.told[verdict] = now_ns
    return True


def usage_finding(misuse: Misuse, window: Window, peer: str) -> Finding:
    """Say what a registered line's days of use have shown."""
    line = misuse.line
    return Finding(
        source=line.device_ip or peer or (line.landing[0] if line.landing else line.id),
        targets=tuple(filter(None, [peer])),
        score=SCORES[misuse.verdict],
        confidence=0.9,
        first_ns=window.start_ns,
        last_ns=window.end_ns,
        facts={
            "line": line.id, "vendor": line.vendor, "contact": line.contact or "-",
            "device": line.device_ip or "-", "peer": peer or "-", **misuse.facts,
        },
        variant=misuse.verdict,
        key=line.id,
        line=line.id,
    )  # fmt: skip
