"""Suppressions: what a person has asked to be quiet about, for how long, and why.

A suppressed alert is still made, stored and counted; it joins no incident and asks for nobody.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from detector.alerts import Alert
from detector.hard_rules import is_hard
from detector.lines.maintenance_window import read_window

MOST_DAYS: Final = 90
_DAY_NS: Final = 86_400_000_000_000
#: How an alert's `state_by` names the suppression that covers it.
MARK: Final = "suppression "


@dataclass(frozen=True)
class Suppression:
    """One detector's alerts from a source, to a target, or by a role; empty fields ask nothing.

    At least one of source, target and role is given. `window` narrows it to times of the week.
    """

    id: str
    detector: str
    reason: str
    owner: str
    created_ns: int
    expires_ns: int
    source: str = ""
    target: str = ""
    role: str = ""
    window: str = ""
    hits: int = 0
    last_hit_ns: int = 0
    ended_ns: int = 0
    ended_by: str = ""

    def is_active(self, now_ns: int) -> bool:
        return not self.ended_ns and now_ns < self.expires_ns

    def covers(self, alert: Alert, zone: ZoneInfo) -> bool:
        """Does it silence this alert? Never one of a hard rule, nor one after its expiry."""
        if alert.detector != self.detector or is_hard(alert) or self.ended_ns:
            return False
        if alert.last_ns >= self.expires_ns:
            return False
        if self.source and self.source not in (alert.source.ip, alert.source.mac):
            return False
        if self.role and self.role != alert.source.role:
            return False
        # An alert of several targets is silent only where all of them are meant.
        if self.target and {t.ip or t.name for t in alert.targets} != {self.target}:
            return False
        window = read_window(self.window) if self.window else None
        if window is None:
            return True
        at = datetime.fromtimestamp(alert.first_ns / 1e9, UTC).astimezone(zone)
        return window.holds(at)

    def hit(self, alert: Alert) -> Suppression:
        return replace(self, hits=self.hits + 1, last_hit_ns=max(self.last_hit_ns, alert.last_ns))

    def end(self, by: str, now_ns: int) -> Suppression:
        return replace(self, ended_ns=now_ns, ended_by=by)

    def to_json(self) -> dict[str, Any]:
        return {"type": "suppression", "schema": 1, **asdict(self)}

    @staticmethod
    def from_json(stored: dict[str, Any]) -> Suppression:
        return Suppression(**{k: v for k, v in stored.items() if k not in ("type", "schema")})


def make_suppression(
    detector: str,
    *,
    reason: str,
    owner: str,
    now_ns: int,
    days: int = 30,
    source: str = "",
    target: str = "",
    role: str = "",
    window: str = "",
) -> Suppression:
    """A suppression that begins now; ValueError tells every fault at once."""
    faults = []
    if not detector:
        faults.append("detector: name the detector whose alerts are meant")
    if not (source or target or role):
        faults.append("source, target, role: give at least one, a whole detector is never silenced")
    if not reason.strip():
        faults.append("reason: say why, so that the next person understands it")
    if not 1 <= days <= MOST_DAYS:
        faults.append(f"days: must be 1 to {MOST_DAYS}, got {days}")
    if window:
        try:
            read_window(window)
        except ValueError as error:
            faults.append(f"window: {error}; write it like 'Mon-Fri 09:00-18:00'")
    if faults:
        raise ValueError("\n".join(faults))
    told = "|".join((detector, source, target, role, window, owner, str(now_ns)))
    return Suppression(
        id="s" + hashlib.sha256(told.encode()).hexdigest()[:12],
        detector=detector,
        reason=reason.strip()[:1000],
        owner=owner,
        created_ns=now_ns,
        expires_ns=now_ns + days * _DAY_NS,
        source=source,
        target=target,
        role=role,
        window=window,
    )


def covered(alert: Alert, suppressions: tuple[Suppression, ...], zone: ZoneInfo) -> Alert:
    """The alert, marked where a suppression covers it and no person has judged it."""
    if alert.state not in ("new", "acknowledged", "suppressed") or (
        alert.state == "suppressed" and not alert.state_by.startswith(MARK)
    ):
        return alert
    by = next((s for s in suppressions if s.covers(alert, zone)), None)
    if by is not None:
        mark = MARK + by.id
        return replace(alert, state="suppressed", state_reason=by.reason, state_by=mark)
    if alert.state == "suppressed":
        return replace(alert, state="new", state_reason="", state_by="")
    return alert
