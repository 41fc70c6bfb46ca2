"""The two live processes, wired from settings: one collects, one detects; the spool is between."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from api.configuration import Configuration
from collector.lake import Lake
from collector.spool import SpoolReader
from detector.alerts import Alert
from detector.evidence import evidence_of
from detector.following import Following, Retention
from detector.opening import EDGES_FILE, open_engine
from detector.store import Store
from detector.watch import Round

#: Alerts whose packets are still to be cut out; a flood of alerts keeps its first ones.
_MOST_WAITING = 1000
_GIB = 1 << 30


def collect(configuration: Configuration) -> None:
    """Run the live sources into the spool until SIGTERM or SIGINT."""
    from collector.collecting import Collector

    collector = Collector(configuration.collecting(), configuration.state_dir)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: collector.end())
    collector.run()


def detect(configuration: Configuration) -> None:
    """Follow the spool until SIGTERM or SIGINT."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    folder = configuration.state_dir
    store = Store(folder / "mimawari.db").open()
    hospital = store.hospital(configuration.hospital)  # what people have imported and booked since
    engine = open_engine(hospital, configuration.detectors(), configuration.detector.engine, folder)
    most_evidence = int(configuration.collector.live.evidence_gib * _GIB)
    keeper = PacketKeeper(folder / "packets", folder / "evidence", most_evidence)
    keeper.start()
    round_ = Round(engine, store, Lake(folder / "lake"), folder / EDGES_FILE)
    try:
        spool = SpoolReader(folder / "spool")
        live = configuration.collector.live
        retention = Retention(live.flows_days, int(live.flows_gib * _GIB))
        Following(
            round_, spool, store, keeper.keep, configuration.hospital, retention=retention
        ).run(ending)
    finally:
        keeper.end()
        store.close()


class PacketKeeper(threading.Thread):
    """Cuts the packets of new alerts out of the packet ring, before the ring forgets them."""

    def __init__(self, packets: Path, evidence: Path, most_bytes: int) -> None:
        """Past `most_bytes` of evidence that of the oldest alerts goes."""
        super().__init__(name="evidence", daemon=True)
        self._packets, self._evidence, self._most_bytes = packets, evidence, most_bytes
        self._alerts: queue.Queue[Sequence[Alert] | None] = queue.Queue(_MOST_WAITING)

    def keep(self, alerts: Sequence[Alert]) -> None:
        with suppress(queue.Full):
            self._alerts.put_nowait(alerts)

    def end(self) -> None:
        """Finish what waits."""
        self._alerts.put(None)
        self.join()

    def run(self) -> None:
        while (alerts := self._alerts.get()) is not None:
            self._cut(alerts)

    def _cut(self, alerts: Sequence[Alert]) -> None:
        from collector.evidence import cut_evidence
        from collector.recorder import segments_between

        # The first slice stays: later ones of the same alert would begin after its first packets.
        wanted = [a for a in alerts if not (self._evidence / f"{a.id}.pcap").exists()]
        requests = evidence_of(wanted)
        if not requests or not self._packets.is_dir():
            return
        first_ns = min(r.first_ns for r in requests)
        last_ns = max(r.last_ns for r in requests)
        segments = segments_between(self._packets, first_ns, last_ns)
        cut_evidence(segments, requests, self._evidence)
        self.make_room()

    def make_room(self) -> None:
        """Remove evidence of the oldest alerts past the room that it has."""
        told = [(path.stat(), path) for path in self._evidence.glob("*.pcap")]
        total = sum(stat.st_size for stat, _ in told)
        for stat, path in sorted(told, key=lambda one: one[0].st_mtime_ns):
            if total <= self._most_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size
