"""The packet ring on disk: recent packets in a bounded row of small captures.

An alert's packets are cut out of it when the alert is raised (`collector.evidence`).
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from collector.capture.chunk import Chunk
from collector.recorder_kernels import write_records

_MIB: Final = 1 << 20
#: A segment ends at so many bytes, or seconds of event time.
_SEGMENT_BYTES: Final = 32 * _MIB
_SEGMENT_S: Final = 60


class Recorder:
    """Writes packets into numbered captures `<first ns>-<number>.pcap`; the oldest go.

    Of each packet at most `packet_bytes` are kept. What the disk refuses is counted in `shed`.
    """

    def __init__(self, folder: Path, most_bytes: int, packet_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = max(most_bytes, 2 * _SEGMENT_BYTES)
        self._packet_bytes = packet_bytes
        self._file: BinaryIO | None = None
        self._written = self._began_ns = self._number = 0
        self._link_type = -1
        self._lock = threading.Lock()
        self._room = np.empty(_MIB, np.uint8)
        self.shed: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True)

    def record(self, chunk: Chunk) -> None:
        """Append the packets of a chunk; may be called by several threads."""
        if not len(chunk):
            return
        with self._lock:
            try:
                self._record(chunk)
            except OSError:
                self.shed["packet ring: packets, the disk refused"] += len(chunk)
                self._file = None

    def _record(self, chunk: Chunk) -> None:
        first_ns = int(chunk.index["time_ns"][0])
        link_type = int(chunk.index["link_type"][0])
        is_full = self._written >= _SEGMENT_BYTES
        is_over = first_ns - self._began_ns >= _SEGMENT_S * 1_000_000_000
        if self._file is None or is_full or is_over or link_type != self._link_type:
            self._begin(first_ns, link_type)
        assert self._file is not None
        needed = len(chunk) * 16 + int(
            np.minimum(chunk.index["captured"], self._packet_bytes).sum(dtype=np.int64)
        )
        if len(self._room) < needed:
            self._room = np.empty(2 * needed, np.uint8)
        used = write_records(chunk.buffer, chunk.index, self._packet_bytes, self._room)
        self._file.write(self._room[:used].data)
        self._file.flush()
        self._written += used

    def _begin(self, first_ns: int, link_type: int) -> None:
        self.close()
        segments = recorded_segments(self._folder)
        total = sum(size for _, size in segments) + _SEGMENT_BYTES
        for path, size in segments:
            if total <= self._most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        self._number += 1
        path = self._folder / f"{first_ns:020d}-{self._number:06d}.pcap"
        self._file = path.open("wb")
        head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link_type)
        self._file.write(head)
        self._written, self._began_ns, self._link_type = len(head), first_ns, link_type

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def recorded_segments(folder: Path) -> list[tuple[Path, int]]:
    """(segment, bytes), oldest first."""
    found = []
    for path in sorted(folder.glob("*.pcap")):
        try:
            found.append((path, path.stat().st_size))
        except FileNotFoundError:
            continue
    return found


def segments_between(folder: Path, first_ns: int, last_ns: int) -> list[Path]:
    """Segments that may hold packets of this time; a segment ends where the next begins."""
    paths = [path for path, _ in recorded_segments(folder)]
    starts = [int(path.stem.split("-")[0]) for path in paths]
    ends = [*starts[1:], 1 << 62]
    slack = _SEGMENT_S * 1_000_000_000  # threads write side by side
    return [
        path
        for path, start, end in zip(paths, starts, ends, strict=True)
        if start - slack <= last_ns and end + slack >= first_ns
    ]
