"""The engine: cuts event time into windows, asks every detector, and keeps alerts and incidents.

Windows are cut by the time packets carry, never by the clock, so that the same input gives the
same alerts whether it is live or replayed and however it is cut into batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from collector.flows import FlowBatch
from collector.numbering import NO_NUMBER
from collector.observations import Observations
from collector.sightings import Sighting
from detector.alerts import Alert, make_alert
from detector.assets import AssetLog
from detector.budget import Budget, BudgetSettings
from detector.care import care_impact
from detector.comparison import compared
from detector.detection import Detector, Window
from detector.edges import EdgeMemory
from detector.gathering import Gathering
from detector.hard_rules import is_hard
from detector.hospital import Hospital
from detector.host_numbers import NOBODY
from detector.hosts import HostTable
from detector.identity import TELLING, Identities
from detector.incidents import Incident, Joiner
from detector.losses import failure_of, losses
from detector.memories import Kept
from detector.roles import RoleInference
from detector.setup.learner import SetupLearner
from detector.slips import SlipLog
from detector.suppression import MARK, Suppression, covered
from detector.urgent import EVERY_NS, Urgent
from detector.words import Text

_DAY_NS = 86_400_000_000_000
_HOUR_NS = 3_600_000_000_000
_ROLES = "roles"
_IDENTITIES = "identities"
_GATHERED = "gathered"
_NAMES = "outside_names"
#: Comparisons with the past that are kept, by alert.
_MOST_PASTS = 50_000


class EngineSettings(BaseModel):
    """How event time is cut and what is kept in memory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_s: int = Field(30, ge=1, le=3600, description="seconds of event time in one window")
    most_hosts: int = Field(
        2_000_000,
        ge=1000,
        le=16_000_000,
        description="addresses that get a number; flows of further ones are counted as shed",
    )
    remember_days: int = Field(30, ge=1, le=400, description="days for which alerts are joined")
    budget: BudgetSettings = BudgetSettings()
    most_alerts: int = Field(
        2000, ge=10, description="alerts one detector may raise a day; more are counted as shed"
    )


