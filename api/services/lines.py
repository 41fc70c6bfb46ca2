"""Use cases of outside lines: what was observed beside the register, in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.faults import NotFound
from api.people import Language, Person
from api.services.gate import Gate
from api.services.ledger_files import check_form, read_whole
from detector.hospital import RegisteredLine
from detector.register import read_register, write_register
from detector.register_templates import register_templates
from detector.store import Store


class LineService:
    """Look at outside lines; import and export the register (外部接続台帳)."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    def observed(self, person: Person | None) -> list[Mapping[str, Any]]:
        """Lines that traffic showed, newest first. Needs lines.read."""
        self._gate.look(person, "lines.read", "lines.list")
        return list(self._store.observed_lines())

    def evidence(self, person: Person | None) -> Mapping[str, Any]:
        """Signs of hidden lines by host, and what is seen of each VLAN. Needs lines.read."""
        self._gate.look(person, "lines.read", "lines.evidence")
        return {"hosts": [], "vlans": [], "at_ns": 0} | self._store.note("line_evidence")

    def register(self, person: Person | None) -> list[RegisteredLine]:
        """Lines that the hospital has registered. Needs lines.read."""
        self._gate.look(person, "lines.read", "register.list")
        return self._store.register()

    def import_register(self, person: Person | None, content: bytes, file_name: str = "") -> int:
        """Replace the register by a CSV or XLSX file; with any fault nothing changes.

        Needs lines.write. Returns how many lines are registered now.
        """
        with self._gate.act(
            person, "lines.write", "register.import", "register",
            file=file_name, bytes=len(content),
        ) as importer:  # fmt: skip
            lines = read_whole(read_register, content, importer.language)
            self._store.replace_register(lines)
            return len(lines)

    def export_register(
        self, person: Person | None, form: str = "csv", language: Language = "ja"
    ) -> bytes:
        """The register as a file. Needs lines.read."""
        with self._gate.act(person, "lines.read", "register.export", "register", form=form):
            return write_register(self._store.register(), language, check_form(form))

    def template(
        self, person: Person | None, form: str = "csv", language: Language = "ja", name: str = ""
    ) -> bytes:
        """An empty register to fill in, or one with the example of a kind. Needs lines.read."""
        self._gate.look(person, "lines.read", "register.template")
        if not name:
            return write_register([], language, check_form(form))
        template = register_templates().get(name)
        if template is None:
            known = ", ".join(register_templates())
            raise NotFound(f"there is no template {name[:60]!r}; there are {known}")
        return template.as_file(language, check_form(form))
