"""The scoreboard as one HTML page with drawings, which needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from bench.evaluation.counting import span
from bench.evaluation.report import by_tier, to_markdown
from bench.evaluation.scoring import Score


def to_page(scores: Sequence[Score]) -> str:
    """The scoreboard as one HTML file that needs nothing else."""
    text = to_markdown(scores)
    body, table = [], False
    for line in text.splitlines():
        if line.startswith("|---"):
            continue
        if line.startswith("| "):
            cells = [escape(c.strip()) for c in line.strip("|").split("|")]
            tag = "td" if table else "th"
            body.append(
                ("" if table else "<table>")
                + "<tr>"
                + "".join(f"<{tag}>{c}</{tag}>" for c in cells)
                + "</tr>"
            )
            table = True
            continue
        if table:
            body.append("</table>")
            table = False
        if line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            body.append(f"<h{level}>{escape(line.lstrip('# '))}</h{level}>")
        elif line:
            body.append(f"<p>{escape(line).replace('**', '')}</p>")
    style = (
        "body{font:15px sans-serif;max-width:70em;margin:2em auto}td,th{padding:.2em .6em;"
        "border-bottom:1px solid #ccc;text-align:left}svg{margin:1em 0}"
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Mimawari: evaluation</title>"
        f"<style>{style}</style>{_recall_plot(scores)}{_time_plot(scores)}{''.join(body)}</html>"
    )


def _recall_plot(scores: Sequence[Score]) -> str:
    """One bar a scenario and tier: in how many seeds it was told."""
    ids = sorted({c.id for s in scores for c in s.caught if c.is_attack}, key=lambda i: int(i[1:]))
    tiers = [t for t, _ in by_tier(scores)]
    colours = ("#2b6cb0", "#38a169", "#d69e2e", "#805ad5")
    bars = []
    for x, scenario in enumerate(ids):
        for y, tier in enumerate(tiers):
            of = [c for s in scores if s.run.tier == tier for c in s.caught if c.id == scenario]
            share = sum(c.is_told for c in of) / max(len(of), 1)
            at = 60 + x * 70 + y * 14
            bars.append(
                f'<rect x="{at}" y="{170 - 140 * share:.0f}" width="12" height="{140 * share:.0f}" '
                f'fill="{colours[y]}"><title>{scenario} {tier} {share:.0%}</title></rect>'
            )
        bars.append(f'<text x="{60 + x * 70}" y="188" font-size="12">{scenario}</text>')
    keys = "".join(
        f'<text x="{60 + 120 * n}" y="14" font-size="12" fill="{colours[n]}">{t}</text>'
        for n, t in enumerate(tiers)
    )
    width = 80 + 70 * len(ids)
    drawing = f'<svg width="{width}" height="200" role="img">{keys}{"".join(bars)}</svg>'
    return f"<h2>Told, share of seeds</h2>{drawing}"


def _time_plot(scores: Sequence[Score]) -> str:
    """A point a scenario and seed on the mirrored tier: seconds from the first visible packet."""
    ids = sorted({c.id for s in scores for c in s.caught if c.is_attack}, key=lambda i: int(i[1:]))
    points = []
    for told in scores:
        for c in told.caught:
            if told.run.tier == "span" and c.is_attack and c.seconds_from_visible >= 0:
                y = 170 - 28 * log10(max(c.seconds_from_visible, 1))
                when = span(c.seconds_from_visible)
                points.append(
                    f'<circle cx="{75 + ids.index(c.id) * 70}" cy="{y:.0f}" r="4" fill="#2b6cb0" '
                    f'fill-opacity=".6"><title>{c.id} {when}</title></circle>'
                )
    axis = "".join(
        f'<text x="0" y="{174 - 28 * e}" font-size="11">{t}</text>'
        for e, t in ((0, "1 s"), (1.78, "1 min"), (3.56, "1 h"), (4.94, "1 d"))
    )
    names = "".join(
        f'<text x="{62 + n * 70}" y="195" font-size="12">{i}</text>' for n, i in enumerate(ids)
    )
    head = f'<svg width="{90 + 70 * len(ids)}" height="200" role="img">'
    return f"<h2>Time to detect (span)</h2>{head}{axis}{names}{''.join(points)}</svg>"
