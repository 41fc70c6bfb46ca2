"""The engine: cuts event time into windows, asks every detector, and fills the alert book.

A window goes `take_in` → `_run` (cut) → `_look` (numbered, shown to all) → `book.add`.

Windows are cut by the time packets carry, never by the clock, so that the same input gives the
same alerts whether it is live or replayed and however it is cut into batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from collector.flows import FlowBatch
from collector.numbering import NO_NUMBER
from collector.observations import Observations
from collector.sightings import Sighting
from detector.alert_book import AlertBook
from detector.alerts import Alert, make_alert
from detector.assets import AssetLog
from detector.budget import BudgetSettings
from detector.detection import Detector, Window
from detector.edges import EdgeMemory
from detector.gathering import Gathering
from detector.hospital import Hospital
from detector.host_numbers import NOBODY
from detector.hosts import HostTable
from detector.identity import TELLING, Identities
from detector.incidents import Incident
from detector.losses import failure_of, losses
from detector.memories import Kept
from detector.roles import RoleInference
from detector.setup.learner import SetupLearner
from detector.slips import SlipLog
from detector.urgent import EVERY_NS, Urgent

_DAY_NS = 86_400_000_000_000
_ROLES = "roles"
_IDENTITIES = "identities"
_GATHERED = "gathered"
_NAMES = "outside_names"


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
        self._flows: list[FlowBatch] = []
        self._sightings: list[tuple[int, Sighting]] = []
        self._sighted_ns = 0
        self._next_ns = 0  # start of the first window that has not been cut
        self.remembered_until_ns = 0  # what an earlier run's memories have seen
        self.book = AlertBook(
            hospital, hosts, self.assets, settings.budget,
            remember_days=settings.remember_days, most_alerts=settings.most_alerts,
        )  # fmt: skip

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
    def alerts(self) -> dict[str, Alert]:
        """All that are remembered, by id."""
        return self.book.alerts

    def incidents(self) -> list[Incident]:
        """All remembered alerts, joined; most urgent first."""
        return self.book.incidents()

    @property
    def looked_until_ns(self) -> int:
        """Everything before this event time has been in a window."""
        return self._next_ns

    def observed_lines(self) -> list[dict[str, Any]]:
        """Outside lines that changed since the last call."""
        return [line for d, memory in self._detectors for line in d.observed_lines(memory)]

    def shedding(self) -> Counter[str]:
        """All that was shed or not believed, by cause."""
        return losses(
            self.shed + self.book.shed, self.hosts, self.assets, self.edges, self._detectors
        )

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
        self.book.join_anew()  # roles may have been learnt since
        return self.take_changed()

    def take_changed(self) -> list[Alert]:
        """Alerts that are new or changed since the last call, each with its incident."""
        return self.book.take_changed()

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
            known = [self.edges.hosts(), self.book.every_watched()]
            self.hosts.give_back(np.concatenate(known))
        self._follow(kinds)
        numbers = self.hosts.number(np.concatenate([flows.source, flows.destination]))
        source, destination = numbers[: len(flows)], numbers[len(flows) :]
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
        self.edges.observe(window, self.book.watched(end))
        self.book.turn(end)

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
        marks, apps, told = window.every_mark, window.apps, window.sightings
        for place in places:
            detector, memory = self._detectors[place]
            reads = detector.reads
            if reads is None or reads.any_of(marks, apps, told):
                for alert in self._ask(detector, memory, window):
                    self.book.add(alert)

    def _ask(self, detector: Detector, memory: Any, window: Window) -> Iterator[Alert]:
        """One detector on one window; a fault in it is counted and never stops the others."""
        try:
            for finding in detector.find(window, memory):
                if finding.source == NOBODY:
                    self.shed["findings about hosts without a number"] += 1
                    continue
                yield self.book.with_past(make_alert(detector, finding, self.hosts), self.edges)
        except Exception as fault:
            self.failures[failure_of(detector, fault, self.failures)] += 1
