"""The asset ledger beside what was seen."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Response
from pydantic import Field

from api.asset_rows import AssetVerdict
from api.people import Language
from api.routes.bodies import Count, PageBody, Told
from api.routes.router import Cursor, Limit, file_body, make_router, raw_body
from api.services.ledger_files import MEDIA_TYPE
from api.web.sessions import Asker, UseCases
from detector.hospital import Asset
from detector.sheet import Form

router = make_router("assets")


class AssetBody(Told):
    """One address, as seen and as listed."""

    ip: str
    verdict: AssetVerdict = Field(
        description="unlisted = not in the ledger, missing = not seen, mismatch = they differ"
    )
    differs: list[str]
    seen: dict[str, Any] | None
    listed: Asset | None


class AssetCounts(Told):
    unlisted: int
    missing: int
    mismatch: int
    match: int


@router.get("/assets")
def list_assets(
    asker: Asker,
    use: UseCases,
    verdict: AssetVerdict | Literal[""] = "",
    text: Annotated[str, Query(max_length=100, description="in address, MAC, name, role…")] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> PageBody[AssetBody]:
    """Assets seen and listed, by address, with the difference."""
    page = use.assets.find(asker, verdict, text, cursor, limit)
    return PageBody[AssetBody].of(page, [AssetBody.model_validate(row) for row in page.items])


@router.get("/assets/counts")
def count_assets(asker: Asker, use: UseCases) -> AssetCounts:
    """How many assets there are by verdict."""
    return AssetCounts.model_validate(use.assets.counts(asker))


@router.get("/assets/{ip}")
def get_asset(ip: str, asker: Asker, use: UseCases) -> AssetBody:
    """One asset."""
    return AssetBody.model_validate(use.assets.get(asker, ip))


@router.put("/ledger", openapi_extra=file_body("the whole ledger as CSV or XLSX"))
def import_ledger(asker: Asker, use: UseCases, content: bytes = Depends(raw_body)) -> Count:
    """Replace the ledger; with any fault nothing changes, and all faults are told."""
    return Count(count=use.assets.import_ledger(asker, content))


@router.get("/ledger.{form}", response_class=Response)
def export_ledger(form: Form, asker: Asker, use: UseCases, language: Language = "ja") -> Response:
    """The ledger as a file."""
    return as_file(use.assets.export_ledger(asker, form, language), "ledger", form)


@router.get("/ledger-template.{form}", response_class=Response)
def ledger_template(form: Form, asker: Asker, use: UseCases, language: Language = "ja") -> Response:
    """An empty ledger to fill in."""
    return as_file(use.assets.template(asker, form, language), "ledger-template", form)


def as_file(content: bytes, name: str, form: Form) -> Response:
    """A file to save."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return Response(content, media_type=MEDIA_TYPE[form], headers=headers)
