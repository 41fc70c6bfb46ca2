"""A folder into which another machine puts captures: each is read once it is whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.sources.source import Parcel, Post, Source, SourceHealth
from collector.words import Text

if TYPE_CHECKING:
    from collector.fastlane.lane import FastLane, FastLaneOutput

_LOOK_S: Final = 1.0
_READING: Final = "/reading"  # no file is called so


class FolderSource(Source):
    """Reads captures (pcap, pcapng, also gzip or zstd) in order of their names, oldest first.

    A file counts as whole when it has not grown for `settled_s`, so that `tcpdump -G` may write
    there. Files stay; with `removes` they go once their flows are stored.
    """

    kind: Literal["folder"]

    folder: Path = Field(description="the folder that is watched")
    settled_s: float = Field(5, ge=0, le=3600, description="Seconds without growth: it is whole")
    removes: bool = Field(False, description="Delete a capture once it was read and stored")

    @property
    def name(self) -> str:
        return f"folder {self.folder}"

    def run(self, post: Post) -> None:
        from collector.capture.finding import find_captures
        from collector.lanes import new_fast_lane

        health = post.health[self.name] = SourceHealth(self.kind)
        lane = new_fast_lane(post.settings)
        post.fast_lanes.append(lambda: lane.counters)
        reading = _Reading(self, post, lane, health)
        while not post.ending.wait(_LOOK_S):
            if not self.folder.is_dir():
                why = Text(
                    f"フォルダ {self.folder} がありません。設定の folder を確認してください。",
                    f"{self.folder}: there is no such folder; see folder in the settings",
                )
                post.tell(self.name, "down", why)
                continue
            post.tell(self.name, "up")
            for path in find_captures([self.folder]):
                if not post.ending.is_set() and reading.is_new(path):
                    reading.read(path)
        reading.finish()


class _Reading:
    """What was read of the folder, kept over a restart: whole files, and how far the last came."""

    def __init__(
        self, source: FolderSource, post: Post, lane: FastLane, health: SourceHealth
    ) -> None:
        self._source, self._post, self._lane, self._health = source, post, lane, health
        self._notes = post.notebook(source.name)
        self._path = ""
        # Flows that were stored before the last run was cut off are not stored again.
        self._cut_off, _, stored_ns = self._notes.get(_READING).rpartition(" ")
        self._stored_ns = int(stored_ns or 0)
        self._is_first, self._is_within = True, False
        self._after = self._notes.beside("flows after the last file")

    def is_new(self, path: Path) -> bool:
        try:
            told = path.stat()
        except OSError:
            return False
        settled = time.time() - told.st_mtime >= self._source.settled_s
        return settled and self._notes.get(path.name) != _mark(path)

    def read(self, path: Path) -> None:
        from collector.capture import CaptureError, open_capture

        mark, self._path = _mark(path), path.name
        if self._path != self._cut_off:
            self._stored_ns = 0
        self._take_up()
        try:
            with open_capture(path) as capture:
                for chunk in capture:
                    self.hand_over(self._lane.feed(chunk), chunk.buffer)
                    self._health.packets += len(chunk)
                    if self._post.ending.is_set():
                        self._is_within = True
                        return
                for note in capture.notes:
                    self._post.note(note)
        except CaptureError as fault:
            self._post.note(str(fault))
        self._health.counts["files"] = self._health.counts.get("files", 0) + 1
        self._keep_live(self._after)
        self._post.put(Parcel(self._source.name, 0, stored=lambda: self._forget(path, mark)))

    def finish(self) -> None:
        """Tell of flows that are still open; not within a file, which is read again next time."""
        if self._is_within:
            self._post.put(Parcel(self._source.name, 0, is_last=True))
            return
        out = self._lane.finish()
        self._post.put(
            Parcel(
                self._source.name, out.watermark_ns, out.flows, is_last=True,
                stored=lambda: self._after.unlink(missing_ok=True),
            )
        )  # fmt: skip

    def _take_up(self) -> None:
        """Flows that go on from one file to the next, as they were when this one was begun."""
        opening = self._notes.beside(f"flows before {self._path}")
        if self._is_first:
            from collector.fastlane.layout import FLOW_ROW_DTYPE

            for left in (opening, self._after):
                if left.exists():
                    self._lane.adopt(np.fromfile(left, FLOW_ROW_DTYPE))
                    break
        self._is_first = False
        self._keep_live(opening)

    def _keep_live(self, where: Path) -> None:
        part = where.with_suffix(".part")
        self._lane.live_rows().tofile(part)
        part.replace(where)

    def hand_over(self, out: FastLaneOutput, buffer: NDArray[np.uint8]) -> None:
        name, watermark_ns, path = self._source.name, out.watermark_ns, self._path
        flows = out.flows.take(out.flows.reported_ns > self._stored_ns)
        self._health.last_ns = max(self._health.last_ns, watermark_ns)
        picks = out.picks[out.picks["time_ns"] > self._stored_ns]
        self._post.put(
            Parcel(
                name, watermark_ns, flows, (), buffer, picks,
                stored=lambda: self._notes.put(_READING, f"{path} {watermark_ns}"),
            ),
            may_wait=True,
        )  # fmt: skip

    def _forget(self, path: Path, mark: str) -> None:
        """Only what is stored may be forgotten."""
        self._notes.put(path.name, mark)
        self._notes.beside(f"flows before {path.name}").unlink(missing_ok=True)
        if self._source.removes:
            path.unlink(missing_ok=True)


def _mark(path: Path) -> str:
    told = path.stat()
    return f"{told.st_size}-{told.st_mtime_ns}"
