"""Logs of Suricata and Zeek, followed while they are written and over their rotation."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from collector.sources.source import Parcel, Post, Source, SourceHealth
from collector.words import Text

if TYPE_CHECKING:
    from collector.foreign.log_lines import LogLines

_WAIT_S: Final = 0.2
_LOOK_S: Final = 1.0

ZeekLog = Literal["conn", "dns", "ssl", "ssh", "http", "dhcp", "ntlm", "files", "notice"]


class SuricataLog(Source):
    """Follows Suricata's eve.json: flows, DNS, TLS, SSH and HTTP records, and alerts of its rules.

    Rotation (by renaming or by cutting), restarts of either program and gaps are seen; where the
    file stood is kept. A gzipped part of the past belongs to `mimawari replay`.
    """

    kind: Literal["suricata"]

    path: Path = Field(description="such as /var/log/suricata/eve.json")
    from_start: bool = Field(False, description="Read the file from its start the first time")

    @property
    def name(self) -> str:
        return f"suricata {self.path}"

    def run(self, post: Post) -> None:
        from collector.foreign.log_lines import EveLines

        lines = {self.path: EveLines(post.settings.sensor)}
        _follow(self.name, self.kind, post, lines, self.from_start)


class ZeekLogs(Source):
    """Follows Zeek's logs in the folder where it writes them, tab-separated or JSON.

    conn.log tells flows; the others what a sensor would have seen in packets. A log that Zeek has
    not begun yet is waited for.
    """

    kind: Literal["zeek"]

    folder: Path = Field(description="such as /opt/zeek/logs/current")
    logs: tuple[ZeekLog, ...] = Field(
        ("conn", "dns", "ssl", "ssh", "http", "dhcp", "ntlm", "files", "notice"), min_length=1,
        description="which of them",
    )  # fmt: skip
    from_start: bool = Field(False, description="Read the files from their start the first time")

    @property
    def name(self) -> str:
        return f"zeek {self.folder}"

    def run(self, post: Post) -> None:
        from collector.foreign.log_lines import ZeekLines

        lines = {self.folder / f"{n}.log": ZeekLines(n, post.settings.sensor) for n in self.logs}
        _follow(self.name, self.kind, post, lines, self.from_start)


def _follow(
    name: str, kind: str, post: Post, lines: Mapping[Path, LogLines], from_start: bool
) -> None:
    """Read all of them in turn until the end."""
    post.health[name] = SourceHealth(kind)
    following = _Following(name, post, lines, from_start)
    looked = 0.0
    try:
        while not post.ending.is_set():
            came = [following.take(path) for path in lines]
            if time.monotonic() - looked >= _LOOK_S:
                looked = time.monotonic()
                following.look(came)
            if not any(came):
                post.ending.wait(_WAIT_S)
    finally:  # a source that fails is started again, with files of its own
        following.close()
    post.put(Parcel(name, 0, is_last=True))


class _Following:
    """Some logs of one source; where each was stored up to is noted, and never read again."""

    def __init__(
        self, name: str, post: Post, lines: Mapping[Path, LogLines], from_start: bool
    ) -> None:
        from collector.foreign.tail import Tail

        self._name, self._post, self._lines = name, post, lines
        self._health, self._notes = post.health[name], post.notebook(name)
        self._tails = {p: Tail(p, self._notes.get(p.name), from_start) for p in lines}

    def take(self, path: Path) -> int | None:
        """What one log tells anew; bytes read, None if it is not there."""
        tail, lines = self._tails[path], self._lines[path]
        try:
            piece = tail.read()
        except OSError:
            return None
        if piece.head:
            lines.begin(piece.head)
        if not piece.text:
            return 0
        flows, sightings = lines.feed(piece.text)
        times = [s.time_ns for s in sightings]
        latest = max([*times, int(flows.reported_ns.max()) if len(flows) else 0])
        health, place = self._health, tail.place
        health.packets += piece.text.count(b"\n")
        health.bytes += len(piece.text)
        health.last_ns = max(health.last_ns, latest)
        parcel = Parcel(
            self._name, latest, flows, tuple(sightings), is_last=True,
            stored=lambda: self._notes.put(path.name, place),
        )  # fmt: skip
        self._post.put(parcel, may_wait=True)
        return len(piece.text)

    def look(self, came: list[int | None]) -> None:
        """Once a second: what the health page tells."""
        counts = self._health.counts
        for what in ("rotated", "cut", "missed"):
            counts[what] = sum(getattr(tail, what) for tail in self._tails.values())
        malformed: Counter[str] = Counter()
        for one in self._lines.values():
            malformed += one.malformed
        gone = f"{self._name}: a rotated file was gone before it was read"
        self._post.add_counts(self._name, Counter({gone: counts["missed"]}), malformed)
        if all(one is None for one in came):
            first = next(iter(self._tails))
            why = Text(
                f"{first} を読めません。その場所に書かれているか、読む権限があるか"
                "確認してください。",
                f"{first}: is it written there, and may we read it?",
            )
            self._post.tell(self._name, "down", why)
        else:
            self._post.tell(self._name, "up")

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()
