"""Templates of the register: an example row for each connection form and use case."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from detector.hospital import RegisteredLine
from detector.register import EXAMPLE_ID, write_register
from detector.sheet import Form, Language
from detector.words import Text

_FILE: Final = Path(__file__).parent / "register_templates.toml"


@dataclass(frozen=True)
class RegisterTemplate:
    """What a kind of line is called, what to mind, and a row to write over."""

    name: str  # e.g. ssl_vpn
    title: Text
    example: RegisteredLine

    def as_file(self, language: Language = "ja", form: Form = "csv") -> bytes:
        """The register's headings and the example, which import refuses until it is replaced."""
        return write_register([self.example], language, form)


@lru_cache(maxsize=1)
def register_templates() -> dict[str, RegisterTemplate]:
    """All templates by name, in the order of the file."""
    told = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: _template(name, words) for name, words in told.items()}


def _template(name: str, words: dict[str, object]) -> RegisterTemplate:
    fields = dict(words["example"])  # type: ignore[call-overload]  # TOML tables carry no types
    note = " ".join(filter(None, [str(words["note"]), str(fields.pop("note", ""))]))
    example = RegisteredLine(id=EXAMPLE_ID, note=note, **fields)
    return RegisterTemplate(name, Text(ja=str(words["ja"]), en=str(words["en"])), example)
