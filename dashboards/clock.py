"""Times as the hospital's clock shows them; everywhere else they are UTC nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from dashboards.words import Words

_DAY_S = 86_400


class Clock:
    """Writes times in one timezone."""

    def __init__(self, timezone: str) -> None:
        self.zone = ZoneInfo(timezone)

    def at(self, time_ns: int) -> datetime:
        return datetime.fromtimestamp(time_ns / 1e9, self.zone)

    def moment(self, time_ns: int) -> Markup:
        """2026-11-22 14:03 as a <time> element; a dash where there is none."""
        return self._element(time_ns, "%Y-%m-%d %H:%M")

    def second(self, time_ns: int) -> Markup:
        """2026-11-22 14:03:05."""
        return self._element(time_ns, "%Y-%m-%d %H:%M:%S")

    def hour(self, time_ns: int) -> Markup:
        """14:03, where the day stands elsewhere."""
        return self._element(time_ns, "%H:%M")

    def minute(self, time_ns: int) -> str:
        """2026-11-22 14:03 as plain text, to stand in a sentence."""
        return self.at(time_ns).strftime("%Y-%m-%d %H:%M")

    def text(self, time_ns: int) -> str:
        return self.at(time_ns).strftime("%Y-%m-%d %H:%M:%S %Z") if time_ns else ""

    def day(self, time_ns: int, t: Words) -> str:
        """The day with its weekday, as a heading."""
        at = self.at(time_ns)
        weekday = t("clock.weekdays").split(" ")[at.weekday()]
        return t("clock.day", year=at.year, month=at.month, day=at.day, weekday=weekday)

    def _element(self, time_ns: int, form: str) -> Markup:
        if not time_ns:
            return Markup("–")
        utc = datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="seconds")
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            utc, self.text(time_ns), escape(self.at(time_ns).strftime(form))
        )


def span(seconds: float, t: Words) -> str:
    """A length of time in its two largest units, as people say it."""
    whole = round(seconds)
    if whole < 60:
        return t("clock.seconds", n=whole)
    if whole < 3600:
        return t("clock.minutes", n=whole // 60)
    if whole < _DAY_S:
        return t("clock.hours", n=whole // 3600, minutes=whole % 3600 // 60)
    return t("clock.days", n=whole // _DAY_S, hours=whole % _DAY_S // 3600)


def size(count: float) -> str:
    """Bytes with a decimal unit."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
