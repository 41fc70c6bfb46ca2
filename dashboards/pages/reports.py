"""Reports: the week in words, to read, print or mail."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.reports.weekly import Digest
from dashboards.view import KnownView, View, file_response

router = APIRouter(include_in_schema=False)


@router.get("/reports/weekly")
def weekly(view: KnownView) -> Response:
    digest = _digest(view)
    return view.show("weekly.html", digest=digest, title=digest.title(view.lang))


@router.get("/reports/weekly.html")
def weekly_file(view: KnownView) -> Response:
    content = _digest(view).to_html(view.lang).encode()
    return file_response(content, "weekly.html", "text/html; charset=utf-8")


def _digest(view: View) -> Digest:
    settings = view.settings
    return view.services.reports.weekly(view.person, settings.hospital_name, settings.timezone)
