"""What a live source is: a frozen model with one verb, `run`, in a thread of its own."""

from __future__ import annotations

import queue
import threading
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from collector.flows import FlowBatch
from collector.packet import PICK_DTYPE
from collector.sightings import Sighting, SourceState
from collector.sources.notebook import Notebook
from collector.words import SILENCE, Text

if TYPE_CHECKING:
    from collector.fastlane import FastLaneCounters
    from collector.journal import Journal
    from collector.lasting import LastingMemory
    from collector.recorder import Recorder
    from collector.settings import CollectorSettings

#: Parcels that wait for the decoders; past them picks are shed, and then sources wait.
_PARCELS: Final = 256


@dataclass
class SourceHealth:
    """What one source has done since the collector started; `state`: starting, up or a trouble."""

    kind: str
    state: str = "starting"
    why: Text = SILENCE  # what is wrong, and what to do about it
    packets: int = 0
    bytes: int = 0
    dropped: int = 0  # lost before we could read them
    duplicates: int = 0
    last_ns: int = 0  # of the last packet, datagram or event
    counts: dict[str, Any] = field(default_factory=dict)  # what only this kind knows

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "state": self.state,
            "why": self.why.to_json(),
            "packets": self.packets,
            "bytes": self.bytes,
            "dropped": self.dropped,
            "duplicates": self.duplicates,
            "last_ns": self.last_ns,
            **self.counts,
        }


@dataclass(frozen=True)
class Parcel:
    """What a source hands over at once; `part` names the thread whose event time it carries."""

    part: str
    watermark_ns: int
    flows: FlowBatch = field(default_factory=FlowBatch.empty)
    sightings: tuple[Sighting, ...] = ()
    buffer: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    picks: NDArray[Any] = field(default_factory=lambda: np.zeros(0, PICK_DTYPE))
    is_last: bool = False  # the part has ended: nobody waits for its event time any more
    #: Called once all of it is on disk. A source that sets it can read again what a kill took.
    stored: Callable[[], None] | None = None
    number: int = 0  # of the journal's entry with these flows


class Post:
    """The way from the sources to the collector's lanes, and what is known of each source."""

    def __init__(
        self,
        settings: CollectorSettings,
        ending: threading.Event,
        folder: Path,
        recorder: Recorder | None = None,
        memory: LastingMemory | None = None,
        journal: Journal | None = None,
    ) -> None:
        """`folder` keeps what sources remember over a restart; `recorder` the recent packets.

        `memory` and `journal` keep flows that a killed process had not stored; both or none.
        """
        self.settings = settings
        self.ending = ending
        self.recorder = recorder
        self.memory = memory
        self.journal = journal
        self._folder = folder
        self._notes: list[str] = []
        self.health: dict[str, SourceHealth] = {}
        self.shed: Counter[str] = Counter()
        self._counts: dict[str, tuple[Counter[str], Counter[str]]] = {}
        #: Parts that keep pace with the clock, by name: the collector waits for the slowest.
        self.steady: set[str] = set()
        #: Asked for their counters; one for each running fast lane.
        self.fast_lanes: list[Callable[[], FastLaneCounters]] = []
        self._parcels: queue.Queue[Parcel] = queue.Queue(_PARCELS)

    def put(self, parcel: Parcel, may_wait: bool = False) -> None:
        """Hand over; where the decoders lag, picks are shed (counted) but flows never."""
        if self.journal is not None and len(parcel.flows) and parcel.stored is None:
            parcel = replace(parcel, number=self.journal.append(parcel.flows))
        if may_wait or not len(parcel.picks):
            self._parcels.put(parcel)
            return
        try:
            self._parcels.put_nowait(parcel)
        except queue.Full:
            self.shed["picks: decoders too slow"] += len(parcel.picks)
            none = np.zeros(0, PICK_DTYPE)
            self._parcels.put(replace(parcel, buffer=np.zeros(0, np.uint8), picks=none))

    def add_counts(self, name: str, shed: Counter[str], malformed: Counter[str]) -> None:
        """What a source with a decoder of its own has shed and could not read, so far."""
        self._counts[name] = shed, malformed

    def counted(self) -> tuple[Counter[str], Counter[str]]:
        """(shed, malformed) of all sources."""
        shed, malformed = Counter(self.shed), Counter[str]()
        for one, other in list(self._counts.values()):
            shed += one
            malformed += other
        return shed, malformed

    def notebook(self, owner: str) -> Notebook:
        """What this owner keeps over a restart."""
        return Notebook(self._folder, owner)

    def note(self, words: str) -> None:
        """Something that a person should know; the newest are kept."""
        self._notes = [*self._notes[-49:], words]

    @property
    def notes(self) -> list[str]:
        return list(self._notes)

    def take(self, timeout_s: float) -> Parcel | None:
        try:
            return self._parcels.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def tell(self, name: str, state: str, why: Text = SILENCE, lost: int = 0) -> None:
        """Note a source's state; a change becomes a sighting, so that it can become an alert."""
        health = self.health[name]
        if (health.state, health.why) == (state, why):
            return
        was, health.state, health.why = health.state, state, why
        if was == "starting" and state == "up":
            return
        now_ns = time.time_ns()
        seen = SourceState(
            time_ns=now_ns,
            sensor=self.settings.sensor,
            source=name,
            state=state,
            why=why.en,
            why_ja=why.ja,
            lost=lost,
        )
        self._parcels.put(Parcel(f"state of {name}", 0, sightings=(seen,), is_last=True))


class Source(BaseModel):
    """One input. Fields are its settings; constructing it starts nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str

    @property
    @abstractmethod
    def name(self) -> str:
        """How the health page calls it."""

    @abstractmethod
    def run(self, post: Post) -> None:
        """Read and hand over until `post.ending` is set; a fault it cannot mend is raised."""
