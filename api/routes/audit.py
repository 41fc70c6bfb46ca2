"""The audit chain."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field

from api.routes.bodies import EntryBody, PageBody, Told
from api.routes.router import Cursor, Limit, make_router
from api.web.sessions import Asker, UseCases

router = make_router("audit")


class VerdictBody(Told):
    is_whole: bool
    entries: int = Field(description="entries that fit, from the first")
    head: str = Field(description="hash of the last entry that fits; compare it with the log's")
    broken_at: int | None = Field(description="number of the first broken entry")
    reason: str


@router.get("/audit")
def list_audit(
    asker: Asker,
    use: UseCases,
    by: Annotated[str, Query(max_length=64, description="a login")] = "",
    action: Annotated[str, Query(max_length=64)] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> PageBody[EntryBody]:
    """Who did what, newest first."""
    page = use.audit.find(asker, by, action, cursor, limit)
    return PageBody[EntryBody].of(page, [EntryBody.of(entry) for entry in page.items])


@router.post("/audit/verify")
def verify_audit(asker: Asker, use: UseCases) -> VerdictBody:
    """Check the whole chain."""
    return VerdictBody.model_validate(use.audit.verify(asker))
