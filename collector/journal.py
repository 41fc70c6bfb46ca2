"""The journal: finished flows on their way to the spool, where a killed process leaves them.

Every entry has a number. The spool tells with each of its files up to which number, and which event
time, all is in it; what is left in the journal after a kill is exactly the rest.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import FLOW_DTYPE, FlowBatch

_HEAD: Final = struct.Struct("<8sQQ")  # mark, number, rows
_MARK: Final = b"mimaflow"
_SEGMENT_BYTES: Final = 8 << 20
_LOST: Final = "journal: flows, no room (lost only if the process is killed)"


@dataclass(frozen=True)
class Mark:
    """All entries up to `number` are stored, as far as they were reported up to `until_ns`."""

    number: int = 0
    until_ns: int = 0


NOTHING: Final = Mark()


@dataclass
class _Segment:
    path: Path
    last: int = 0  # highest number in it
    latest_ns: int = 0  # of its rows
    size: int = 0


class Journal:
    """Appends entries to numbered segments in a folder; may be used by several threads."""

    def __init__(self, folder: Path, most_bytes: int, stored: Mark) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self.shed: Counter[str] = Counter()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        #: (number, flows) that the spool has not, from before this process.
        self.left: list[tuple[int, FlowBatch]] = []
        self._next = stored.number + 1
        self._segments = [
            self._read(path, stored) for path in sorted(folder.glob("*.journal"), key=_order)
        ]
        self._on_way = {number for number, _ in self.left}

    def append(self, flows: FlowBatch) -> int:
        """Keep flows until they are stored; returns the entry's number."""
        rows = np.ascontiguousarray(flows.rows)
        with self._lock:
            number = self._next
            self._next += 1
            self._on_way.add(number)
            try:
                self._write(number, rows, int(rows["reported_ns"].max()))
            except OSError:
                self._file = None
                self.shed[_LOST] += len(rows)
        return number

    def holds(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of these rows are among `left`."""
        width = f"V{FLOW_DTYPE.itemsize}"
        left = FlowBatch.join([flows for _, flows in self.left]).rows.view(width)
        return np.isin(np.ascontiguousarray(rows).view(width), left)

    def taken(self, number: int) -> None:
        """The entry's flows are with who stores them."""
        with self._lock:
            self._on_way.discard(number)

    def mark(self, until_ns: int) -> Mark:
        """What is stored once all that was taken is, up to this event time."""
        with self._lock:
            return Mark(min(self._on_way, default=self._next) - 1, until_ns)

    def forget(self, stored: Mark) -> None:
        """Remove segments of which all is stored."""
        with self._lock:
            kept = []
            for segment in self._segments:
                if segment.last > stored.number or segment.latest_ns > stored.until_ns:
                    kept.append(segment)
                    continue
                segment.path.unlink(missing_ok=True)
                if self._file is not None and segment is self._segments[-1]:
                    self._file.close()
                    self._file = None
            self._segments = kept

    @property
    def is_empty(self) -> bool:
        return not self._segments

    def close(self) -> None:
        """Close; what is not stored stays for the next process."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, number: int, rows: NDArray[Any], latest_ns: int) -> None:
        if self._file is None or self._segments[-1].size >= _SEGMENT_BYTES:
            self._begin(number)
        assert self._file is not None
        head, size = _HEAD.pack(_MARK, number, len(rows)), _HEAD.size + rows.nbytes
        if os.writev(self._file.fileno(), [head, rows.view(np.uint8).data]) != size:
            raise OSError(28, "no room for the whole entry")
        segment = self._segments[-1]
        segment.last, segment.size = number, segment.size + size
        segment.latest_ns = max(segment.latest_ns, latest_ns)

    def _begin(self, number: int) -> None:
        if self._file is not None:
            self._file.close()
        while sum(s.size for s in self._segments) + _SEGMENT_BYTES > self._most_bytes:
            oldest = self._segments.pop(0)
            oldest.path.unlink(missing_ok=True)
            self.shed[_LOST] += oldest.size // FLOW_DTYPE.itemsize
        path = self._folder / f"{number}.journal"
        self._file = path.open("wb", buffering=0)
        self._segments.append(_Segment(path))

    def _read(self, path: Path, stored: Mark) -> _Segment:
        """A segment of the process before; its last entry may be torn."""
        raw, at = path.read_bytes(), 0
        segment = _Segment(path, size=len(raw))
        while at + _HEAD.size <= len(raw):
            mark, number, count = _HEAD.unpack_from(raw, at)
            at += _HEAD.size
            if mark != _MARK or at + count * FLOW_DTYPE.itemsize > len(raw):
                break
            rows = np.frombuffer(bytearray(raw[at : at + count * FLOW_DTYPE.itemsize]), FLOW_DTYPE)
            at += count * FLOW_DTYPE.itemsize
            segment.last = number
            segment.latest_ns = max(segment.latest_ns, int(rows["reported_ns"].max()))
            self._next = max(self._next, number + 1)
            if number <= stored.number:
                rows = rows[rows["reported_ns"] > stored.until_ns]
            if len(rows):
                self.left.append((number, FlowBatch(rows)))
        return segment


def _order(path: Path) -> int:
    return int(path.stem)
