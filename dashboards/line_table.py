"""Outside lines as rows: what was observed beside what the register says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from markupsafe import Markup

from dashboards.badges import badge
from dashboards.clock import size
from dashboards.view import View
from detector.lines.observed import ObservedLine

TONE: dict[str, str] = {
    "matched": "ok", "unregistered": "critical", "expired": "high", "changed": "medium",
    "out_of_window": "medium", "weak": "medium", "out_of_scope": "critical", "volume": "medium",
    "always_on": "low", "dormant": "low", "ghost": "low", "no_register": "info", "unseen": "info",
}  # fmt: skip
_GROUPS = ("unregistered", "questioned", "registered")
_MOST_WORST = 4


@dataclass(frozen=True)
class LineRow:
    """A line that traffic showed, in words."""

    seen: ObservedLine
    device: str
    device_sub: str
    vendor: str
    bytes: str
    badge: Markup

    @property
    def group(self) -> str:
        if self.seen.verdict == "unregistered":
            return "unregistered"
        return "registered" if self.seen.verdict == "matched" else "questioned"

    def is_of(self, line_id: str) -> bool:
        return line_id in (self.seen.id, self.seen.registered_id)


@dataclass(frozen=True)
class WorstLine:
    """A line that the overview names."""

    badge: Markup
    title: str
    link: str


def line_rows(view: View) -> list[LineRow]:
    """All lines seen, those to worry about first."""
    observed = [ObservedLine(**told) for told in view.services.lines.observed(view.person)]
    rows = [_row(view, seen) for seen in observed]
    return sorted(rows, key=lambda row: (_GROUPS.index(row.group), -row.seen.last_ns))


def line_summary(view: View) -> tuple[list[tuple[str, int]], list[WorstLine]]:
    """How many lines of each group there are, and the worst few by name."""
    rows = line_rows(view)
    counts = Counter(row.group for row in rows)
    worst = [
        WorstLine(row.badge, line_title(view, row), f"/lines/{row.seen.id}")
        for row in rows
        if row.group != "registered"
    ]
    return [(group, counts[group]) for group in reversed(_GROUPS)], worst[:_MOST_WORST]


def line_title(view: View, row: LineRow) -> str:
    """A line in a few words."""
    if row.vendor:
        return f"{row.vendor} ({row.seen.registered_id})"
    return view.t("line.title_unregistered", device=row.device, label=row.seen.label)


def verdict_badge(view: View, verdict: str) -> Markup:
    return badge(TONE[verdict], view.t(f"line_verdict.{verdict}"))


def _row(view: View, seen: ObservedLine) -> LineRow:
    registered = view.directory.line(seen.registered_id)
    device = seen.device_ip or seen.device_mac
    known = view.directory.find(device)
    return LineRow(
        seen=seen,
        device=known.name if known and known.name else device,
        device_sub=" ".join(filter(None, [device, known.department if known else ""])),
        vendor=registered.vendor if registered else "",
        bytes=size(seen.bytes_out + seen.bytes_in),
        badge=verdict_badge(view, seen.verdict),
    )
