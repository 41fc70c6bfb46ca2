"""The numbers behind an alert, with labels and units that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.clock import Clock, size, span
from dashboards.words import Language, Words

_MOST_SHOWN = 12
_IANA = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6",
         132: "SCTP"}  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """One number or word behind an alert; a list has a line for each of its things."""

    label: str
    lines: tuple[str, ...]


def shown_facts(facts: Mapping[str, Any], t: Words, clock: Clock) -> list[Fact]:
    """Each fact that says something, in the reader's language where it comes in both."""
    shown = []
    for name, value in _in_language(facts, t.lang).items():
        if value in ("", "-", None, [], {}, ()):
            continue
        is_list_of_things = isinstance(value, list) and isinstance(value[0], dict)
        values = value if is_list_of_things else [value]
        lines = tuple(shown_value(name, v, t, clock) for v in values)
        shown.append(Fact(t.name("fact", name), lines))
    return shown


def _in_language(facts: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    """Join pairs such as signs_ja and signs_en, or asked and asked_ja, to one fact."""
    other = "en" if lang == "ja" else "ja"
    chosen: dict[str, Any] = {}
    for name, value in facts.items():
        stem, _, ending = name.rpartition("_")
        if ending == lang and stem:
            chosen[stem] = value
        elif ending == other and stem:
            chosen.setdefault(stem, value)
        elif f"{name}_{lang}" not in facts:
            chosen[name] = value
    return chosen


def shown_value(name: str, value: Any, t: Words, clock: Clock) -> str:
    """A value with its unit, which the name's ending tells."""
    if isinstance(value, bool):
        return t("value.yes") if value else t("value.no")
    if isinstance(value, (list, tuple)):
        some = [shown_value(name, v, t, clock) for v in value[:_MOST_SHOWN]]
        more = len(value) - len(some)
        return ", ".join(some) + (f" … (+{more})" if more > 0 else "")
    if isinstance(value, dict):
        return " · ".join(
            f"{t.name('fact', str(k))}: {shown_value(str(k), v, t, clock)}"
            for k, v in value.items()
            if v not in ("", None, False)
        )
    if isinstance(value, (int, float)):
        return _shown_number(name, value, t, clock)
    if name in ("app", "role"):
        return t.name(name, str(value))
    return str(value)


def _shown_number(name: str, value: float, t: Words, clock: Clock) -> str:
    if name.endswith("_ns"):
        return clock.text(int(value))
    if name.endswith("_s") and value >= 60:
        return span(value, t)
    if name.startswith("bytes") or name.endswith("_bytes"):
        return size(value)
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    is_label = name in ("port", "ports", "vlan")
    return str(value) if is_label else f"{value:,}"


def protocol_name(number: int) -> str:
    """The name of an IP protocol; its number where the name is rare."""
    return _IANA.get(number, str(number))
