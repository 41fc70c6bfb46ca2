"""Charts drawn as SVG on the server: colours come from the style sheet, never from attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 640, 170
_LEFT, _BOTTOM, _TOP = 30, 22, 8


@dataclass(frozen=True)
class Column:
    """One stacked column: a label under it, and a count for each series, bottom first."""

    label: str
    counts: Mapping[str, int]
    link: str = ""

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def stacked_columns(columns: Sequence[Column], names: Mapping[str, str], title: str) -> Markup:
    """Columns stacked by series; `names` gives each series' name, in stacking order.

    A series `x` is drawn with the class `is-x`. Every part says its number as a tooltip, and the
    page beside it shows the same numbers as a table for those who cannot see the picture.
    """
    top = _round_up(max((c.total for c in columns), default=0))
    plot = _HEIGHT - _BOTTOM - _TOP
    pitch = (_WIDTH - _LEFT) / max(1, len(columns))
    width = min(34.0, pitch * 0.62)
    parts = [_grid(top, plot)]
    every = 1 + (len(columns) - 1) // 10  # labels that would touch are left out
    for number, column in enumerate(columns):
        x = _LEFT + pitch * (number + 0.5)
        parts.append(_column(column, names, x, width, plot / top))
        if number % every == 0:
            parts.append(
                Markup('<text class="{}" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                    "odd" if number // every % 2 else "even", x, _HEIGHT - 6, column.label
                )
            )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, title, Markup("").join(parts))


def gauge(share: float, title: str) -> Markup:
    """A small bar for a share of one."""
    filled = max(0.0, min(1.0, share)) * 64
    return Markup(
        '<svg class="gauge" width="64" height="8" viewBox="0 0 64 8" role="img" aria-label="{}">'
        '<rect class="ground" width="64" height="8" rx="4"/>'
        '<rect class="level" width="{:.1f}" height="8" rx="4"/></svg>'
    ).format(title, filled)


def _column(
    column: Column, names: Mapping[str, str], x: float, width: float, scale: float
) -> Markup:
    drawn = Markup("")
    y = float(_HEIGHT - _BOTTOM)
    for series, name in names.items():
        count = column.counts.get(series, 0)
        if not count:
            continue
        height = count * scale
        y -= height
        drawn += Markup(
            '<rect class="bar is-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
            "<title>{}</title></rect>"
        ).format(
            series, x - width / 2, y, width, max(1.0, height - 1),
            f"{column.label} {name}: {count}",
        )  # fmt: skip
    return Markup('<a href="{}">{}</a>').format(column.link, drawn) if column.link else drawn


def _grid(top: int, plot: int) -> Markup:
    lines = Markup("")
    for step in range(3):
        y = _TOP + plot * step / 2
        value = top * (2 - step) / 2
        lines += Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(_LEFT, _WIDTH, y, y, _LEFT - 6, y + 4, escape(f"{value:g}"))
    return lines


def _round_up(count: int) -> int:
    """The smallest of 2, 4, 10, 20, 40, 100 … that holds the count, so that halves stay whole."""
    top = 2
    for factor in (2, 4, 10, 20, 40, 100, 200, 400, 1000, 2000, 4000, 10_000, 100_000):
        top = factor
        if count <= factor:
            break
    return max(top, count)
