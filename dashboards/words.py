"""The console's words: `messages/ja.toml` and `messages/en.toml`, with the same keys."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from detector.words import Text

Language = Literal["ja", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_FOLDER = Path(__file__).parent / "messages"


class Words:
    """Words of one language. Call it with a key and the placeholders' values."""

    def __init__(self, lang: Language, messages: Mapping[str, str]) -> None:
        self.lang = lang
        self._messages = messages

    def __call__(self, key: str, **values: Any) -> str:
        """The message, filled in; a key that does not exist raises KeyError."""
        message = self._messages[key]
        return message.format(**values) if values else message

    def name(self, kind: str, value: str) -> str:
        """The name of a value from an open list (a role, a fact, an application).

        Detectors may bring values that have no name yet; those are shown as they are.
        """
        return self._messages.get(f"{kind}.{value}", value)

    def of(self, text: Text) -> str:
        """A detector's own sentence in this language."""
        return text.ja if self.lang == "ja" else text.en

    def has(self, key: str) -> bool:
        return key in self._messages


@cache
def words(lang: Language) -> Words:
    """Load one language; the files are read once."""
    return Words(lang, load_messages(lang))


def load_messages(lang: Language) -> dict[str, str]:
    """All messages of a language, as dotted keys."""
    with (_FOLDER / f"{lang}.toml").open("rb") as file:
        return _flatten(tomllib.load(file))


def _flatten(tables: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tables.items():
        if isinstance(value, dict):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
