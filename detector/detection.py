"""What a detector is: a frozen model with one verb, `find`, over one window of event time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from collector.apps import APP_CODE, APPS
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FlowBatch
from collector.sightings import Sighting
from detector.hospital import Hospital
from detector.window_kernels import mark_flows
from detector.words import Wording

if TYPE_CHECKING:
    from detector.edges import EdgeMemory
    from detector.hosts import HostTable
    from detector.outside_names import OutsideNames

Category = Literal[
    "reconnaissance", "credential_access", "lateral_movement", "external_line", "remote_access",
    "command_and_control", "exfiltration", "impact", "asset", "policy", "health",
]  # fmt: skip

S = TypeVar("S", bound=Sighting)
T = TypeVar("T")


@dataclass(frozen=True)
class FlowKey:
    """Names one flow as evidence, so that it can be found in the lake and in the capture."""

    first_ns: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    protocol: int


@dataclass(frozen=True)
class Finding:
    """One thing a detector saw. Equal findings on the same day become one alert.

    `variant` chooses among the detector's wordings; `key` tells apart what is not one alert
    (default: the first target); `facts` fill the wording and are shown as the evidence's numbers.
    """

    source: str  # address, or MAC where there is none
    targets: tuple[str, ...]
    score: float  # 0-100
    confidence: float  # 0-1
    first_ns: int
    last_ns: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    key: str = ""
    techniques: tuple[str, ...] = ()  # where they differ from the detector's own
    category: Category | None = None  # where it differs from the detector's own
    line: str = ""  # outside line: the register's id, or a name made from what was seen
    app: str = ""
    source_mac: str = ""
    flows: tuple[FlowKey, ...] = ()
    warmth: float = 1.0  # 0 cold … 1: how warm the baseline behind it was
    is_round: bool = False  # the targets are all that one source did the same to
    is_settled: bool = False  # it goes on as it did on days before, of which people were told


@dataclass(frozen=True)
class Window:
    """A stretch of event time, [start_ns, end_ns), with what was complete in it.

    `source` and `destination` number each flow's hosts; numbers stay the same for the whole run.
    """

    start_ns: int
    end_ns: int
    flows: FlowBatch
    source: NDArray[np.uint32]
    destination: NDArray[np.uint32]
    sightings: Mapping[type[Sighting], tuple[Sighting, ...]]
    hosts: HostTable
    edges: EdgeMemory  # as it was before this window
    hospital: Hospital
    is_gathered: bool = False  # several windows that were cut and noted one by one before

    def of(self, kind: type[S]) -> tuple[S, ...]:
        """The sightings of one kind, in time order."""
        return self.sightings.get(kind, ())  # type: ignore[return-value]

    def once(self, work: Callable[[Window], T]) -> T:
        """What `work` makes of this window; several detectors that ask share one answer."""
        if work not in self._made:
            self._made[work] = work(self)
        made: T = self._made[work]
        return made

    @cached_property
    def _made(self) -> dict[Callable[[Window], Any], Any]:
        return {}

    @cached_property
    def names(self) -> OutsideNames:
        """Names by which outside addresses were reached, in this window and before."""
        if not self.is_gathered:
            self.hosts.outside_names.learn(self)
        return self.hosts.outside_names

    @property
    def marks(self) -> NDArray[np.uint32]:
        """What each flow is, as bits: its outcome, whose its ends are, … (`window_kernels`)."""
        return self._marked[0]

    @property
    def every_mark(self) -> int:
        """All bits that any flow of the window has."""
        return self._marked[1]

    @property
    def apps(self) -> int:
        """Applications of the window's flows: bit n is set where APPS[n] was seen."""
        return self._marked[2]

    @cached_property
    def _marked(self) -> tuple[NDArray[np.uint32], int, int]:
        marks = np.empty(len(self.flows), np.uint32)
        apps = np.zeros(len(APPS) + 1, bool)
        every = mark_flows(
            self.flows.rows.view(OUTPUT_DTYPE),
            self.source,
            self.destination,
            self.hosts.traits,
            bool(self.hospital.segments),
            marks,
            apps,
        )
        return marks, int(every), sum(1 << code for code in np.flatnonzero(apps).tolist())


def app_table(tokens: Iterable[str]) -> NDArray[np.bool_]:
    """By application code: is it one of these. `table[flows.app]` is the mask of the flows."""
    table = np.zeros(1 << 16, bool)
    table[[APP_CODE[token] for token in tokens]] = True
    return table


@dataclass(frozen=True)
class Reads:
    """What a detector reads; windows that hold none of it are not shown to it.

    `marks` are bits of `Window.marks`, `apps` tokens of `APPS`.
    """

    sightings: tuple[type[Sighting], ...] = ()
    apps: tuple[str, ...] = ()
    marks: int = 0

    @cached_property
    def _apps(self) -> int:
        return sum(1 << APP_CODE[app] for app in self.apps)

    def any_of(self, marks: int, apps: int, sightings: Mapping[type[Sighting], Any]) -> bool:
        """Does a window with these (`every_mark`, `apps`, `sightings`) hold anything of it."""
        if marks & self.marks or apps & self._apps:
            return True
        return bool(sightings) and any(kind in sightings for kind in self.sightings)


class Detector(BaseModel):
    """A rule: class attributes say what it is, fields are its settings, the docstring its manual.

    `find` is pure but for `memory`, which is the detector's own and lives as long as the run:
    same windows in the same order, same findings out; no clock, no disk, no log.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: ClassVar[str]
    category: ClassVar[Category]
    techniques: ClassVar[tuple[str, ...]] = ()
    wordings: ClassVar[Mapping[str, Wording]]
    #: None: it wants every window, because time alone moves its state.
    reads: ClassVar[Reads | None] = None
    #: Seconds of event time shown at once; 0: each window as it is cut. Only for what counts hours
    #: or days and asks nothing of edges that a window itself may have taught.
    gather_s: ClassVar[int] = 0
    #: Shown every five seconds of event time instead of windows; for what reads sightings alone.
    urgent: ClassVar[bool] = False

    def remember(self) -> Any:
        """Make the empty memory that `find` gets on every call; None if it needs none."""
        return None

    @abstractmethod
    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        """Yield what this window shows."""

    def observed_lines(self, memory: Any) -> list[dict[str, Any]]:
        """Outside lines that changed since the last call, for a detector that keeps them."""
        return []

    def notes(self, memory: Any, now_ns: int) -> Mapping[str, Mapping[str, Any]]:
        """What people may look at besides findings, by the name under which it is stored."""
        return {}

    def shed(self, memory: Any) -> Mapping[str, int]:
        """What its memory had no room for, by cause."""
        return {}
