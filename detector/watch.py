"""The round itself: observations into the lake, through the engine, into the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from collector.flows import FlowBatch
from collector.lake import Lake
from collector.observations import Observations
from detector.alerts import Alert
from detector.baselines.review import apply as apply_decision
from detector.baselines.review import review
from detector.baselines.snapshots import Snapshots
from detector.engine import Engine
from detector.hospital import Hospital
from detector.memories import save_memories
from detector.opening import MEMORIES_FILE
from detector.setup.proposal import propose
from detector.store import Store

_DAY_NS = 86_400_000_000_000


class Round:
    """Walks through observations; an alert is committed before anyone is told of it."""

    def __init__(
        self, engine: Engine, store: Store | None, lake: Lake | None, edges_file: Path | None
    ) -> None:
        self._engine = engine
        self._store = store
        self._lake = lake
        self._edges_file = edges_file
        self._incident_ids: set[str] = set()
        self._noted_ns = 0
        self._joined_ns = 0
        self._change = 0
        self._silenced = -1
        self._decided = 0
        self._reviewed_ns = 0
        if store is not None:
            engine.book.remember(store.alerts(limit=100_000))
            engine.book.budget.restore(store.note("budget"))
            self._change = store.last_change()
            self._decided = int(store.note("baseline_decided").get("number", 0))
            self._listen(store)
            self._incident_ids = {i.id for i in store.incidents(limit=100_000)}

    def walk(self, observed: Iterable[Observations]) -> Iterator[list[Alert]]:
        """Yield the alerts that are new or changed, after they are on disk."""
        for seen in observed:
            self.keep(seen.flows)
            yield self.look(seen)
        yield self.finish()

    def keep(self, flows: FlowBatch) -> None:
        """Put flows into the lake."""
        if self._lake is not None:
            self._lake.append(flows)

    def look(self, seen: Observations) -> list[Alert]:
        """The alerts that are new or changed, after they are on disk.

        Without a store nobody watches: they are joined into incidents once a day of event time.
        """
        if self._store is None:
            self._engine.take_in(seen)
            if seen.watermark_ns - self._joined_ns < _DAY_NS:
                return []
            self._joined_ns = seen.watermark_ns
            return self._engine.take_changed()
        self._listen(self._store)
        alerts = self._engine.feed(seen)
        self._commit(alerts, seen)
        return alerts

    def finish(self) -> list[Alert]:
        """The input has ended: look at what still waits, and save everything."""
        with ThreadPoolExecutor(1, "lake") as beside:  # compressing needs no lock of Python's
            saving = beside.submit(self.save_flows)
            alerts = self._engine.finish()
            self._commit(alerts, None)
            saving.result()
        self.save_edges()
        return alerts

    def save_flows(self) -> None:
        if self._lake is not None:
            self._lake.flush()

    def keep_flows_within(self, oldest_ns: int, most_bytes: int) -> None:
        """Forget flows past their time or their room, and merge small files."""
        if self._lake is not None:
            self._lake.keep_within(oldest_ns, most_bytes)
            self._lake.merge()

    def save_edges(self) -> None:
        """Edges and the detectors' memories; the first of a day is kept as a snapshot."""
        if self._edges_file is not None:
            engine, folder = self._engine, self._edges_file.parent
            engine.edges.save(self._edges_file)
            until_ns = engine.looked_until_ns or engine.remembered_until_ns
            faults = save_memories(
                folder / MEMORIES_FILE, engine.hosts, engine.memories(), until_ns
            )
            engine.failures.update(faults)
            try:
                Snapshots(folder / "baselines").take(self._edges_file, engine.edges.now_ns)
            except ValueError as fault:  # somebody changed the chain, or a power cut tore it
                engine.failures[f"baselines: {fault}; no snapshot is kept until it is mended"] += 1

    @property
    def remembered_until_ns(self) -> int:
        """What was in windows before this run began, as far as detectors remember it."""
        return self._engine.remembered_until_ns

    @property
    def looked_until_ns(self) -> int:
        """Everything before this event time has been in a window."""
        return self._engine.looked_until_ns

    def refresh(self, configured: Hospital) -> None:
        """Take over the register and the bookings as people have them now.

        The ledger and the address plan are read at start: hosts are numbered by them.
        """
        if self._store is not None:
            now = self._store.hospital(configured)
            parts = {"lines": now.lines, "bookings": now.bookings}
            self._engine.hospital = self._engine.hospital.model_copy(update=parts)

    def _write_notes(self, store: Store, seen: Observations | None) -> None:
        """What is to be looked at besides alerts, anew every hour of event time and at the end."""
        now_ns = seen.watermark_ns if seen is not None else self._engine.looked_until_ns
        if seen is not None and now_ns - self._noted_ns < 3600 * 1_000_000_000:
            return
        self._noted_ns = now_ns
        for name, told in self._engine.notes(now_ns).items():
            store.save_note(name, told)
        self._propose(store)

    def _propose(self, store: Store) -> None:
        """While no plan is confirmed, keep what traffic proposes."""
        learned = self._engine.setup
        if learned is None:
            return
        hospital = self._engine.hospital
        proposal = propose(learned, self._engine.hosts, store.observed_lines())
        store.save_note("setup_proposal", proposal.to_json(hospital.name, hospital.timezone))

    def _listen(self, store: Store) -> None:
        """Take over what people did since: verdicts on alerts, and what is to be quiet."""
        change = store.last_change()
        if change > self._change:
            self._engine.book.take_verdicts(store.verdicts_since(self._change))
            self._change = change
        version = store.suppression_version()
        self._apply_decisions(store)
        if version != self._silenced:
            self._silenced = version
            self._engine.book.silence([s for s in store.suppressions() if not s.ended_ns])

    def _apply_decisions(self, store: Store) -> None:
        """What people decided about the baseline holds from here on."""
        edges, hosts = self._engine.edges, self._engine.hosts
        decisions = store.decisions(after=self._decided)
        for decision in decisions:
            self._decided = decision.number
            if decision.deed == "freeze":
                decision = replace(decision, at_ns=edges.now_ns or decision.at_ns)
            apply_decision(decision, edges, hosts)
        if decisions:
            self.save_edges()
            store.save_note("baseline_decided", {"number": self._decided})
            self._reviewed_ns = 0

    def _review(self, store: Store) -> None:
        """Tell people what has been learnt, anew every hour of event time."""
        now = self._engine.edges.now_ns
        if now - self._reviewed_ns >= 3600 * 1_000_000_000:
            self._reviewed_ns = now
            store.save_note("baseline", review(self._engine.edges, self._engine.hosts))

    def _commit(self, alerts: list[Alert], seen: Observations | None) -> None:
        if self._store is None:
            return
        if alerts:
            self._store.save_alerts(alerts, keep_states=True)
            incidents = self._engine.incidents()
            ids = {i.id for i in incidents}
            self._store.save_incidents(incidents, keep_states=True)
            self._store.remove_incidents(sorted(self._incident_ids - ids))
            self._incident_ids = ids
            self._change = self._store.last_change()
            self._store.count_hits(self._engine.book.suppressions)
            self._store.save_note("budget", self._engine.book.budget.to_json())
        assets = self._engine.assets.take_changed()
        if assets:
            self._store.save_seen_assets(assets)
        lines = self._engine.observed_lines()
        if lines:
            self._store.save_observed_lines(lines)
        slips = self._engine.slips.take_changed()
        if slips:
            self._store.save_slips(slips)
        self._write_notes(self._store, seen)
        self._review(self._store)
        if seen is not None:
            health = seen.health.to_json()
            health["event_ns"] = seen.watermark_ns
            health["detector_failures"] = dict(self._engine.failures)
            lake_shed = {} if self._lake is None else dict(self._lake.shed)
            health["detector_shed"] = dict(self._engine.shedding()) | lake_shed
            self._store.save_note("collector_health", health)
