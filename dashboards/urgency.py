"""How soon a person must look at an incident."""

from __future__ import annotations

from typing import Literal

from detector.incidents import Incident

Urgency = Literal["immediate", "same_day", "digest"]

_TONE: dict[Urgency, str] = {"immediate": "critical", "same_day": "medium", "digest": "low"}


def urgency_of(incident: Incident) -> Urgency:
    """By priority (impact on care included), and never later than its gravest alert asks."""
    if incident.priority >= 80 or incident.severity == "critical":
        return "immediate"
    if incident.priority >= 60 or incident.severity == "high":
        return "same_day"
    return "digest"


def tone_of(incident: Incident) -> str:
    """The colour class of an incident's urgency."""
    return _TONE[urgency_of(incident)]
