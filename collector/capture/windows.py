"""Bytes of a capture as windows: mapped from a plain file, or streamed through a decompressor.

A window starts at the record boundary that the reader asks for, so that no record is split as
long as it fits the window. Only a few windows are alive at once, whatever the file's size.
"""

from __future__ import annotations

import mmap
import zlib
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

#: Usual bytes of a window; the reader asks for more when one record does not fit.
MAPPED_WINDOW = 32 << 20
STREAMED_WINDOW = 4 << 20


class Windows(Protocol):
    """Where a capture's bytes come from."""

    def window(self, start: int, at_least: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        """Bytes from `start` on: (buffer, where `start` is in it, filled, is the last)."""

    def position(self) -> int:
        """Bytes of the file on disk that have been consumed, for a progress bar."""

    def fault(self) -> str:
        """Why the bytes ended before their time; empty if they did not."""

    def close(self) -> None: ...


class MappedWindows:
    """Windows of a plain file, mapped and populated at once: a third fewer page faults."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size, self._at = file, size, 0

    def window(self, start: int, at_least: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        base = start // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        length = min(max(MAPPED_WINDOW, 2 * at_least), self._size - base)
        self._at = start
        if length <= 0:
            return np.zeros(0, np.uint8), 0, 0, True
        populate = getattr(mmap, "MAP_POPULATE", 0)
        mapped = mmap.mmap(
            self._file.fileno(), length, mmap.MAP_SHARED | populate, mmap.PROT_READ, offset=base
        )
        buffer = np.frombuffer(mapped, np.uint8)
        return buffer, start - base, length, base + length >= self._size

    def position(self) -> int:
        return self._at

    def fault(self) -> str:
        return ""

    def close(self) -> None:
        self._file.close()


class GzipStream:
    """Members of a gzip file; unlike gzip.GzipFile it gives all that a cut file still holds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._inflater = zlib.decompressobj(wbits=31)
        self._pending = b""

    def read(self, size: int) -> bytes:
        while True:
            if self._inflater.eof:
                self._pending = self._inflater.unused_data or self._file.read(1 << 16)
                if not self._pending.startswith(b"\x1f\x8b"):
                    return b""  # the end, or padding after it
                self._inflater = zlib.decompressobj(wbits=31)
            elif not self._pending:
                self._pending = self._file.read(1 << 16)
                if not self._pending:
                    raise EOFError("the gzip stream does not end")
            piece = self._inflater.decompress(self._pending, size)
            self._pending = self._inflater.unconsumed_tail
            if piece:
                return piece

    def close(self) -> None:
        self._pending = b""


class Stream(Protocol):
    """A decompressor: up to `size` bytes at a time, none at the end."""

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class StreamedWindows:
    """Windows of a compressed file; `start` counts decompressed bytes and only moves forward."""

    def __init__(
        self, file: BinaryIO, stream: Stream, faults: tuple[type[Exception], ...] = ()
    ) -> None:
        self._file, self._stream = file, stream
        self._faults: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, *faults)
        self._kept = np.zeros(0, np.uint8)
        self._base = 0
        self._ended = False
        self._fault = ""

    def window(self, start: int, at_least: int) -> tuple[NDArray[np.uint8], int, int, bool]:
        kept = self._kept[start - self._base :]
        size = max(STREAMED_WINDOW, at_least, len(kept))
        buffer = np.empty(size, np.uint8)
        buffer[: len(kept)] = kept
        filled = len(kept)
        while filled < size and not self._ended:
            try:
                piece = self._stream.read(min(size - filled, 1 << 20))
            except self._faults as error:
                self._fault, piece = str(error), b""
            self._ended = not piece
            buffer[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
            filled += len(piece)
        self._kept, self._base = buffer[:filled], start
        return buffer, 0, filled, self._ended

    def position(self) -> int:
        return self._file.tell()

    def fault(self) -> str:
        return self._fault

    def close(self) -> None:
        self._stream.close()
        self._file.close()
