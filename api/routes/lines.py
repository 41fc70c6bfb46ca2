"""Outside lines as observed, and the register."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Response

from api.people import Language
from api.routes.assets import as_file
from api.routes.bodies import Count
from api.routes.router import file_body, make_router, raw_body
from api.web.sessions import Asker, UseCases
from detector.hospital import RegisteredLine
from detector.sheet import Form

router = make_router("lines")


@router.get("/lines")
def list_lines(asker: Asker, use: UseCases) -> list[dict[str, Any]]:
    """Outside lines that traffic showed, newest first."""
    return [dict(line) for line in use.lines.observed(asker)]


@router.get("/lines/evidence")
def list_evidence(asker: Asker, use: UseCases) -> dict[str, Any]:
    """Signs of hidden lines by host, weak ones included, and what is seen of each VLAN."""
    return dict(use.lines.evidence(asker))


@router.get("/register")
def list_register(asker: Asker, use: UseCases) -> list[RegisteredLine]:
    """Outside lines that the hospital has registered."""
    return use.lines.register(asker)


@router.put("/register", openapi_extra=file_body("the whole register as CSV or XLSX"))
def import_register(asker: Asker, use: UseCases, content: bytes = Depends(raw_body)) -> Count:
    """Replace the register; with any fault nothing changes, and all faults are told."""
    return Count(count=use.lines.import_register(asker, content))


@router.get("/register.{form}", response_class=Response)
def export_register(form: Form, asker: Asker, use: UseCases, language: Language = "ja") -> Response:
    """The register as a file."""
    return as_file(use.lines.export_register(asker, form, language), "register", form)


@router.get("/register-template.{form}", response_class=Response)
def register_template(
    form: Form,
    asker: Asker,
    use: UseCases,
    language: Language = "ja",
    name: Annotated[str, Query(max_length=60, description="kind of line, e.g. ssl_vpn")] = "",
) -> Response:
    """An empty register to fill in, or one with the example of a kind of line."""
    content = use.lines.template(asker, form, language, name)
    return as_file(content, f"register-{name or 'template'}", form)
