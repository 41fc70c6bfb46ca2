"""Text in Japanese and English, and text of others made harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: "1 days": a count that happens to be one.
_ONE: Final = re.compile(
    r"(?<![\w.,:/-])1 (account|connection|day|device|file|host|hour|machine|minute|name|packet|"
    r"port|printer|request|second|server|service|session|share|target|time|user)s\b"
)


@dataclass(frozen=True)
class Text:
    """One sentence or two, in both languages, with the same {placeholders}."""

    ja: str
    en: str

    def __bool__(self) -> bool:
        return bool(self.en)

    def fill(self, facts: Mapping[str, Any]) -> Text:
        """Put the facts in; a missing one raises KeyError, because a half sentence misleads.

        A fact that is a Text itself is shown in each language.
        """
        ja = self.ja.format(**{k: _shown(v, "ja") for k, v in facts.items()})
        en = self.en.format(**{k: _shown(v, "en") for k, v in facts.items()})
        return Text(ja, _ONE.sub(r"1 \1", en))

    def to_json(self) -> dict[str, str]:
        return {"ja": self.ja, "en": self.en}


#: Nothing to say.
SILENCE = Text("", "")


def harmless(text: str) -> str:
    """What others wrote, with control characters and the like by their numbers.

    So no log, terminal or page can be tricked by a packet or by another monitor's words.
    """
    if text.isprintable():
        return text
    # The full-width blank stands in every other Japanese name.
    return "".join(c if c.isprintable() or c == "\u3000" else f"\\x{ord(c):02x}" for c in text)


def _shown(value: Any, language: str) -> str:
    if isinstance(value, (list, tuple)):
        comma = "、" if language == "ja" and any(isinstance(v, Text) for v in value) else ", "
        return comma.join(_shown(v, language) for v in value[:5]) + " …" * (len(value) > 5)
    return str(getattr(value, language)) if isinstance(value, Text) else str(value)
