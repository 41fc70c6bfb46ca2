"""Five working days without anything wrong, some minutes of each.

Two registered visits are among them: the caterer's on Friday 2 October and the CT vendor's on
Monday 5 October, both inside their windows and on their registered targets.
"""

from sample_pcaps import day
from sample_pcaps.hospital import HOSTS
from sample_pcaps.wire import SECOND, Span

DAYS = ("2026-10-01", "2026-10-02", "2026-10-05", "2026-10-07", "2026-10-09")


def record() -> Span:
    span = Span("quiet days")
    for date in DAYS:
        start = day.clock(date, "08:30")
        day.arrivals(span, start, 4)
        day.bustle(span, start, 3)
        day.bustle(span, day.clock(date, "10:00"), 3)
        day.bustle(span, day.clock(date, "14:00"), 3)
        day.night(span, day.clock(date, "22:30"))
    day.catering_visit(span, day.clock("2026-10-02", "10:00"), 60)
    day.ct_vendor_visit(span, day.clock("2026-10-05", "14:00"), 70)
    for date in DAYS[::2]:
        start = day.clock(date, "14:00") + 20 * SECOND
        day.administration(span, start, HOSTS["EMR-AP1"], 40)
    return span
