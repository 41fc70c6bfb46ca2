"""The alert book: which alerts are new, which are joined, hushed or forgotten, and their incidents.

An alert comes in once and again while its day lasts; what people said about it stays with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detector.alerts import Alert
from detector.assets import AssetLog
from detector.budget import Budget, BudgetSettings
from detector.care import care_impact
from detector.comparison import compared
from detector.edges import EdgeMemory
from detector.hard_rules import is_hard
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.incidents import Incident, Joiner
from detector.suppression import MARK, Suppression, covered
from detector.words import Text

_DAY_NS: Final = 86_400_000_000_000
_HOUR_NS: Final = 3_600_000_000_000
#: Comparisons with the past that are kept, by alert.
_MOST_PASTS: Final = 50_000
#: Days for which a host that a grave alert named teaches nobody.
_WATCHED_DAYS: Final = 3


class AlertBook:
    """Takes alerts as detectors make them; tells which are new or changed, each in its incident."""

    def __init__(
        self,
        hospital: Hospital,
        hosts: HostTable,
        assets: AssetLog,
        budget: BudgetSettings,
        *,
        remember_days: int,
        most_alerts: int,
    ) -> None:
        """`most_alerts` is a detector's a day; alerts are forgotten after `remember_days`."""
        self.alerts: dict[str, Alert] = {}
        self.budget = Budget(budget)
        self.suppressions: tuple[Suppression, ...] = ()
        self.shed: Counter[str] = Counter()
        self._hospital, self._hosts, self._assets = hospital, hosts, assets
        self._remember_ns = remember_days * _DAY_NS
        self._most_alerts = most_alerts
        self._zone = ZoneInfo(hospital.timezone)
        self._raised: Counter[tuple[str, int]] = Counter()  # by detector and day
        self._pasts: dict[str, Text] = {}  # by alert: what it was compared with when it began
        self._watched: dict[int, int] = {}  # host → until when it teaches nobody
        self._changed: dict[str, Alert] = {}
        self._joiner = Joiner()
        self._joined: list[Incident] | None = None  # None: alerts changed since they were joined
        self._forgot_ns = 0

    def remember(self, alerts: Sequence[Alert]) -> None:
        """Take over what an earlier run had stored."""
        self.alerts.update({a.id: a for a in alerts})
        self._joined = None

    def with_past(self, alert: Alert, edges: EdgeMemory) -> Alert:
        """The alert with the numbers of the past behind its reason, as they were at its start."""
        past = self._pasts.get(alert.id)
        if past is None:
            past = compared(alert, edges, self._assets.number_of) or Text("", "")
            self._pasts[alert.id] = past
            if len(self._pasts) > _MOST_PASTS:
                del self._pasts[next(iter(self._pasts))]
        why = Text(f"{alert.why.ja}{past.ja}", f"{alert.why.en} {past.en}".rstrip())
        return replace(alert, why=why)

    def add(self, alert: Alert) -> None:
        """Take an alert of `with_past`; it is joined to what is known of it."""
        known = self.alerts.get(alert.id)
        if known is not None:
            alert = known.merge(alert)
            if alert == known:
                return
            if self.suppressions:
                alert = covered(alert, self.suppressions, self._zone)
        else:
            day = (alert.detector, alert.first_ns // _DAY_NS)
            self._raised[day] += 1
            if self._raised[day] > self._most_alerts:
                self.shed[f"alerts of {alert.detector}"] += 1
                return
            if self.suppressions:
                alert = self._hushed(alert)
        if alert.source.ip and alert.state != "suppressed" and is_hard(alert):
            number = self._assets.number_of(alert.source)
            self._watched[number] = alert.last_ns + _WATCHED_DAYS * _DAY_NS
        self.alerts[alert.id] = alert
        self._changed[alert.id] = alert
        self._joined = None

    def _hushed(self, alert: Alert) -> Alert:
        """The new alert, marked where a suppression covers it; the hit is counted."""
        told = covered(alert, self.suppressions, self._zone)
        if told.state == "suppressed":
            self.suppressions = tuple(
                s.hit(told) if told.state_by == MARK + s.id else s for s in self.suppressions
            )
        return told

    def silence(self, suppressions: Sequence[Suppression]) -> None:
        """People changed what is to be quiet: it holds at once and for what is remembered."""
        self.suppressions = tuple(suppressions)
        self._joined = None
        for alert in list(self.alerts.values()):
            told = covered(alert, self.suppressions, self._zone)
            if told != alert:
                self.alerts[told.id] = self._changed[told.id] = told

    def take_verdicts(self, judged: Sequence[Alert]) -> None:
        """People judged alerts: incidents and the budget follow."""
        self._joined = None
        for verdict in judged:
            known = self.alerts.get(verdict.id)
            if known is None or (known.state, known.state_by) == (verdict.state, verdict.state_by):
                continue
            self.budget.learn(known, verdict.state)
            self.alerts[known.id] = self._changed[known.id] = replace(
                known,
                state=verdict.state,
                state_reason=verdict.state_reason,
                state_by=verdict.state_by,
            )

    def watched(self, now_ns: int) -> NDArray[np.uint32] | None:
        """Hosts that a grave alert named in the last days: they teach nobody (B5)."""
        if not self._watched:
            return None
        self._watched = {n: until for n, until in self._watched.items() if until > now_ns}
        return np.fromiter(self._watched, np.uint32, len(self._watched))

    def every_watched(self) -> NDArray[np.uint32]:
        """Those hosts, and such whose time has ended since it was last asked."""
        return np.fromiter(self._watched, np.uint32, len(self._watched))

    def turn(self, now_ns: int) -> None:
        """The end of a window: the budget's week, and what is older than an incident can be."""
        if self.budget.is_due(now_ns):
            pushed = [i.first_ns for i in self.incidents() if i.push != "digest"]
            self.budget.turn(now_ns, pushed, len(self._assets))
            self._joined = None
        # Once an hour of event time.
        if len(self.alerts) > 100 and now_ns // _HOUR_NS > self._forgot_ns // _HOUR_NS:
            self._forget(now_ns)

    def _forget(self, now_ns: int) -> None:
        self._forgot_ns = now_ns
        oldest = now_ns - self._remember_ns
        kept = {i: a for i, a in self.alerts.items() if a.last_ns >= oldest}
        if len(kept) < len(self.alerts):
            self.alerts, self._joined = kept, None
        days = {k: n for k, n in self._raised.items() if k[1] >= oldest // _DAY_NS}
        self._raised = Counter(days)

    def join_anew(self) -> None:
        """What incidents follow besides alerts, as roles, was learnt since."""
        self._joined = None

    def incidents(self) -> list[Incident]:
        """All remembered alerts, joined; most urgent first."""
        if self._joined is None:
            self._joined = self._join()
        return list(self._joined)

    def _join(self) -> list[Incident]:
        told = {p.ip for a in self.alerts.values() for p in (a.source, *a.targets[:5])}
        impact = {
            h: care_impact(self._hosts.at(h).role, self._hospital.asset_by_ip.get(h))
            for h in told
            if h and self._hospital.is_inside(h)
        }
        return self._joiner.join(list(self.alerts.values()), impact, self.budget.weight)

    def take_changed(self) -> list[Alert]:
        """Alerts that are new or changed since the last call, each with its incident."""
        if not self._changed:
            return []
        changed, self._changed = self._changed, {}
        of_alert = {a: i.id for i in self.incidents() for a in i.alert_ids}
        moved = [
            replace(a, incident=of_alert.get(i, ""))
            for i, a in self.alerts.items()
            if i in changed or a.incident != of_alert.get(i, "")
        ]
        self.alerts.update({a.id: a for a in moved})
        return moved
