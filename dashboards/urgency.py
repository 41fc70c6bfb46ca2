"""How soon a person must look at an incident."""

from __future__ import annotations

from detector.incidents import Incident
from detector.incidents import Push as Urgency

_TONE: dict[Urgency, str] = {"immediate": "critical", "same_day": "medium", "digest": "low"}


def urgency_of(incident: Incident) -> Urgency:
    """As the detector ranked it: by priority, impact on care included; hard rules never wait."""
    return incident.push


def tone_of(incident: Incident) -> str:
    """The colour class of an incident's urgency."""
    return _TONE[urgency_of(incident)]
