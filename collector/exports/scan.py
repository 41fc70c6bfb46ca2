"""Read the headers of many datagrams at once: which sets they hold, and from whom they come."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane.wire import Buffer, read16, read32

#: What one datagram's header says.
HEAD_DTYPE: Final = np.dtype(
    [
        ("version", "i8"),  # 5, 9, 10; 0 where it is none of them
        ("fault", "i8"),  # index into FAULTS
        ("sequence", "i8"),
        ("step", "i8"),  # how far the sequence number goes on; -1 unknown, -2 do not look
        ("export_ns", "i8"),
        ("uptime_ms", "i8"),  # -1 where the header has none
        ("domain", "i8"),
        ("rate", "i8"),
        ("group", "i8"),
    ],
    align=True,
)
#: One set; `kind` is its id. What has none: the records of a v5 datagram, and sFlow as a whole.
SET_DTYPE: Final = np.dtype(
    [("datagram", "i8"), ("kind", "i8"), ("at", "i8"), ("length", "i8")], align=True
)
V5, SFLOW = 1 << 16, 1 << 17
FAULTS: Final = (
    "",
    "datagram cut short",
    "unknown version",
    "set length does not fit",
)
_SHORT, _UNKNOWN, _MISFIT = 1, 2, 3
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)


@njit(cache=True, nogil=True)
def scan(buffer: Buffer, offset: Any, length: Any, heads: Any, sets: Any) -> int:
    """Fill one head a datagram, and the sets of all; returns how many sets there are."""
    count = 0
    for number in range(len(offset)):
        at, end = offset[number], offset[number] + length[number]
        head = heads[number]
        head.version, head.fault, head.sequence, head.step = 0, 0, 0, -2
        head.export_ns, head.uptime_ms, head.domain, head.rate = 0, -1, 0, 1
        if end - at < 4:
            head.fault = _SHORT
            continue
        version = read16(buffer, at)
        if version == 5:
            count = _scan_v5(buffer, at, end, number, head, sets, count)
        elif version == 9 or version == 10:
            count = _scan_sets(buffer, at, end, number, head, sets, count, version)
        elif version == 0 and buffer[at + 3] == 5:
            row = sets[count]
            row.datagram, row.kind, row.at, row.length = number, SFLOW, at, end - at
            count += 1
        else:
            head.fault = _UNKNOWN
    return count


@njit(cache=True, nogil=True)
def _scan_v5(
    buffer: Buffer, at: int, end: int, number: int, head: Any, sets: Any, count: int
) -> int:
    if end - at < 24:
        head.fault = _SHORT
        return count
    head.version = 5
    records = read16(buffer, at + 2)
    head.uptime_ms = read32(buffer, at + 4)
    nanoseconds = min(read32(buffer, at + 12), 999_999_999)
    head.export_ns = read32(buffer, at + 8) * 1_000_000_000 + nanoseconds
    head.sequence = read32(buffer, at + 16)
    head.step = records
    head.domain = read16(buffer, at + 20)
    head.rate = max(1, read16(buffer, at + 22) & 0x3FFF)  # the top two bits say how, not how often
    whole = min(records, (end - at - 24) // 48)
    if whole < records:
        head.fault = _SHORT
    if whole > 0:
        row = sets[count]
        row.datagram, row.kind, row.at, row.length = number, V5, at + 24, whole * 48
        count += 1
    return count


@njit(cache=True, nogil=True)
def _scan_sets(
    buffer: Buffer, at: int, end: int, number: int, head: Any, sets: Any, count: int, version: int
) -> int:
    size = 20 if version == 9 else 16
    if end - at < size:
        head.fault = _SHORT
        return count
    head.version = version
    if version == 9:
        head.uptime_ms = read32(buffer, at + 4)
        head.export_ns = read32(buffer, at + 8) * 1_000_000_000
        head.sequence, head.domain, head.step = read32(buffer, at + 12), read32(buffer, at + 16), 1
    else:
        head.export_ns = read32(buffer, at + 4) * 1_000_000_000
        head.sequence, head.domain, head.step = read32(buffer, at + 8), read32(buffer, at + 12), 0
        told = at + read16(buffer, at + 2)
        if told > end:
            head.fault = _SHORT
        end = min(end, told)
    at += size
    while at + 4 <= end:
        kind, length = read16(buffer, at), read16(buffer, at + 2)
        if length < 4 or at + length > end:
            if kind != 0 or length != 0:  # zeros pad the datagram
                head.fault = _MISFIT
                if version == 10:
                    head.step = -2
            return count
        row = sets[count]
        row.datagram, row.kind, row.at, row.length = number, kind, at + 4, length - 4
        count += 1
        at += length
    return count


@njit(cache=True, nogil=True)
def number_domains(heads: Any, exporter: Any, port: Any, slots: Any, firsts: Any) -> int:
    """Number the distinct (exporter, port, version, domain); `firsts` is one datagram of each.

    `slots` (int64, a power of two, at least twice the datagrams) is zeroed by the caller.
    """
    count = 0
    mask = np.uint64(len(slots) - 1)
    for number in range(len(heads)):
        head = heads[number]
        mixed = exporter[number, 0] * _MIX ^ exporter[number, 1]
        mixed = (mixed ^ np.uint64(port[number]) << np.uint64(48)) * _MIX
        mixed = (mixed ^ np.uint64(head.version << 32 | head.domain)) * _MIX
        slot = np.int64(mixed >> np.uint64(20) & mask)
        while True:
            known = slots[slot] - 1
            if known < 0:
                slots[slot] = count + 1
                firsts[count] = number
                head.group = count
                count += 1
                break
            other = firsts[known]
            if (
                exporter[other, 0] == exporter[number, 0]
                and exporter[other, 1] == exporter[number, 1]
                and port[other] == port[number]
                and heads[other].version == head.version
                and heads[other].domain == head.domain
            ):
                head.group = known
                break
            slot = np.int64(np.uint64(slot + 1) & mask)
    return count


@njit(cache=True, nogil=True)
def count_lost(heads: Any, following: NDArray[Any], lost: NDArray[Any]) -> None:
    """Follow each group's sequence numbers; `following` (-1 unknown) and `lost` are per group."""
    for number in range(len(heads)):
        head = heads[number]
        if head.step == -2:
            continue
        group = head.group
        missing = (head.sequence - following[group]) & 0xFFFF_FFFF
        if following[group] >= 0 and 0 < missing < 1 << 24:  # beyond that, a restart
            lost[group] += missing
        following[group] = -1 if head.step < 0 else (head.sequence + head.step) & 0xFFFF_FFFF
