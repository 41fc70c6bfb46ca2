"""Assets: what was seen beside the ledger, and the ledger in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from fastapi import APIRouter, Response, UploadFile
from markupsafe import Markup

from api.asset_rows import VERDICTS, AssetRow
from api.services.alerts import AlertFilter
from dashboards.badges import badge
from dashboards.directory import Known, known_asset
from dashboards.view import KnownView, View, file_response
from detector.alerts import Alert
from detector.hospital import Role

router = APIRouter(include_in_schema=False)

_PAGE = 100
_ALERTS = 20
_TONE = {"match": "ok", "unlisted": "high", "missing": "info", "mismatch": "medium"}


@dataclass(frozen=True)
class Comparison:
    """One property as the ledger has it and as traffic shows it."""

    label: str
    listed: str
    seen: str
    differs: bool


@router.get("/assets")
def assets(
    view: KnownView, verdict: str = "", search: str = "", role: str = "", cursor: str = ""
) -> Response:
    service = view.services.assets
    known_verdict = verdict if verdict in VERDICTS else ""
    text = search.strip() or role
    page = service.find(view.person, known_verdict, text, cursor, _PAGE)
    counts = service.counts(view.person)
    rows = [row for row in page.items if not role or known_asset(row).role == role]
    return view.show(
        "assets.html",
        rows=[_with_badge(view, row) for row in rows],
        next_cursor=page.next_cursor,
        verdict=known_verdict,
        verdict_counts=[("", sum(counts.values())), *counts.items()],
        search=search,
        role=role,
        roles=get_args(Role),
    )


@router.get("/assets.csv")
def export(view: KnownView) -> Response:
    content = view.services.assets.export_ledger(view.person, "csv", view.lang)
    return file_response(content, "assets.csv", "text/csv; charset=utf-8")


@router.get("/assets-template.csv")
def template(view: KnownView) -> Response:
    content = view.services.assets.template(view.person, "csv", view.lang)
    return file_response(content, "assets-template.csv", "text/csv; charset=utf-8")


@router.post("/assets/import")
def import_ledger(view: KnownView, file: UploadFile) -> Response:
    view.services.assets.import_ledger(view.person, file.file.read(), file.filename or "")
    return view.go("/assets", "imported")


@router.get("/assets/{ip}")
def asset(view: KnownView, ip: str) -> Response:
    row = view.services.assets.get(view.person, ip)
    shown = _with_badge(view, row)
    return view.show(
        "asset.html",
        asset=shown,
        comparison=_compare(view, row),
        alerts=_alerts(view, row),
        is_machine=bool(shown.stays),
    )


def _alerts(view: View, row: AssetRow) -> list[Alert]:
    """The latest alerts of the machine wherever it was; of an address where that is all we know."""
    asset = str((row.seen or {}).get("id", ""))
    found: dict[str, Alert] = {}
    for source in (row.ip, asset) if asset.startswith("mac-") else (row.ip,):
        page = view.services.alerts.find(view.person, AlertFilter(source=source), limit=_ALERTS)
        found.update({a.id: a for a in page.items if a.source.asset in ("", asset)})
    return sorted(found.values(), key=lambda a: (-a.last_ns, a.id))[:_ALERTS]


@dataclass(frozen=True)
class ShownAsset(Known):
    """A known asset with its verdict as a badge."""

    badge: Markup


def _with_badge(view: View, row: AssetRow) -> ShownAsset:
    shown = badge(_TONE[row.verdict], view.t(f"asset_verdict.{row.verdict}"))
    return ShownAsset(**known_asset(row).__dict__, badge=shown)


def _compare(view: View, row: AssetRow) -> list[Comparison]:
    seen: dict[str, Any] = dict(row.seen or {})
    listed, t = row.listed, view.t
    names = ", ".join(seen.get("names") or [])
    rows = [
        ("ip", listed.ip if listed else "", seen.get("last_ip") or seen.get("ip", "")),
        ("name", listed.name if listed else "", names or seen.get("name", "")),
        ("mac", listed.mac if listed else "", seen.get("mac", "")),
        (
            "role",
            t.name("role", listed.role) if listed else "",
            t.name("role", str(seen["role"])) if "role" in seen else "",
        ),
        ("vlan", "", str(seen.get("vlan") or "")),
        (
            "port",
            f"{listed.switch} {listed.switch_port}".strip() if listed else "",
            seen.get("port", ""),
        ),
    ]
    return [
        Comparison(t(f"asset.{name}"), str(left), str(right), name in row.differs)
        for name, left, right in rows
    ]
