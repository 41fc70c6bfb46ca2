"""Open a capture file, whatever its format, and read it as chunks of indexed packets."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from collector.capture import kernels
from collector.capture.ahead import read_ahead
from collector.capture.chunk import INDEX_DTYPE, CaptureError, Chunk
from collector.capture.windows import GzipStream, Pool, Windows
from collector.fastlane.starting import start_numba

#: Packets in one chunk, at most.
CHUNK_PACKETS: Final = 65_536

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PCAPNG = b"\x0a\x0d\x0d\x0a"
#: Magic of classic pcap → (big endian, ns of one tick, bytes of its file header).
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": (False, 1000),
    b"\xa1\xb2\xc3\xd4": (True, 1000),
    b"\x4d\x3c\xb2\xa1": (False, 1),
    b"\xa1\xb2\x3c\x4d": (True, 1),
}
#: Formats that we know but do not read; the message says what to do.
_FOREIGN: Final = {
    b"snoop\x00\x00\x00": "a Solaris snoop file",
    b"\x34\xcd\xb2\xa1": "a modified (Kuznetzov) pcap file",
    b"XCP\x00": "a NetXRay file",
    b"TRSNIFF ": "a Sniffer file",
    b"GMBU": "a Microsoft Network Monitor file",
    b"RTSS": "a Microsoft Network Monitor file",
    b"PK\x03\x04": "a zip archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"BZh": "a bzip2 archive",
    b"7z\xbc\xaf": "a 7z archive",
}


def open_capture(path: Path | str) -> Capture:
    """Open a pcap or pcapng file, plain, gzip or zstd, told by its magic.

    Raises CaptureError if the file cannot be read or is of no format that we know.
    """
    path = Path(path)
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise CaptureError(path, 0, error.strerror or str(error)) from error
    try:
        return Capture(path, file)
    except BaseException:
        file.close()
        raise


class Capture:
    """One capture file, read once from its start to its end; use as a context manager.

    Attributes: `size` (bytes on disk), `position` (bytes consumed), `notes` (what was wrong with
    the file, in words; complete once the iteration ended).
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        start_numba()
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        self.notes: list[str] = []
        self._windows = _choose_windows(path, file)
        self._buffer, self._filled, self._last = self._windows.window(0, 0)
        self._at = 0
        self._base = 0  # offset of the buffer's first byte in the decompressed file
        head = self._buffer[self._at : min(self._filled, self._at + 24)].tobytes()
        self._walk = self._choose_walk(head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._buffer = np.zeros(0, np.uint8)
        self._windows.close()

    @property
    def position(self) -> int:
        return min(self._windows.position(), self.size)

    def __iter__(self) -> Iterator[Chunk]:
        return read_ahead(self._chunks())

    def _chunks(self) -> Generator[Chunk, None, None]:
        wanted = 0
        indexes = Pool(INDEX_DTYPE)
        while True:
            index = indexes.take(CHUNK_PACKETS)
            before = self._at
            count, why = self._index(index)
            if count:
                yield Chunk(self._buffer, index[:count])
            if why == kernels.CORRUPT:
                self._note("corrupt record header")
                return
            if why == kernels.MORE:
                if self._last:
                    self._note_end()
                    return
                wanted = 2 * (self._filled - self._at) if self._at == before else 0
                if wanted > 8 * kernels.MAX_RECORD:
                    self._note("record that does not end")
                    return
                self._move(wanted)

    def _index(self, index: NDArray[Any]) -> tuple[int, int]:
        """Index what the window holds and can still take in: (packets, why it stopped)."""
        count = 0
        while True:
            found, self._at, why = self._walk(index[count:])
            count += found
            if why != kernels.MORE or self._last or self._filled == len(self._buffer):
                return count, why
            self._filled, self._last = self._windows.fill()

    def _move(self, wanted: int) -> None:
        """Go on to the window that starts with the next record."""
        self._base += self._at
        self._at = 0
        self._buffer, self._filled, self._last = self._windows.window(self._base, wanted)

    def _note_end(self) -> None:
        if self._at < self._filled or self._windows.fault():
            end = self._base + self._filled
            fault = self._windows.fault()
            self.notes.append(f"{self.path}: cut off at byte {end}{f' ({fault})' if fault else ''}")

    def _note(self, what: str) -> None:
        self.notes.append(
            f"{self.path}: {what} at byte {self._base + self._at}; the rest is unread"
        )

    def _choose_walk(self, head: bytes) -> Any:
        """Read the file's header and return the kernel, bound to what the header says."""
        if head[:4] == _PCAPNG:
            section = np.zeros(3, np.int64)
            interfaces = np.zeros((kernels.MAX_INTERFACES, 5), np.int64)
            return lambda index: kernels.walk_pcapng(
                self._buffer, self._at, self._filled, section, interfaces, index
            )
        if head[:4] not in _PCAP:
            raise CaptureError(self.path, 0, _describe(head))
        if len(head) < 24:
            raise CaptureError(self.path, len(head), "cut off inside the file header")
        big, tick_ns = _PCAP[head[:4]]
        # The upper 16 bits tell of frame check sequences, not of the link type.
        link_type = int.from_bytes(head[20:24], "big" if big else "little") & 0xFFFF
        self._at += 24
        return lambda index: kernels.walk_pcap(
            self._buffer, self._at, self._filled, big, tick_ns, link_type, index
        )


def _describe(head: bytes) -> str:
    if not head:
        return "empty file"
    for magic, name in _FOREIGN.items():
        if head.startswith(magic):
            return f"{name}; convert it to pcapng first (editcap, or unpack it)"
    return f"neither pcap nor pcapng (starts with {head[:4].hex()})"


def _choose_windows(path: Path, file: FileIO) -> Windows:
    try:
        magic = file.read(4)
        file.seek(0)
    except OSError as error:
        raise CaptureError(path, 0, error.strerror or str(error)) from error
    if magic.startswith(_GZIP):
        return Windows(file, GzipStream(file))
    if magic == _ZSTD:
        import zstandard

        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return Windows(file, reader, (zstandard.ZstdError,))
    return Windows(file, file)
