"""Follows a log that another program writes and rotates: every line once, over restarts too."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from zlib import crc32

_PIECE: Final = 1 << 20
_HEAD: Final = 8192
_MARKED: Final = 256
#: After the file was replaced, its writer may still finish a line in the old one.
_GRACE_S: Final = 2.0


@dataclass(frozen=True)
class Piece:
    """Whole lines. `head`: the file's beginning, where it was taken up in its middle."""

    text: bytes
    head: bytes = b""


class Tail:
    """Knows a file by its inode and first bytes, and how far it was read.

    `place` tells that for the next process. A file that was renamed is read to its end first; one
    that was cut to nothing is read anew; both are counted in `rotated` and `cut`. Where a file went
    away before it was read to its end, `missed` counts that: lines may be lost.
    """

    def __init__(self, path: Path, place: str = "", from_start: bool = False) -> None:
        """`place`: where the process before was; without it a file is read from its end on."""
        self._path = path
        self._file: BinaryIO | None = None
        self._at = 0
        self._place, self._from_start = place, from_start
        self._idle_since = 0.0
        self._new_head = b""
        self._known = (0, 0)  # so many first bytes, and their mark
        self.rotated = self.cut = self.missed = 0

    @property
    def place(self) -> str:
        """The inode, the bytes read, and what the file begins with."""
        if self._file is None:
            return self._place
        inode = os.fstat(self._file.fileno()).st_ino
        size = min(self._at, _MARKED)
        return f"{inode} {self._at} {self._mark(self._file, size)} {size}"

    def read(self) -> Piece:
        """What has come since; OSError if the file is not there and none is open."""
        if self._file is None:
            self._open()
        assert self._file is not None
        if self._is_cut():
            self._at, self._known, self.cut = 0, (0, 0), self.cut + 1
        raw = os.pread(self._file.fileno(), _PIECE, self._at)
        end = raw.rfind(b"\n") + 1
        if not end and len(raw) == _PIECE:
            end = len(raw)  # a line longer than any log writes
        if not end and self._is_replaced():
            if time.monotonic() - self._idle_since < _GRACE_S:
                return Piece(b"")
            text, head = raw, self._new_head  # a last line that nobody ended
            self._next()
            return Piece(text, head)
        if end or not self._idle_since:
            self._idle_since = time.monotonic()
        self._at += end
        head, self._new_head = self._new_head, b""
        return Piece(raw[:end], head)

    def close(self) -> None:
        if self._file is not None:
            self._place = self.place
            self._file.close()
            self._file = None

    def _open(self) -> None:
        """The file that was read last, if it is still there under any name; else the path's."""
        if not self._place:
            self._take(self._path)
            if not self._from_start:
                self._skip_to_end()
            return
        inode, at, mark, size = map(int, self._place.split())
        for path in (self._path, *sorted(self._path.parent.iterdir())):
            if path.is_file() and path.stat().st_ino == inode and path.stat().st_size >= at:
                self._take(path)
                assert self._file is not None
                if self._mark(self._file, size) == mark:
                    self._at = at
                    self._new_head = os.pread(self._file.fileno(), min(_HEAD, at), 0)
                    return
        self.missed += 1
        self._take(self._path)

    def _take(self, path: Path) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._at, self._known = path.open("rb", buffering=0), 0, (0, 0)
        self._idle_since = time.monotonic()

    def _skip_to_end(self) -> None:
        assert self._file is not None
        size = os.fstat(self._file.fileno()).st_size
        raw = os.pread(self._file.fileno(), _PIECE, max(size - _PIECE, 0))
        self._at = size - (len(raw) - raw.rfind(b"\n") - 1)
        self._new_head = os.pread(self._file.fileno(), min(_HEAD, self._at), 0)

    def _next(self) -> None:
        self.rotated += 1
        self._take(self._path)
        self._new_head = b""

    def _is_replaced(self) -> bool:
        assert self._file is not None
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False  # the next one will come

    def _is_cut(self) -> bool:
        """Shorter than what was read, or with another beginning: written anew in place."""
        assert self._file is not None
        if os.fstat(self._file.fileno()).st_size < self._at:
            return True
        size, mark = self._known
        if self._mark(self._file, size) != mark:
            return True
        if size < min(self._at, _MARKED):
            size = min(self._at, _MARKED)
            self._known = size, self._mark(self._file, size)
        return False

    @staticmethod
    def _mark(file: BinaryIO, size: int) -> int:
        return crc32(os.pread(file.fileno(), size, 0))
