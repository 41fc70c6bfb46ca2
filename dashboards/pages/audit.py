"""The audit: who did what, and whether the chain is whole."""

from __future__ import annotations

from fastapi import APIRouter, Response

from dashboards.view import KnownView

router = APIRouter(include_in_schema=False)

_PAGE = 100


@router.get("/audit")
def audit(
    view: KnownView, who: str = "", action: str = "", cursor: str = "", verify: str = ""
) -> Response:
    verdict = view.services.audit.verify(view.person) if verify == "yes" else None
    page = view.services.audit.find(view.person, who.strip(), action.strip(), cursor, _PAGE)
    return view.show(
        "audit.html",
        entries=page.items,
        next_cursor=page.next_cursor,
        verdict=verdict,
        chosen={"who": who, "action": action},
    )
