"""Outside lines as rows: what was observed beside what the register says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dashboards.badges import badge
from dashboards.clock import size
from dashboards.view import View
from detector.hospital import RegisteredLine

_TONE = {
    "registered": "ok", "dormant": "info", "ghost": "info", "unregistered": "critical",
    "out_of_scope": "critical", "expired": "high", "changed": "medium", "out_of_window": "medium",
    "weak": "medium", "always_on": "low", "volume": "medium",
}  # fmt: skip
_GROUPS = ("unregistered", "questioned", "registered")
_QUIET = frozenset({"registered", "dormant", "ghost"})
_MOST_WORST = 4


@dataclass(frozen=True)
class ObservedLine:
    """A line that traffic showed."""

    id: str
    register_id: str
    verdicts: tuple[str, ...]
    device: str
    device_sub: str
    outside: str
    vendor: str
    kind: str
    first_ns: int
    last_ns: int
    bytes: str
    badges: tuple[Markup, ...]
    told: Mapping[str, Any]

    @property
    def group(self) -> str:
        if "unregistered" in self.verdicts:
            return "unregistered"
        return "registered" if set(self.verdicts) <= _QUIET else "questioned"


@dataclass(frozen=True)
class WorstLine:
    """A line that the overview names."""

    badge: Markup
    title: str
    link: str


def observed_lines(view: View) -> list[ObservedLine]:
    """All lines seen, those to worry about first."""
    register = {line.id: line for line in view.services.lines.register(view.person)}
    rows = [_row(view, told, register) for told in view.services.lines.observed(view.person)]
    return sorted(rows, key=lambda line: (_GROUPS.index(line.group), -line.last_ns))


def line_summary(view: View) -> tuple[list[tuple[str, int]], list[WorstLine]]:
    """How many lines of each group there are, and the worst few by name."""
    lines = observed_lines(view)
    counts = Counter(line.group for line in lines)
    worst = [
        WorstLine(line.badges[0], line_title(view, line), f"/lines/{quoted(line.id)}")
        for line in lines
        if line.group != "registered"
    ]
    return [(group, counts[group]) for group in reversed(_GROUPS)], worst[:_MOST_WORST]


def line_title(view: View, line: ObservedLine) -> str:
    """A line in a few words."""
    if line.vendor:
        return f"{line.vendor} ({line.register_id})"
    return view.t("line.title_unregistered", device=line.device)


def verdict_badges(view: View, verdicts: Sequence[str]) -> tuple[Markup, ...]:
    return tuple(badge(_TONE.get(v, "medium"), view.t.name("line_verdict", v)) for v in verdicts)


def quoted(text: str) -> str:
    """As one part of a path."""
    from urllib.parse import quote

    return quote(text, safe="")


def _row(
    view: View, told: Mapping[str, Any], register: Mapping[str, RegisteredLine]
) -> ObservedLine:
    registered = register.get(str(told.get("registered_id") or ""))
    verdicts = _listed(told.get("verdict")) or ("registered" if registered else "unregistered",)
    device = str(told.get("device_ip") or told.get("device_mac") or "")
    known = view.directory.find(device)
    shown = _listed(told.get("outside"))
    apps = [view.t.name("app", app) for app in _listed(told.get("app"))]
    return ObservedLine(
        id=str(told["id"]),
        register_id=registered.id if registered else "",
        verdicts=verdicts,
        device=(known.name if known and known.name else device),
        device_sub=" ".join(filter(None, [device, known.department if known else ""])),
        outside=", ".join(shown[:3]) + (" …" if len(shown) > 3 else ""),
        vendor=registered.vendor if registered else "",
        kind=", ".join(apps),
        first_ns=int(told.get("first_ns") or 0),
        last_ns=int(told.get("last_ns") or 0),
        bytes=size(int(told.get("bytes") or 0)),
        badges=verdict_badges(view, verdicts),
        told=told,
    )


def _listed(value: Any) -> tuple[str, ...]:
    """One value or several as a tuple of texts."""
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)
