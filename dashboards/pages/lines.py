"""Outside lines: observed against the register, and the register in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response, UploadFile
from markupsafe import Markup

from api.faults import NotFound
from api.services.alerts import AlertFilter
from dashboards.clock import size
from dashboards.line_map import draw_lines
from dashboards.line_table import LineRow, line_rows, line_title, verdict_badge
from dashboards.view import KnownView, View, file_response
from detector.alerts import Alert
from detector.hospital import RegisteredLine
from detector.lines.maintenance_window import windows_text
from detector.register_templates import register_templates
from detector.words import Text

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class RegisterRow:
    """One registered line with what traffic says of it."""

    id: str
    vendor: str
    system: str
    line_type: str
    windows: Text
    contract_end: str
    badge: Markup


@router.get("/lines")
def lines(view: KnownView) -> Response:
    rows = line_rows(view)
    register = view.services.lines.register(view.person)
    return view.show(
        "lines.html",
        observed=rows,
        register=[_register_row(view, line, rows) for line in register],
        evidence=view.services.lines.evidence(view.person),
        map=draw_lines(rows, view.t("lines.map"), view.t("lines.border")),
        templates=list(register_templates().values()),
    )


@router.get("/lines.csv")
def export(view: KnownView) -> Response:
    content = view.services.lines.export_register(view.person, "csv", view.lang)
    return file_response(content, "outside-connections.csv", "text/csv; charset=utf-8")


@router.get("/lines-template.csv")
def template(view: KnownView, name: str = "") -> Response:
    content = view.services.lines.template(view.person, "csv", view.lang, name)
    file_name = f"outside-connections-{name or 'template'}.csv"
    return file_response(content, file_name, "text/csv; charset=utf-8")


@router.post("/lines/import")
def import_register(view: KnownView, file: UploadFile) -> Response:
    view.services.lines.import_register(view.person, file.file.read(), file.filename or "")
    return view.go("/lines", "imported")


@router.get("/lines/{line_id:path}")
def line(view: KnownView, line_id: str) -> Response:
    rows = [row for row in line_rows(view) if row.is_of(line_id)]
    registered = view.directory.line(line_id) or next(
        (r for row in rows if (r := view.directory.line(row.seen.registered_id))), None
    )
    alerts = _alerts(view, {line_id, *(row.seen.id for row in rows)})
    if not rows and registered is None and not alerts:
        raise NotFound(f"there is no line {line_id[:60]!r}")
    title = registered.vendor if registered else line_title(view, rows[0]) if rows else line_id
    return view.show(
        "line.html",
        line_id=line_id,
        title=title,
        badges=[row.badge for row in rows],
        contact=registered.contact if registered else "",
        alerts=alerts,
        sections=[
            ("line.observed", [part for row in rows for part in _seen(view, row)]),
            ("line.registered", _listed(view, registered) if registered else []),
        ],
    )


def _register_row(view: View, line: RegisteredLine, rows: list[LineRow]) -> RegisterRow:
    verdicts = [row.seen.verdict for row in rows if row.is_of(line.id)]
    return RegisterRow(
        id=line.id,
        vendor=line.vendor,
        system=line.system,
        line_type=line.line_type,
        windows=windows_text(line.windows),
        contract_end=line.contract_end.isoformat() if line.contract_end else "",
        badge=verdict_badge(view, verdicts[0] if verdicts else "unseen"),
    )


def _alerts(view: View, line_ids: set[str]) -> list[Alert]:
    """The newest alerts of a line; alerts are not indexed by line, so recent ones are read."""
    page = view.services.alerts.find(view.person, AlertFilter(), limit=500)
    return [a for a in page.items if a.line in line_ids][:20]


def _seen(view: View, row: LineRow) -> list[tuple[str, Any]]:
    t, clock, seen = view.t, view.clock, row.seen
    return [
        (t("line.device"), f"{row.device} ({row.device_sub})"),
        (t("line.outside"), f"{seen.outside} ({seen.peer_ip})"),
        (t("line.kind"), seen.label),
        (t("line.direction"), t(f"direction.{seen.direction}")),
        (t("line.sessions"), f"{seen.sessions:,}"),
        (t("line.bytes"), f"↑ {size(seen.bytes_out)}  ↓ {size(seen.bytes_in)}"),
        (t("line.first"), clock.second(seen.first_ns)),
        (t("line.last"), clock.second(seen.last_ns)),
    ]


def _listed(view: View, line: RegisteredLine) -> list[tuple[str, Any]]:
    t = view.t
    yes_no = {None: "", True: t("value.yes"), False: t("value.no")}
    rows = [
        ("id", line.id), ("vendor", line.vendor), ("system", line.system),
        ("use_case", line.use_case), ("type", line.line_type),
        ("contract_number", line.contract), ("contract", line.contract_end),
        ("device", view.directory.label(line.device_ip) if line.device_ip else ""),
        ("device_mac", line.device_mac), ("device_port", line.device_port),
        ("device_serial", line.device_serial), ("demarcation", line.demarcation),
        ("circuit", line.circuit), ("firmware", line.firmware_date), ("mds_sds", line.mds_sds),
        ("outside", ", ".join(line.outside)), ("protocols", ", ".join(line.protocols)),
        ("landing", ", ".join(line.landing)), ("allowed", ", ".join(line.allowed_targets)),
        ("window", t.of(windows_text(line.windows)) or t("line.always")),
        ("initiator", t(f"initiator.{line.initiator}") if line.initiator else ""),
        ("mfa", yes_no[line.mfa]), ("approver", line.approver), ("contact", line.contact),
        ("review", line.last_review), ("note", line.note),
    ]  # fmt: skip
    return [(t(f"line.{name}"), value) for name, value in rows if value]
