"""The numbers behind an alert, with labels and units that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.clock import Clock, size, span
from dashboards.words import Words

_MOST_SHOWN = 12
_IANA = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6",
         132: "SCTP"}  # fmt: skip


def shown_facts(facts: Mapping[str, Any], t: Words, clock: Clock) -> list[tuple[str, str]]:
    """(label, value) of each fact that says something."""
    return [
        (t.name("fact", name), shown_value(name, value, t, clock))
        for name, value in facts.items()
        if value not in ("", None, [], {})
    ]


def shown_value(name: str, value: Any, t: Words, clock: Clock) -> str:
    """A value with its unit, which the name's ending tells."""
    if isinstance(value, bool):
        return t("value.yes") if value else t("value.no")
    if isinstance(value, (list, tuple)):
        some = [shown_value(name, v, t, clock) for v in value[:_MOST_SHOWN]]
        more = len(value) - len(some)
        return ", ".join(some) + (f" … (+{more})" if more > 0 else "")
    if isinstance(value, dict):
        return ", ".join(
            f"{t.name('fact', str(k))} {shown_value(str(k), v, t, clock)}" for k, v in value.items()
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
