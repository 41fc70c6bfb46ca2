"""What every packet source hands to the fast lane: a buffer, and an index of its packets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Where each packet of a buffer stands; a capture file and an AF_PACKET ring both yield it.
INDEX_DTYPE: Final = np.dtype(
    [
        ("offset", "i8"),  # of the frame's first byte in the buffer
        ("time_ns", "i8"),  # ns since 1970 UTC
        ("captured", "u4"),  # bytes of the frame that are in the buffer
        ("wire", "u4"),  # bytes that the frame had on the wire
        ("link_type", "u4"),  # LINKTYPE_*
        ("interface", "u4"),  # number of the interface in its section
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some packets: `index` rows (INDEX_DTYPE) point into `buffer` (uint8, 1-D)."""

    buffer: NDArray[np.uint8]
    index: NDArray[Any]

    def __len__(self) -> int:
        return len(self.index)


class CaptureError(Exception):
    """A capture that cannot be read: which file, where, and why."""

    def __init__(self, path: Path | str, offset: int, reason: str) -> None:
        super().__init__(f"{path}: {reason}" + (f" (at byte {offset})" if offset else ""))
        self.path = Path(path)
        self.offset = offset
        self.reason = reason

    def __reduce__(self) -> tuple[type[CaptureError], tuple[Path, int, str]]:
        """It comes from another process as it was (`collector.reading_process`)."""
        return CaptureError, (self.path, self.offset, self.reason)
