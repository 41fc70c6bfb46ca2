"""Twin of the pivot: the same caterer, inside its window, on its registered target only.

Thursday 22 October, 10:30. Nothing to report.
"""

from sample_pcaps import day
from sample_pcaps.wire import SECOND, Span


def record() -> Span:
    span = Span("registered visit")
    start = day.clock("2026-10-22", "10:30")
    day.bustle(span, start, 4, share=0.4)
    day.catering_visit(span, start + 20 * SECOND, 200)
    return span
