"""Text in Japanese and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Text:
    """One sentence or two, in both languages, with the same {placeholders}."""

    ja: str
    en: str

    def __bool__(self) -> bool:
        return bool(self.en)

    def fill(self, facts: Mapping[str, Any]) -> Text:
        """Put the facts in; a missing one raises KeyError, because a half sentence misleads."""
        shown = {k: _shown(v) for k, v in facts.items()}
        return Text(self.ja.format(**shown), self.en.format(**shown))

    def to_json(self) -> dict[str, str]:
        return {"ja": self.ja, "en": self.en}


#: Nothing to say.
SILENCE = Text("", "")


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(str(v) for v in value[:5]) + (" …" if len(value) > 5 else "")
    return str(value)
