"""Badges made in Python: a shape, a colour class and words, so that colour never stands alone."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

_SHAPE: Final = {
    "critical": "M3 0h4l3 3v4l-3 3H3L0 7V3z",
    "high": "M5 0 10 9.5H0z",
    "medium": "m5 0 5 5-5 5-5-5z",
    "ok": "M3.6 9.5 0 5.7l1.5-1.5 2.1 2.2L8.4.8 10 2.2z",
}
_DOT: Final = "M5 1a4 4 0 1 0 0 8a4 4 0 1 0 0-8z"


def badge(tone: str, text: str) -> Markup:
    """`tone` is a severity or ok; it chooses the shape and the class `is-…`."""
    return Markup(
        '<span class="badge is-{}"><svg viewBox="0 0 10 10" fill="currentColor" aria-hidden="true">'
        '<path d="{}"/></svg>{}</span>'
    ).format(tone, _SHAPE.get(tone, _DOT), text)
