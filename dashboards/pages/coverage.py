"""The map of blind spots: each VLAN, what is seen of it, and what cannot be found there."""

from __future__ import annotations

from fastapi import APIRouter, Response

from dashboards.view import KnownView
from detector.lines.observability import ALWAYS_BLIND

router = APIRouter(include_in_schema=False)


@router.get("/coverage")
def coverage(view: KnownView) -> Response:
    rows = view.services.coverage.report(view.person)
    always = ALWAYS_BLIND.ja if view.lang == "ja" else ALWAYS_BLIND.en
    return view.show("coverage.html", rows=rows, always=always)
