"""When a registered line may be used, e.g. `Mon-Fri 09:00-18:00` or `平日 9時〜18時`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from unicodedata import normalize

from detector.words import Text

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_NUMBER: Final = {
    **{day.lower(): n for n, day in enumerate(_DAYS)},
    **{kanji: n for n, kanji in enumerate("月火水木金土日")},
}
_EVERY_DAY: Final = frozenset(range(7))
_NAMED_DAYS: Final = {
    "平日": frozenset(range(5)),
    "weekdays": frozenset(range(5)),
    "土日": frozenset({5, 6}),
    "休日": frozenset({5, 6}),
    "weekend": frozenset({5, 6}),
    "毎日": _EVERY_DAY,
    "daily": _EVERY_DAY,
    "全日": _EVERY_DAY,
}
_ALWAYS: Final = frozenset({"常時", "随時", "24時間", "24時間365日", "always", "24x7", "24/7"})
#: In place of hours: only while a booking runs.
BOOKING: Final = "booking"
_ON_REQUEST: Final = frozenset(
    {"booking", "on request", "on-request", "ticket", "都度", "都度申請", "都度予約", "要申請",
     "申請時", "申請時のみ", "事前申請", "予約制", "要予約", "作業申請", "作業申請時", "作業時のみ",
     "保守時のみ", "障害時のみ", "オンデマンド"}
)  # fmt: skip
_HOURS: Final = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?$")


@dataclass(frozen=True)
class MaintenanceWindow:
    """Days of the week (0 = Monday) and hours; `end` before `start` runs past midnight."""

    days: frozenset[int]
    start: time
    end: time

    def holds(self, local: datetime) -> bool:
        """True if a moment, in the hospital's own time, lies within."""
        now = local.time()
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= now < self.end
        yesterday = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and now >= self.start) or (
            yesterday in self.days and now < self.end
        )

    def __str__(self) -> str:
        days = sorted(self.days)
        if len(days) == 7:
            named = "Mon-Sun"
        elif len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
            named = f"{_DAYS[days[0]]}-{_DAYS[days[-1]]}"
        else:
            named = ",".join(_DAYS[d] for d in days)
        # A day ends at 24:00, which `time` cannot hold.
        end = "24:00" if self.end == time(0) else f"{self.end:%H:%M}"
        return f"{named} {self.start:%H:%M}-{end}"


def read_window(text: str) -> MaintenanceWindow | None:
    """Read one window; None for "always"; ValueError for what is neither."""
    plain = normalize("NFKC", text).strip().lower()
    if not plain or plain in _ALWAYS:
        return None
    plain = re.sub(r"[~〜～–—ー―]|から", "-", plain).replace("曜日", "").replace("曜", "")
    plain = re.sub(r"(\d{1,2})時半", r"\1:30", plain)
    plain = re.sub(r"(\d{1,2})時(\d{1,2})分", r"\1:\2", plain)
    plain = re.sub(r"(\d{1,2})時", r"\1:00", plain).replace("まで", "")
    plain = re.sub(r"\s*-\s*", "-", plain).replace("-翌日", "-").replace("-翌朝", "-")
    plain = re.sub(r"-(?:翌|当日)\s*", "-", plain)
    found = re.search(r"\d{1,2}(?::\d{2})?-\d{1,2}(?::\d{2})?$", plain)
    days_text = plain[: found.start()].strip() if found else plain
    start, end = _read_hours(found.group()) if found else (time(0), time(0))
    return MaintenanceWindow(_read_days(days_text), start, end)


def windows_text(windows: Iterable[str]) -> Text:
    """Windows of a register's row as people read them; empty where a line is always allowed."""
    en = "; ".join(windows)
    ja = re.sub("|".join(_DAYS), lambda day: "月火水木金土日"[_DAYS.index(day[0])], en)
    return Text(ja.replace("; ", "、").replace(BOOKING, "予約したときだけ"), en)


def is_on_request(text: str) -> bool:
    """True for words that stand for "only when booked"."""
    return normalize("NFKC", text).strip().lower() in _ON_REQUEST


def _read_hours(text: str) -> tuple[time, time]:
    found = _HOURS.match(text)
    if found is None:
        raise ValueError(f"hours not understood: {text}")
    h1, m1, h2, m2 = (int(g or 0) for g in found.groups())
    if h2 == 24 and m2 == 0:
        h2 = 0
    if (h1, m1) == (h2, m2):
        return time(0), time(0)
    return time(h1, m1), time(h2, m2)  # ValueError past 23:59


def _read_days(text: str) -> frozenset[int]:
    if not text:
        return _EVERY_DAY
    if text in _NAMED_DAYS:
        return _NAMED_DAYS[text]
    days: set[int] = set()
    for part in re.split(r"[,・/、\s]+", text):
        first, dash, last = part.partition("-")
        if dash:
            start, end = _day(first), _day(last)
            days |= {(start + n) % 7 for n in range((end - start) % 7 + 1)}
        elif part and all(c in "月火水木金土日" for c in part):
            days |= {_DAY_NUMBER[c] for c in part}
        else:
            days.add(_day(part))
    return frozenset(days)


def _day(text: str) -> int:
    number = _DAY_NUMBER.get(text) if len(text) == 1 else _DAY_NUMBER.get(text[:3])
    if number is None:
        raise ValueError(f"day not understood: {text or '(empty)'}")
    return number
