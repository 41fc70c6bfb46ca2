"""Batches of lines on disk, oldest first, within a limit."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SUFFIX: Final = ".lines"


@dataclass(frozen=True)
class Batch:
    """Some lines that wait; `path` names them."""

    path: Path
    lines: bytes


class LineSpool:
    """Keeps batches until they are done; past `most_bytes` the oldest goes, and is counted."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob("*.new"):  # cut off by a crash before it counted
            unfinished.unlink()
        self._sizes = {path: path.stat().st_size for path in sorted(folder.glob(f"*{_SUFFIX}"))}
        self._next = max((int(path.stem) for path in self._sizes), default=0) + 1
        self.dropped_lines = 0

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def waiting_bytes(self) -> int:
        return sum(self._sizes.values())

    def put(self, lines: bytes) -> None:
        """Add a batch; it is on disk when this returns. OSError where the disk does not take it."""
        path = self._folder / f"{self._next:012d}{_SUFFIX}"
        waiting = path.with_suffix(".new")
        with waiting.open("wb") as out:
            out.write(lines)
            out.flush()
            os.fsync(out.fileno())
        waiting.replace(path)
        self._next += 1
        self._sizes[path] = len(lines)
        while self.waiting_bytes > self._most_bytes:
            oldest = next(iter(self._sizes))
            self.dropped_lines += oldest.read_bytes().count(b"\n")
            self.done(oldest)

    def oldest(self) -> Batch | None:
        """The batch that has waited longest."""
        path = next(iter(self._sizes), None)
        return None if path is None else Batch(path, path.read_bytes())

    def done(self, path: Path) -> None:
        """Forget a batch."""
        del self._sizes[path]
        path.unlink()