class Engine:
    """Feed it observations in event-time order; it returns the alerts that are new or changed."""

    def __init__(
        self,
        hospital: Hospital,
        detectors: Sequence[Detector],
        settings: EngineSettings,
        hosts: HostTable,
        edges: EdgeMemory,
    ) -> None:
        self.hospital = hospital
        self.hosts = hosts
        self.identities = Identities()
        self.assets = AssetLog(self.hosts, hospital, self.identities)
        self.slips = SlipLog()
        self.setup = None if hospital.segments else SetupLearner()  # until a plan is confirmed
        self.edges = edges
        self.alerts: dict[str, Alert] = {}
        self.shed: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._detectors = [(d, d.remember()) for d in detectors]
        every = sorted({d.gather_s for d in detectors} | {0, SetupLearner.gather_s})
        self._shown = {  # by how long they gather: places in `_detectors`
            every_s: [n for n, d in enumerate(detectors) if d.gather_s == every_s and not d.urgent]
            for every_s in every
        }
        self._urgent = Urgent(detectors)
        self._gathered = {every_s: Gathering(every_s) for every_s in every if every_s}
        self._settings = settings
        self.roles = RoleInference()
        self._raised: Counter[tuple[str, int]] = Counter()
        self._flows: list[FlowBatch] = []
        self._sightings: list[tuple[int, Sighting]] = []
        self._sighted_ns = 0
        self._next_ns = 0  # start of the first window that has not been cut
        self.remembered_until_ns = 0  # what an earlier run's memories have seen
        self._changed: dict[str, Alert] = {}
        self._joiner = Joiner()
        self._joined: list[Incident] | None = None  # None: alerts changed since they were joined
        self._forgot_ns = 0
        self.budget = Budget(settings.budget)
        self.suppressions: tuple[Suppression, ...] = ()
        self._pasts: dict[str, Text] = {}  # by alert: what it was compared with when it began
        self._watched: dict[int, int] = {}  # host → until when it teaches nobody
        self._zone = ZoneInfo(hospital.timezone)

    def remember_alerts(self, alerts: Sequence[Alert]) -> None:
        """Take over what an earlier run had stored, so that work goes on where it was."""
        self.alerts.update({a.id: a for a in alerts})
        self._joined = None

    def memories(self) -> dict[str, Any]:
        """What is to outlive a restart, by name (`detector.memories`)."""
        waiting = {every_s: gathered.waiting for every_s, gathered in self._gathered.items()}
        own = {_ROLES: self.roles, _IDENTITIES: self.identities, _GATHERED: waiting}
        own[_NAMES] = self.hosts.outside_names
        return own | {d.id: memory for d, memory in self._detectors}

    def remember_all(self, kept: Kept) -> None:
        """Go on with the memories of an earlier run; what did not fit is counted as a failure."""
        self.failures.update(kept.faults)
        self._detectors = [(d, kept.parts.get(d.id, memory)) for d, memory in self._detectors]
        self.roles = kept.parts.get(_ROLES, self.roles)
        self.identities = self.assets.identities = kept.parts.get(_IDENTITIES, self.identities)
        self.identities.restore(self.hosts)
        self.roles.decide_again(self.hosts)
        self.hosts.outside_names = kept.parts.get(_NAMES, self.hosts.outside_names)
        for every_s, waiting in kept.parts.get(_GATHERED, {}).items():
            if every_s in self._gathered:
                self._gathered[every_s].waiting = waiting
        self.remembered_until_ns = kept.until_ns

    @property
    def looked_until_ns(self) -> int:
        """Everything before this event time has been in a window."""
        return self._next_ns

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

    def observed_lines(self) -> list[dict[str, Any]]:
        """Outside lines that changed since the last call."""
        return [line for d, memory in self._detectors for line in d.observed_lines(memory)]

    def shedding(self) -> Counter[str]:
        """All that was shed or not believed, by cause."""
        return losses(self.shed, self.hosts, self.assets, self.edges, self._detectors)

    def notes(self, now_ns: int) -> dict[str, Mapping[str, Any]]:
        """What detectors have to show besides findings, by name."""
        told: dict[str, Mapping[str, Any]] = {}
        for detector, memory in self._detectors:
            told.update(detector.notes(memory, now_ns))
        return told

    def feed(self, seen: Observations) -> list[Alert]:
        """Take in a stretch of event time; return alerts that are new or changed."""
        self.take_in(seen)
        return self.take_changed()

    def take_in(self, seen: Observations) -> None:
        """Look at a stretch of event time; what changes is kept for `take_changed`."""
        if len(seen.flows):
            self._flows.append(seen.flows)
        for sighting in seen.sightings:
            # A packet that carries an older time than the one before counts when it came.
            self._sighted_ns = max(self._sighted_ns, sighting.time_ns)
            self._sightings.append((self._sighted_ns, sighting))
        self._run(seen.watermark_ns)

    def finish(self) -> list[Alert]:
        """Look at what is still waiting; the input has ended."""
        self._run(None)
        none = np.zeros(0, np.uint32)
        nothing = self._window(self._next_ns, self._next_ns, FlowBatch.empty(), none, none, {})
        for gathering in self._gathered.values():
            self._show(gathering.rest(nothing), gathering.every_s)
        self._joined = None  # roles may have been learnt since
        return self.take_changed()

    def incidents(self) -> list[Incident]:
        """All remembered alerts, joined; most urgent first."""
        if self._joined is None:
            self._joined = self._join()
        return list(self._joined)

    def _join(self) -> list[Incident]:
        told = {p.ip for a in self.alerts.values() for p in (a.source, *a.targets[:5])}
        impact = {
            h: care_impact(self.hosts.at(h).role, self.hospital.asset_by_ip.get(h))
            for h in told
            if h and self.hospital.is_inside(h)
        }
        return self._joiner.join(list(self.alerts.values()), impact, self.budget.weight)

    def _run(self, watermark_ns: int | None) -> None:
        """Cut all windows that end at or before the watermark (None: all that is left)."""
        if not self._flows and not self._sightings:
            return
        size = self._settings.window_s * 1_000_000_000
        if watermark_ns is not None and watermark_ns < self._next_ns + size and self._next_ns:
            self._hasten(watermark_ns)
            return
        flows = FlowBatch.join(self._flows)
        reported = np.ascontiguousarray(flows.reported_ns)
        sighted = np.array([t for t, _ in self._sightings], np.int64)
        f = s = 0
        while f < len(flows) or s < len(sighted):
            first = min(
                int(reported[f]) if f < len(flows) else np.iinfo(np.int64).max,
                int(sighted[s]) if s < len(sighted) else np.iinfo(np.int64).max,
            )
            start = max(first // size * size, self._next_ns - size if self._next_ns else 0)
            end = start + size
            if watermark_ns is not None and end > watermark_ns:
                break
            f_end = f + int(np.searchsorted(reported[f:], end))
            s_end = s + int(np.searchsorted(sighted[s:], end))
            self._hasten(end)
            self._look(start, end, flows.take(slice(f, f_end)), self._sightings[s:s_end])
            f, s, self._next_ns = f_end, s_end, end
        if watermark_ns is not None:
            self._hasten(watermark_ns)
        self._urgent.forget(s)
        self._flows = [flows.take(slice(f, None))] if f < len(flows) else []
        self._sightings = self._sightings[s:]

    def _hasten(self, until_ns: int) -> None:
        """Show the urgent what waits for the end of its window."""
        none = np.zeros(0, np.uint32)
        for start, sightings in self._urgent.cut(self._sightings, until_ns):
            end = start + EVERY_NS
            window = self._window(start, end, FlowBatch.empty(), none, none, sightings)
            self._show_to(self._urgent.places, window)

    def _look(
        self, start: int, end: int, flows: FlowBatch, sighted: Sequence[tuple[int, Sighting]]
    ) -> None:
        """One window: assets, roles, detectors, then the memory of edges."""
        kinds: dict[type[Sighting], list[Sighting]] = {}
        for _, sighting in sighted:
            kinds.setdefault(type(sighting), []).append(sighting)
        if self.hosts.turn(start // _DAY_NS) and self.hosts.is_crowded:
            watched = np.fromiter(self._watched, np.uint32, len(self._watched))
            self.hosts.give_back(np.concatenate([self.edges.hosts(), watched]))
        self._follow(kinds)
        source = self.hosts.number(flows.source)
        destination = self.hosts.number(flows.destination)
        if self.hosts.is_full:
            numbered = (source != NO_NUMBER) & (destination != NO_NUMBER)
            self.shed["flows of new hosts"] += len(flows) - int(numbered.sum())
            flows = flows.take(numbered)
            source, destination = source[numbered], destination[numbered]
        sightings = {kind: tuple(several) for kind, several in kinds.items()}
        window = self._window(start, end, flows, source, destination, sightings)
        for gathering in self._gathered.values():
            self._show(gathering.left_over(window), gathering.every_s)
        _ = window.names  # every window teaches them, whoever asks
        self.assets.observe(window)
        self.roles.observe(window)
        self.slips.observe(window)
        self._show(window, 0)
        for gathering in self._gathered.values():
            self._show(gathering.add(window), gathering.every_s)
        self.edges.observe(window, self._watch(end))
        if self.budget.is_due(end):
            pushed = [i.first_ns for i in self.incidents() if i.push != "digest"]
            self.budget.turn(end, pushed, len(self.assets))
            self._joined = None
        self._forget(end)

    def _follow(self, kinds: Mapping[type[Sighting], list[Any]]) -> None:
        """Machines that came to other addresses bring their numbers along, and all behind them."""
        heard = [said for kind in TELLING for said in kinds.get(kind, ())]
        if self.identities.observe(heard, self.hosts, self.hospital):
            self.roles.decide_again(self.hosts)

    def _window(
        self,
        start: int,
        end: int,
        flows: FlowBatch,
        source: NDArray[np.uint32],
        destination: NDArray[np.uint32],
        sightings: Mapping[type[Sighting], tuple[Sighting, ...]],
    ) -> Window:
        return Window(
            start, end, flows, source, destination, sightings,
            self.hosts, self.edges, self.hospital,
        )  # fmt: skip

    def _show(self, window: Window | None, gather_s: int) -> None:
        """Show a window to those that gather so long (0: that see each as it is cut)."""
        if window is None:
            return
        if self.setup is not None and gather_s == self.setup.gather_s:
            self.setup.observe(window)
        self._show_to(self._shown[gather_s], window)

    def _show_to(self, places: Sequence[int], window: Window) -> None:
        for detector, memory in (self._detectors[n] for n in places):
            if detector.reads is None or detector.reads.any_of(window):
                for alert in self._ask(detector, memory, window):
                    self._raise(alert)

    def _ask(self, detector: Detector, memory: Any, window: Window) -> Iterator[Alert]:
        """One detector on one window; a fault in it is counted and never stops the others."""
        try:
            for finding in detector.find(window, memory):
                if finding.source == NOBODY:
                    self.shed["findings about hosts without a number"] += 1
                    continue
                yield self._compared(make_alert(detector, finding, self.hosts))
        except Exception as fault:
            self.failures[failure_of(detector, fault, self.failures)] += 1

    def _compared(self, alert: Alert) -> Alert:
        """The alert with the numbers of the past behind its reason, as they were at its start."""
        past = self._pasts.get(alert.id)
        if past is None:
            past = compared(alert, self.edges, self.assets.number_of) or Text("", "")
            self._pasts[alert.id] = past
            if len(self._pasts) > _MOST_PASTS:
                del self._pasts[next(iter(self._pasts))]
        why = Text(f"{alert.why.ja}{past.ja}", f"{alert.why.en} {past.en}".rstrip())
        return replace(alert, why=why)

    def _raise(self, alert: Alert) -> None:
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
            if self._raised[day] > self._settings.most_alerts:
                self.shed[f"alerts of {alert.detector}"] += 1
                return
            if self.suppressions:
                alert = self._hushed(alert)
        if alert.source.ip and alert.state != "suppressed" and is_hard(alert):
            number = self.assets.number_of(alert.source)
            self._watched[number] = alert.last_ns + 3 * _DAY_NS
        self.alerts[alert.id] = alert
        self._changed[alert.id] = alert
        self._joined = None

    def _watch(self, now_ns: int) -> NDArray[np.uint32] | None:
        """Hosts that a grave alert named in the last three days: they teach nobody (B5)."""
        if not self._watched:
            return None
        self._watched = {n: until for n, until in self._watched.items() if until > now_ns}
        return np.fromiter(self._watched, np.uint32, len(self._watched))

    def _hushed(self, alert: Alert) -> Alert:
        """The new alert, marked where a suppression covers it; the hit is counted."""
        told = covered(alert, self.suppressions, self._zone)
        if told.state == "suppressed":
            self.suppressions = tuple(
                s.hit(told) if told.state_by == MARK + s.id else s for s in self.suppressions
            )
        return told

    def _forget(self, now_ns: int) -> None:
        """Once an hour of event time: what is older than an incident can be."""
        if len(self.alerts) > 100 and now_ns // _HOUR_NS > self._forgot_ns // _HOUR_NS:
            self._forgot_ns = now_ns
            oldest = now_ns - self._settings.remember_days * _DAY_NS
            kept = {i: a for i, a in self.alerts.items() if a.last_ns >= oldest}
            if len(kept) < len(self.alerts):
                self.alerts, self._joined = kept, None
            self._raised = Counter(
                {k: n for k, n in self._raised.items() if k[1] >= oldest // _DAY_NS}
            )

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
