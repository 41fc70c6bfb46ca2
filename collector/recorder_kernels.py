"""Write packets as pcap records."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane.wire import Buffer


@njit(cache=True, nogil=True)
def write_records(buffer: Buffer, index: Any, most: int, room: Buffer) -> int:
    """pcap records (ns, little-endian) of all packets into `room`; returns bytes used."""
    used = 0
    for number in range(len(index)):
        row = index[number]
        size = min(np.int64(row.captured), np.int64(most))
        used = _write32(room, used, row.time_ns // 1_000_000_000)
        used = _write32(room, used, row.time_ns % 1_000_000_000)
        used = _write32(room, used, size)
        used = _write32(room, used, np.int64(row.wire))
        for byte in range(size):
            room[used + byte] = buffer[row.offset + byte]
        used += size
    return used


@njit(cache=True, nogil=True, inline="always")
def _write32(room: Buffer, at: int, value: int) -> int:
    for byte in range(4):
        room[at + byte] = (value >> 8 * byte) & 0xFF
    return at + 4
