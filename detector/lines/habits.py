"""What each inside host does every day: attempts to go out, and calls on proxy, updates, time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.sightings import Dns
from detector.detection import Window
from detector.distinct import distinct
from detector.lines.addresses import PUBLIC, is_public
from detector.lines.habit_kernels import (
    ATTEMPTS,
    HABITS_A_FLOW,
    INTERNAL,
    NO_ROW,
    RESOLVED,
    UNUSED,
    count_habits,
)

DAYS: Final = 14
MAX_HOSTS: Final = 20_000
DAY_NS: Final = 86_400_000_000_000
_QUARTER_NS: Final = 900_000_000_000

KINDS: Final = 9
_HTTP_PROXY: Final = APP_CODE["http_proxy"]
_NTP: Final = APP_CODE["ntp"]
#: Names that Windows and its programs ask for by themselves, in a closed network in vain.
_PROBES: Final = (
    "msftncsi.com", "msftconnecttest.com", "windowsupdate.com", "update.microsoft.com",
    "time.windows.com", "digicert.com", "verisign.com", "globalsign.com", "microsoft.com",
)  # fmt: skip
#: A connection follows within 30 s; it is reported after another minute at the latest.
_CONNECT_NS: Final = 120_000_000_000


@lru_cache(maxsize=64)
def _local_day(quarter: int, timezone: str) -> int:
    at = datetime.fromtimestamp(quarter * _QUARTER_NS // 1_000_000_000, UTC)
    return at.astimezone(ZoneInfo(timezone)).toordinal()


@dataclass
class Habits:
    """Counts a local day, by host; fourteen active days are kept of each."""

    row_of: dict[int, int] = field(default_factory=dict)  # host number → row
    #: The same by host number, NO_ROW for the others.
    rows_by_number: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    today: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((64, KINDS), np.uint32))
    past: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((64, DAYS, KINDS), np.uint32))
    known_days: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(64, np.uint8))
    day: int = -1
    #: Public addresses that a host was told by DNS: (host, address) → when.
    told: dict[tuple[str, str], int] = field(default_factory=dict)

    def observe(self, window: Window, bits: NDArray[np.uint8]) -> bool:
        """Take in a window; True if a local day has ended before it (read it, then `turn`)."""
        self._count(window, bits)
        return self.day >= 0 and self.local_day(window) > self.day

    def turn(self, window: Window) -> None:
        """Put the day away; days without traffic of a host are no days of its."""
        was_active = self.today[:, INTERNAL] > 0
        self.past[was_active] = np.roll(self.past[was_active], 1, axis=1)
        self.past[was_active, 0] = self.today[was_active]
        self.known_days[was_active] = np.minimum(self.known_days[was_active] + 1, DAYS)
        self.today[:] = 0
        self.day = self.local_day(window)

    def local_day(self, window: Window) -> int:
        """Days since 1970 on the hospital's clock, at the window's start."""
        # Offsets from UTC change at full quarters of an hour, and so does the date.
        return _local_day(window.start_ns // _QUARTER_NS, window.hospital.timezone)

    def _count(self, window: Window, bits: NDArray[np.uint8]) -> None:
        """Add up the window; what begins a new day is counted by the caller after `turn`."""
        if self.day < 0:
            self.day = self.local_day(window)
        if self.local_day(window) > self.day:
            return
        self._make_room(len(bits))
        rows = window.flows.rows.view(OUTPUT_DTYPE)
        hosts = np.empty(len(rows) * HABITS_A_FLOW, np.uint32)
        kinds = np.empty(len(rows) * HABITS_A_FLOW, np.uint8)
        told = count_habits(
            rows, window.source, window.destination, bits, _HTTP_PROXY, _NTP, self.rows_by_number,
            self.today, hosts, kinds,
        )  # fmt: skip
        if told:
            places = hosts[:told].astype(np.int64) << 8 | kinds[:told]
            unique, counts = np.unique(places, return_counts=True)
            for place, count in zip(unique.tolist(), counts.tolist(), strict=True):
                self._add(place >> 8, place & 0xFF, count)
        self._count_names(window, bits)

    def _make_room(self, hosts: int) -> None:
        if len(self.rows_by_number) < hosts:
            grown = np.full(2 * hosts, NO_ROW, np.int32)
            grown[: len(self.rows_by_number)] = self.rows_by_number
            self.rows_by_number = grown

    def _count_names(self, window: Window, bits: NDArray[np.uint8]) -> None:
        """Public names a host was told, and whether it went there over this LAN in time."""
        hosts = window.hosts
        if self.told:
            went = window.flows.reply_packets > 0
            went &= bits[window.destination] & PUBLIC != 0
            rows = np.flatnonzero(went)[:5000]
            pairs = window.source[rows].astype(np.int64) << 32 | window.destination[rows]
            for pair in distinct(pairs).tolist():
                self.told.pop((hosts.ip(pair >> 32), hosts.ip(pair & 0xFFFF_FFFF)), None)
        public: dict[tuple[str, ...], list[str]] = {}  # by what was answered
        whose: list[str] = []
        kinds: list[int] = []
        is_inside, told = window.hospital.is_inside, self.told
        for answer in window.of(Dns):
            if not answer.is_response:
                if answer.name.lower().endswith(_PROBES) and is_inside(answer.ip):
                    whose.append(answer.ip)
                    kinds.append(ATTEMPTS)
                continue
            asker, answers = answer.peer_ip, answer.answers[:4]
            if not answers or not is_inside(asker):
                continue
            if answers not in public:
                public[answers] = [a for a in answers if is_public(a, window.hospital)]
            for address in public[answers]:
                told.pop((asker, address), None)
            if public[answers]:
                whose.append(asker)
                kinds.append(RESOLVED)
                told[asker, public[answers][0]] = answer.time_ns
        for number, kind in zip(hosts.numbers_of(whose), kinds, strict=True):
            self._add(number, kind, 1)
        while self.told:
            (asker, address), when = next(iter(self.told.items()))
            if window.end_ns - when < _CONNECT_NS and len(self.told) < MAX_HOSTS:
                break
            del self.told[asker, address]
            self._add(hosts.number_of(asker), UNUSED, 1)

    def _add(self, number: int, kind: int, count: int) -> None:
        row = self.row_of.get(number)
        if row is None:
            row = len(self.row_of)
            if row >= MAX_HOSTS:
                return
            self.row_of[number] = row
            self._make_room(number + 1)
            self.rows_by_number[number] = row
            if row >= len(self.today):
                self.today = np.concatenate([self.today, np.zeros_like(self.today)])
                self.past = np.concatenate([self.past, np.zeros_like(self.past)])
                self.known_days = np.concatenate([self.known_days, np.zeros_like(self.known_days)])
        self.today[row, kind] += count
