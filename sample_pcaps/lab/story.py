"""A story: what runs on which machines, and the truth about it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from detector.hospital import RegisteredLine
from sample_pcaps.lab.hosts import LabError, Machine
from sample_pcaps.lab.lanes import LANES, record
from sample_pcaps.lab.network import Network

SPAN, LISTENER, NETFLOW = LANES


@dataclass(frozen=True)
class Truth:
    """One thing that really happened and that a good monitor must say.

    `techniques`: any of them is right, a broader one counts. `source`: address or MAC that must be
    named, or one of its other names, `also`. `targets` must all be named. `lanes`: the sensors
    whose packets can show it; on the others it cannot be asked for.
    """

    what: str
    techniques: tuple[str, ...]
    source: str
    targets: tuple[str, ...] = ()
    lanes: tuple[str, ...] = (SPAN, NETFLOW)
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """A truth with the time it took, in ns since 1970."""

    truth: Truth
    first_ns: int
    last_ns: int


@dataclass
class Stage:
    """What a story plays on: its network, its machines by name, and its note-book."""

    network: Network
    events: list[Event] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Machine:
        return self.network.machines[name]

    @property
    def outside(self) -> Machine:
        return self.network.outside

    @contextmanager
    def happens(self, *truths: Truth) -> Iterator[None]:
        """Write down that these things happen while the block runs."""
        began = time.time_ns()
        yield
        self.events += [Event(truth, began, time.time_ns()) for truth in truths]

    def note(self, text: str) -> None:
        """Keep a remark for whoever reads the truth: what a server refused, what did not come."""
        self.notes.append(text)


@dataclass(frozen=True)
class Story:
    """One story. `run` plays it; without any event it is a benign one and must stay quiet.

    `needs`: programs, each with the Debian package that brings it. `matrix`: row of the recall
    matrix, (host, uplink, leak), if the story is one of its cells.
    """

    name: str
    title: str
    run: Callable[[Stage], None]
    needs: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    is_short: bool = True
    is_benign: bool = False
    limit_s: int = 120
    lines: tuple[RegisteredLine, ...] = ()
    matrix: tuple[str, str, str] | None = None


def play(story: Story, out: Path) -> Path:
    """Run one story in its own network; returns its folder with captures and `truth.json`."""
    folder = out / story.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _at_most(story.limit_s, story.name), Network(folder) as network:
        for host in story.hosts:
            network.join(host)
        stage = Stage(network)
        recording = record(network.switch.machine, folder)
        story.run(stage)
        recording.stop()
    if bool(stage.events) == story.is_benign:
        raise LabError(f"{story.name}: a story is benign exactly if nothing bad happens in it")
    _write_truth(story, stage, folder)
    for machine in (folder / "machines").iterdir():
        shutil.rmtree(machine / "run", ignore_errors=True)
    return folder


def _write_truth(story: Story, stage: Stage, folder: Path) -> None:
    told = {
        "story": story.name,
        "title": story.title,
        "benign": story.is_benign,
        "events": [asdict(event) for event in stage.events],
        "lines": [line.model_dump(mode="json") for line in story.lines],
        "notes": stage.notes,
        "programs": {name: _version(name) for name in story.needs},
    }
    text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    (folder / "truth.json").write_text(text, encoding="utf-8")


def _version(need: str) -> str:
    """The version of the Debian package that brings the program."""
    package = need.split(":")[-1]
    words = ["dpkg-query", "-W", "-f=${Version}", package]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


@contextmanager
def _at_most(seconds: int, name: str) -> Iterator[None]:
    """Bound a run's time; what it built is removed on the way out."""

    def late(number: int, frame: FrameType | None) -> None:
        raise LabError(f"{name}: over {seconds} s, stopped")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
