"""The live round: follows the spool, and goes on where it was after a restart or a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from collector.observations import Observations
from collector.spool import SpoolReader
from detector.alerts import Alert
from detector.hospital import Hospital
from detector.store import Store
from detector.watch import Round

#: Flows go to the lake when event time enters another minute: always at the same spool file, so
#: that a file that is read again after a crash is written again under the same name.
_FLOWS_NS: Final = 60_000_000_000
_HOUR_NS: Final = 60 * _FLOWS_NS
_DAY_NS: Final = 24 * _HOUR_NS
_NOTE: Final = "position"
_PAUSE_S: Final = 0.2


@dataclass(frozen=True)
class Position:
    """How far the spool was taken, as it is stored.

    `looked`: the last file of which every flow and sighting has been in a window; `kept`: the last
    one whose flows are in the lake; `until_ns`: event time before which windows are done;
    `watermark_ns`: event time at `kept`.
    """

    looked: int = -1
    kept: int = -1
    until_ns: int = 0
    watermark_ns: int = 0


@dataclass(frozen=True)
class Retention:
    """How long flows are kept, and in how much room; looked at every hour of event time."""

    days: int = 400
    bytes: int = 200 << 30


_FOR_LONG: Final = Retention()


class Following:
    """Takes spool files one by one. At-least-once: what is repeated changes nothing.

    Edges and what detectors remember between windows are saved every `edges_every_s` of event time,
    and at the end: what a process that was killed had seen since is seen again.
    """

    def __init__(
        self,
        round_: Round,
        spool: SpoolReader,
        store: Store,
        on_alerts: Callable[[Sequence[Alert]], None],
        configured: Hospital,
        edges_every_s: int = 900,
        retention: Retention = _FOR_LONG,
    ) -> None:
        self._round = round_
        self._spool = spool
        self._store = store
        self._on_alerts = on_alerts
        self._configured = configured
        self._edges_every_ns = edges_every_s * 1_000_000_000
        self._stored = self._position = Position(**store.note(_NOTE))
        self._last = min(self._position.looked, self._position.kept)
        self._resume_ns = max(self._position.until_ns, round_.remembered_until_ns)
        self._reached_ns = 0
        self._taken: list[tuple[int, int]] = []  # (number, watermark), not yet all in windows
        self._retention = retention

    def run(self, ending: threading.Event) -> None:
        """Follow until `ending` is set, then take what is there and save."""
        while not ending.is_set():
            if not self.take():
                ending.wait(_PAUSE_S)
        self.take()
        self.save()

    def take(self) -> int:
        """Take all files that are there; returns how many."""
        count = 0
        for number, seen in self._spool.after(self._last):
            self._take(number, seen)
            self._last = number
            count += 1
        return count

    def save(self) -> None:
        """Bring lake and edges to the disk, and the position after them."""
        self._round.save_flows()
        self._round.save_edges()
        if self._taken:
            number, watermark_ns = self._taken[-1]
            self._position = replace(self._position, kept=number, watermark_ns=watermark_ns)
        self._note()

    def _take(self, number: int, seen: Observations) -> None:
        if number > self._position.kept:
            self._keep(number, seen)
        if number > self._position.looked:
            self._look(number, seen)
        if self._position.until_ns - self._stored.until_ns >= self._edges_every_ns:
            self._round.save_edges()
            self._note()

    def _keep(self, number: int, seen: Observations) -> None:
        self._round.keep(seen.flows)
        if seen.watermark_ns // _FLOWS_NS > self._position.watermark_ns // _FLOWS_NS:
            self._round.save_flows()
            self._round.refresh(self._configured)
            if seen.watermark_ns // _HOUR_NS > self._position.watermark_ns // _HOUR_NS:
                oldest_ns = seen.watermark_ns - self._retention.days * _DAY_NS
                self._round.keep_flows_within(oldest_ns, self._retention.bytes)
            self._position = replace(self._position, kept=number, watermark_ns=seen.watermark_ns)

    def _look(self, number: int, seen: Observations) -> None:
        self._taken.append((number, seen.watermark_ns))
        is_repeated = self._reached_ns < self._resume_ns
        self._reached_ns = seen.watermark_ns
        alerts = self._round.look(_after(seen, self._resume_ns) if is_repeated else seen)
        if alerts:
            self._on_alerts(alerts)
        self._forget_looked()

    def _forget_looked(self) -> None:
        until_ns = self._round.looked_until_ns
        done = [number for number, watermark_ns in self._taken[:-1] if watermark_ns < until_ns]
        if done:
            self._position = replace(self._position, looked=done[-1], until_ns=until_ns)
            self._taken = [row for row in self._taken if row[0] > done[-1]]

    def _note(self) -> None:
        self._store.save_note(_NOTE, asdict(self._position))
        self._stored = self._position
        self._spool.forget(min(self._position.looked, self._position.kept))


def _after(seen: Observations, from_ns: int) -> Observations:
    """Without what had been in a window before the restart."""
    if not len(seen.flows) or int(seen.flows.reported_ns[0]) >= from_ns:
        flows = seen.flows
    else:
        flows = seen.flows.take(seen.flows.reported_ns >= from_ns)
    sightings = tuple(s for s in seen.sightings if s.time_ns >= from_ns)
    return replace(seen, flows=flows, sightings=sightings)
