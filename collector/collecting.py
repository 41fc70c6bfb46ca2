"""The collector at work: sources in threads, their parcels through the lanes, into the spool."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from collector.flows import FlowBatch
from collector.journal import NOTHING, Journal
from collector.lanes import Lanes
from collector.lasting import LastingMemory
from collector.observations import CollectorHealth, Observations
from collector.ordering import Order
from collector.orphans import remove_orphans
from collector.recorder import Recorder
from collector.settings import CollectorSettings
from collector.sources.interface import InterfaceSource
from collector.sources.source import Parcel, Post, Source, SourceHealth
from collector.spool import SpoolWriter
from collector.words import Text

#: What waits no longer for a round of the detectors: so many seconds, or flows.
_ROUND_S: Final = 1.0
_ROUND_FLOWS: Final = 100_000
_AGAIN_S: Final = 5.0
#: Lasting memory of one live flow, and of finished ones on their way to the spool.
_FLOW_BYTES: Final = 192
_JOURNAL_BYTES: Final = 256 << 20


class Collector:
    """Runs all sources until it is told to end; what is finished by then is in the spool."""

    def __init__(self, settings: CollectorSettings, state_dir: Path) -> None:
        live = settings.live
        self._settings = settings
        self._health = CollectorHealth(is_live=True)
        self._lanes = Lanes(settings, self._health)
        self._spool = SpoolWriter(state_dir / "spool", live.spool_mib << 20)
        self._ending = threading.Event()
        recorder = None
        if live.packets_mib:
            recorder = Recorder(state_dir / "packets", live.packets_mib << 20, live.packet_bytes)
        gone = remove_orphans()
        memory, journal = self._lasting(state_dir)
        folder = state_dir / "sources"
        self._post = Post(settings, self._ending, folder, recorder, memory, journal)
        for orphan in gone:
            self._post.note(f"{orphan.folder} removed: its state folder {orphan.state_dir} is gone")
        self._order = Order(self._spool.stored.until_ns)
        self._stored: list[Callable[[], None]] = []
        self._unsaved: list[Callable[[], None]] = []

    def _lasting(self, state_dir: Path) -> tuple[LastingMemory | None, Journal | None]:
        """Where flows are kept for the next process if this one is killed by force."""
        interfaces = [s for s in self._settings.sources if isinstance(s, InterfaceSource)]
        lanes = sum(source.workers for source in interfaces)
        needed = lanes * self._settings.fast_lane.max_flows * _FLOW_BYTES + _JOURNAL_BYTES
        try:
            memory = LastingMemory(state_dir, needed)
        except OSError as fault:
            why = Text(
                f"強制終了すると、最後の 1 秒と継続中の通信の記録が失われます（{fault}）。",
                f"flows of the last second and open ones are lost if it is killed: {fault}",
            )
            self._health.blind["restart"] = why
            return None, None
        journal = Journal(memory.folder / "journal", _JOURNAL_BYTES, self._spool.stored)
        return memory, journal

    def end(self) -> None:
        """Ask it to end; may be called from a signal handler."""
        self._ending.set()

    def run(self) -> None:
        """Collect until `end`; then close all flows and store them."""
        sys.setswitchinterval(0.001)  # so that no ring waits long for Python's lock
        journal = self._post.journal
        for number, flows in journal.left if journal is not None else ():
            self._take(Parcel("journal", 0, flows, is_last=True, number=number))
        threads = [self._start(source) for source in self._settings.sources]
        due = time.monotonic() + _ROUND_S
        while any(thread.is_alive() for thread in threads) or not self._ending.is_set():
            parcel = self._post.take(0.1)
            if parcel is not None:
                self._take(parcel)
            if time.monotonic() >= due or self._order.flows >= _ROUND_FLOWS:
                self._store(self._lanes.give([ask() for ask in self._post.fast_lanes]))
                due = time.monotonic() + _ROUND_S
        while (parcel := self._post.take(0)) is not None:
            self._take(parcel)
        counters = [ask() for ask in self._post.fast_lanes]
        self._store(self._lanes.finish(FlowBatch.empty(), counters), is_last=True)
        self._lanes.close()
        if self._post.recorder is not None:
            self._post.recorder.close()
        if journal is not None and self._post.memory is not None:
            journal.close()
            if journal.is_empty:
                self._post.memory.remove_all()

    def _start(self, source: Source) -> threading.Thread:
        thread = threading.Thread(target=self._guard, args=(source,), name=source.name)
        thread.start()
        return thread

    def _guard(self, source: Source) -> None:
        """Run a source; one that fails is told of and started again, the others go on."""
        while not self._ending.is_set():
            try:
                source.run(self._post)
            except Exception as fault:
                if source.name not in self._post.health:
                    self._post.health[source.name] = SourceHealth(source.kind)
                said = f"{type(fault).__name__}: {fault}"
                why = Text(f"停止し、再開を試みています（{said}）。", f"{said}; trying again")
                self._post.tell(source.name, "down", why)
                self._ending.wait(_AGAIN_S)

    def _take(self, parcel: Parcel) -> None:
        is_steady = parcel.part in self._post.steady
        self._order.reach(parcel.part, parcel.watermark_ns, is_steady, parcel.is_last)
        if parcel.stored is not None:
            self._stored.append(parcel.stored)
        if parcel.number and self._post.journal is not None:
            self._post.journal.taken(parcel.number)
        watermark_ns = self._order.watermark_ns
        if len(parcel.picks):
            self._lanes.take(parcel.buffer, parcel.picks, parcel.flows, watermark_ns)
        else:
            self._lanes.add(parcel.flows, (), watermark_ns)
        self._lanes.add(FlowBatch.empty(), parcel.sightings, watermark_ns)
        self._order.flows += len(parcel.flows)

    def _store(self, seen: Observations, is_last: bool = False) -> None:
        self._order.flows = 0
        seen = self._order.settle(seen, is_last)
        health = self._health
        shed, malformed = self._post.counted()
        health.shed += shed
        health.malformed += malformed
        health.shed += self._spool.shed
        for keeper in (self._post.recorder, self._post.journal):
            if keeper is not None:
                health.shed += keeper.shed
        for name, source in self._post.health.items():
            health.sources[name] = source.to_json()
            if source.dropped:
                health.shed[f"{name}: ring full"] = source.dropped
        health.notes = self._post.notes
        health.blind.pop("spool", None)
        if self._spool.fault:
            health.blind["spool"] = Text(
                f"観測結果をディスクに書けません（{self._spool.fault}）。空き容量を確認してください。",
                f"the disk refuses what was found ({self._spool.fault}): look at its free space",
            )
        self._unsaved += self._stored
        self._stored = []
        journal = self._post.journal
        mark = NOTHING if journal is None else journal.mark(seen.watermark_ns)
        if self._spool.append(seen, mark):
            if journal is not None:
                journal.forget(mark)
            for tell in self._unsaved:
                tell()
            self._unsaved = []
