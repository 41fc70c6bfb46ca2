"""What an alert says, in Japanese and English; placeholders are filled from a finding's facts."""

from __future__ import annotations

from dataclasses import dataclass

from collector.words import Text

__all__ = ["Text", "Wording"]


@dataclass(frozen=True)
class Wording:
    """What an alert says: what happened, why it matters here, what to do next and whom to call."""

    title: Text
    why: Text
    next_step: Text
