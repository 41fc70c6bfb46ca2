"""When a syslog record was written, and by whom, from its own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from collector.foreign.cells import iso_ns, time_of
from collector.monitors.records import Record

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
_OLD: Final = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)")
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_REPORTER: Final = re.compile(r"\s+(?:\S+\s+)??(\d{1,3}(?:\.\d{1,3}){3})\b")
_ZONE: Final = re.compile(r"([+-]\d\d):?(\d\d)")


@dataclass(frozen=True)
class Header:
    """A time without a zone is read in this machine's zone, as syslog means it."""

    time_ns: int
    reporter_ip: str = ""

    @staticmethod
    def of(record: Record, year: int) -> Header:
        """ValueError if the record tells no time."""
        stamp = _OLD.search(record.text[:64]) or _ISO.search(record.text[:64])
        reporter = _REPORTER.match(record.text, stamp.end()) if stamp else None
        return Header(_time_ns(record, stamp, year), reporter[1] if reporter else "")


def _time_ns(record: Record, stamp: re.Match[str] | None, year: int) -> int:
    exact = record.first("eventtime")  # FortiGate: seconds or nanoseconds since 1970
    if exact.isdigit() and len(exact) in (10, 19):
        return time_of(int(exact.ljust(19, "0")))
    date, clock = record.first("date"), record.first("time")
    if date and clock:
        zone = _ZONE.fullmatch(record.first("tz"))
        return _ns(f"{date}T{clock}{f'{zone[1]}:{zone[2]}' if zone else ''}")
    if stamp is None:
        raise ValueError("a record without a time")
    if stamp.re is _ISO:
        return _ns(stamp[0].replace(" ", "T"))
    month = _MONTHS.index(stamp[1]) // 3 + 1
    hours = f"{stamp[4]}:{stamp[5]}:{stamp[6]}"
    return _ns(f"{int(stamp[3] or year):04d}-{month:02d}-{int(stamp[2]):02d}T{hours}")


def _ns(text: str) -> int:
    told = datetime.fromisoformat(text.replace("Z", "+00:00").partition(".")[0])
    if _has_zone(text):
        return iso_ns(text)
    try:
        return time_of(int(told.astimezone().timestamp()) * 1_000_000_000)
    except OverflowError:
        raise ValueError("no time") from None


def _has_zone(text: str) -> bool:
    return text.endswith("Z") or bool(_ZONE.search(text[19:]))
