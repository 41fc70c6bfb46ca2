"""What the sensor's health means, as checks in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from api.people import Language
from api.services.health import Health
from collector.shedding import why_shed
from dashboards.clock import Clock, span
from dashboards.words import Words

_SILENT_S = 600
_SHARE_GRAVE = 0.01  # of the packets that were received


@dataclass(frozen=True)
class Check:
    """One thing looked at: `tone` is ok, medium (look into it) or critical (not watching)."""

    tone: str
    text: str
    advice: str = ""


def check_sensor(health: Health, t: Words, clock: Clock) -> list[Check]:
    """All checks, in a fixed order."""
    told = health.collector
    if not told:
        return [Check("critical", t("check.never"), t("check.never_advice"))]
    return list(_checks(told, health.now_ns, t, clock))


def _checks(told: Mapping[str, Any], now_ns: int, t: Words, clock: Clock) -> Iterator[Check]:
    packets = int(told.get("packets", 0))
    flows = int(told.get("flows", 0))
    if packets or flows:
        yield Check("ok", t("check.packets", n=f"{packets:,}"))
    else:
        yield Check("critical", t("check.no_packets"), t("check.no_packets_advice"))
    yield from _last_traffic(told, now_ns, t, clock)
    yield from _sources(told, t)
    shed = _total(told, "shed")
    if shed:
        tone = "critical" if shed > _SHARE_GRAVE * max(packets, 1) else "medium"
        yield Check(tone, t("check.shed", n=f"{shed:,}"), t("check.shed_advice"))
    else:
        yield Check("ok", t("check.no_shed"))
    malformed = _total(told, "malformed")
    if malformed:
        tone = "medium" if malformed > _SHARE_GRAVE * max(packets, 1) else "ok"
        yield Check(tone, t("check.malformed", n=f"{malformed:,}"))
    else:
        yield Check("ok", t("check.no_malformed"))
    blind = told.get("blind") or {}
    for lane, why in blind.items():
        yield Check("medium", t("check.blind", lane=t.name("lane", lane), why=why[t.lang]))
    if "deep" not in blind:
        yield Check("ok", t("check.deep_ok"))
    failures = _total(told, "detector_failures")
    if failures:
        yield Check("critical", t("check.failures", n=failures), t("check.failures_advice"))
    for note in list(told.get("notes") or [])[:5]:
        yield Check("medium", t("check.note", note=note))


#: A live source's state → how grave it is, and its words.
_SOURCES = {
    "up": ("ok", "health.source_up"),
    "starting": ("medium", "health.source_starting"),
    "one_way": ("medium", "health.source_one_way"),
    "refused": ("medium", "health.source_refused"),
    "silent": ("critical", "health.source_silent"),
    "losing": ("critical", "health.source_losing"),
    "down": ("critical", "health.source_down"),
}


def _sources(told: Mapping[str, Any], t: Words) -> Iterator[Check]:
    """One check a live source; what is wrong in detail stands in the advice."""
    for name, source in (told.get("sources") or {}).items():
        tone, key = _SOURCES[str(source["state"])]
        count, dropped = f"{int(source['packets']):,}", f"{int(source['dropped']):,}"
        words = t(key, name=name, count=count, dropped=dropped)
        yield Check(tone, words, str(source["why"][t.lang]))


def _last_traffic(told: Mapping[str, Any], now_ns: int, t: Words, clock: Clock) -> Iterator[Check]:
    """Silence counts only while the sensor is live: a replayed capture is old by nature."""
    event_ns = int(told.get("event_ns", 0))
    if not event_ns:
        return
    when = clock.at(event_ns).strftime("%Y-%m-%d %H:%M:%S")
    silent_s = (now_ns - event_ns) / 1e9
    if told.get("is_live") and silent_s > _SILENT_S:
        yield Check(
            "critical",
            t("check.silent", span=span(silent_s, t), when=when),
            t("check.silent_advice"),
        )
    else:
        yield Check("ok", t("check.last", when=when))


def _total(told: Mapping[str, Any], name: str) -> int:
    return sum(int(n) for n in (told.get(name) or {}).values())


def causes(told: Mapping[str, Any], name: str, language: Language) -> list[tuple[str, str, str]]:
    """A counter as rows (cause, count, why), the largest first."""
    counted = sorted((told.get(name) or {}).items(), key=lambda row: -int(row[1]))
    return [(cause, f"{int(count):,}", _why(cause, name, language)) for cause, count in counted]


def _why(cause: str, name: str, language: Language) -> str:
    if name not in ("shed", "detector_shed"):
        return ""
    reason = why_shed(cause)
    return reason.ja if language == "ja" else reason.en
