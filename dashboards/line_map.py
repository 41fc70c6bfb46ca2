"""The map of outside lines as SVG: devices inside, places outside, a stroke for each line."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from dashboards.attack_path import cut
from dashboards.line_table import TONE, LineRow

_BOX_W, _BOX_H, _GAP_Y = 210, 46, 14
_LEFT, _RIGHT = 8, 520
_MOST = 20


def draw_lines(rows: Sequence[LineRow], title: str, border: str) -> Markup:
    """Draw the lines, those to worry about first; empty where there are none."""
    shown = list(rows[:_MOST])
    if not shown:
        return Markup("")
    inner = {d: n for n, d in enumerate(dict.fromkeys(r.device for r in shown))}
    outer = {o: n for n, o in enumerate(dict.fromkeys(_outside(r) for r in shown))}
    height = 40 + max(len(inner), len(outer)) * (_BOX_H + _GAP_Y)
    middle = (_LEFT + _BOX_W + _RIGHT) // 2
    strokes = Markup("").join(
        _stroke(r, _y(inner[r.device]), _y(outer[_outside(r)])) for r in reversed(shown)
    )
    subs = {r.device: r.device_sub for r in shown}
    boxes = Markup("").join(_box(_LEFT, _y(n), d, subs[d], "") for d, n in inner.items())
    vendors = {_outside(r): r.seen.label for r in shown}
    boxes += Markup("").join(
        _box(_RIGHT, _y(n), o, vendors[o], "outside") for o, n in outer.items()
    )
    return Markup(
        '<svg class="path" viewBox="0 0 {} {}" width="{}" role="group" aria-label="{}">'
        '<path class="edge" d="M{},24 V{}" stroke-dasharray="4 6"/>'
        '<text class="how" x="{}" y="15">{}</text>{}{}</svg>'
    ).format(
        _RIGHT + _BOX_W + 8, height, _RIGHT + _BOX_W + 8, title,
        middle, height, middle, border, strokes, boxes,
    )  # fmt: skip


def _outside(row: LineRow) -> str:
    return row.vendor or row.seen.outside


def _y(place: int) -> int:
    return 28 + place * (_BOX_H + _GAP_Y)


def _stroke(row: LineRow, left_y: int, right_y: int) -> Markup:
    x1, x2 = _LEFT + _BOX_W, _RIGHT
    y1, y2 = left_y + _BOX_H // 2, right_y + _BOX_H // 2
    curve = f"M{x1},{y1} C{x1 + 90},{y1} {x2 - 90},{y2} {x2},{y2}"
    tone = TONE[row.seen.verdict]
    return Markup(
        '<a href="/lines/{}"><title>{}</title><path class="edge is-{}" d="{}"/></a>'
    ).format(row.seen.id, f"{row.device} – {_outside(row)}: {row.seen.label}", tone, curve)


def _box(x: int, y: int, name: str, sub: str, kind: str) -> Markup:
    return Markup(
        '<g class="node {}"><title>{}</title>'
        '<rect class="box" x="{}" y="{}" width="{}" height="{}" rx="7"/>'
        '<text x="{}" y="{}">{}</text><text class="sub" x="{}" y="{}">{}</text></g>'
    ).format(
        kind, f"{name} {sub}", x, y, _BOX_W, _BOX_H,
        x + 10, y + 20, cut(name, 26), x + 10, y + 37, cut(sub, 32),
    )  # fmt: skip
