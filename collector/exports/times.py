"""When a record's flow began and ended, from whichever clock the exporter uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.exports import elements as e

if TYPE_CHECKING:
    from collector.exports.records import Records

Times = NDArray[np.int64]
_NTP_EPOCH_S: Final = 2_208_988_800  # 1900 to 1970
_LATEST_NS: Final = 1 << 62  # year 2116; later ones are garbage


def record_times(records: Records) -> tuple[Times, Times]:
    """(first_ns, last_ns) of each record; the export's own time where a record tells none."""
    export_ns = records.each(context.export_ns for context in records.contexts)
    last = _told(records, False, export_ns)
    event = records.first_of(e.EVENT_MS)
    if last is None:
        last = export_ns if event is None else _checked(event, 1_000_000, export_ns)
    first = _told(records, True, export_ns)
    if first is None:
        first = last - _duration_ns(records)
    return np.minimum(first, last), last


def _told(records: Records, is_first: bool, export_ns: Times) -> Times | None:
    """The best of the absolute clocks, else the exporter's uptime; None if there is none."""
    milliseconds = records.first_of((e.FIRST_MS if is_first else e.LAST_MS,))
    if milliseconds is not None:
        return _checked(milliseconds, 1_000_000, export_ns)
    for element in (e.FIRST_NS, e.FIRST_US) if is_first else (e.LAST_NS, e.LAST_US):
        if records.has(element):
            return _from_ntp(records.number(element), export_ns)
    seconds = records.first_of((e.FIRST_S if is_first else e.LAST_S,))
    if seconds is not None:
        return _checked(seconds, 1_000_000_000, export_ns)
    before = records.first_of((e.FIRST_BEFORE_US if is_first else e.LAST_BEFORE_US,))
    if before is not None:
        return export_ns - (before & np.uint64(0xFFFF_FFFF)).astype(np.int64) * 1000
    uptime = records.first_of((e.FIRST_UPTIME if is_first else e.LAST_UPTIME,))
    return None if uptime is None else _from_uptime(records, uptime, export_ns)


def _checked(value: NDArray[Any], unit_ns: int, export_ns: Times) -> Times:
    is_sane = (value > 0) & (value < np.uint64(_LATEST_NS // unit_ns))
    return np.where(is_sane, np.where(is_sane, value, 0).astype(np.int64) * unit_ns, export_ns)


def _from_ntp(value: NDArray[Any], export_ns: Times) -> Times:
    """RFC 7011 §6.1.9: seconds since 1900, then a binary fraction."""
    seconds = (value >> np.uint64(32)).astype(np.int64) - _NTP_EPOCH_S
    fraction = (value & np.uint64(0xFFFF_FFFF)).astype(np.int64)
    told = seconds * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)
    return np.where(seconds > 0, told, export_ns)


def _from_uptime(records: Records, switched: NDArray[Any], export_ns: Times) -> Times:
    """Milliseconds since the exporter started; the 32-bit clock wraps after 49 days.

    v5 and v9 headers carry the uptime at export; IPFIX tells the start by systemInitTime, in the
    record or by option.
    """
    uptime_ms = records.each(context.uptime_ms for context in records.contexts)
    boot_ms = records.each(context.boot_ms for context in records.contexts)
    own_boot = records.first_of((e.BOOT_MS,))
    if own_boot is not None:
        boot_ms = _checked(own_boot, 1, boot_ms)
    ago_ms = (uptime_ms - switched.astype(np.int64)) & 0xFFFF_FFFF
    ago_ms = np.where(ago_ms >= 1 << 31, ago_ms - (1 << 32), ago_ms)
    by_boot = _checked(switched.astype(np.int64) + boot_ms, 1_000_000, export_ns)
    told = np.where(boot_ms >= 0, by_boot, export_ns)
    return np.where(uptime_ms >= 0, export_ns - ago_ms * 1_000_000, told)


def _duration_ns(records: Records) -> Times:
    for element, unit_ns in ((e.DURATION_MS, 1_000_000), (e.DURATION_US, 1000)):
        if records.has(element):
            value = records.number(element) & np.uint64(0xFFFF_FFFF)
            return value.astype(np.int64) * unit_ns
    return np.zeros(len(records.rows), np.int64)
