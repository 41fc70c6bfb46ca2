"""Outside lines: observed against the register, and the register in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response, UploadFile
from markupsafe import Markup

from api.faults import NotFound
from api.services.alerts import AlertFilter
from dashboards.facts import shown_facts
from dashboards.line_table import ObservedLine, line_title, observed_lines, verdict_badges
from dashboards.view import KnownView, View, file_response
from detector.alerts import Alert
from detector.hospital import RegisteredLine

router = APIRouter(include_in_schema=False)

_SHOWN_ELSEWHERE = frozenset(
    {
        "id",
        "registered_id",
        "verdict",
        "device_ip",
        "outside",
        "app",
        "bytes",
        "first_ns",
        "last_ns",
    }
)


@dataclass(frozen=True)
class RegisterRow:
    """One registered line with what traffic says of it."""

    id: str
    vendor: str
    system: str
    line_type: str
    windows: tuple[str, ...]
    contract_end: str
    badges: tuple[Markup, ...]


@router.get("/lines")
def lines(view: KnownView) -> Response:
    observed = observed_lines(view)
    register = view.services.lines.register(view.person)
    return view.show(
        "lines.html",
        observed=observed,
        register=[_register_row(view, line, observed) for line in register],
    )


@router.get("/lines.csv")
def export(view: KnownView) -> Response:
    content = view.services.lines.export_register(view.person, "csv", view.lang)
    return file_response(content, "outside-connections.csv", "text/csv; charset=utf-8")


@router.get("/lines-template.csv")
def template(view: KnownView) -> Response:
    content = view.services.lines.template(view.person, "csv", view.lang)
    return file_response(content, "outside-connections-template.csv", "text/csv; charset=utf-8")


@router.post("/lines/import")
def import_register(view: KnownView, file: UploadFile) -> Response:
    view.services.lines.import_register(view.person, file.file.read(), file.filename or "")
    return view.go("/lines", "imported")


@router.get("/lines/{line_id:path}")
def line(view: KnownView, line_id: str) -> Response:
    observed = [o for o in observed_lines(view) if line_id in (o.id, o.register_id)]
    registered = view.directory.line(line_id) or next(
        (r for o in observed if (r := view.directory.line(o.register_id))), None
    )
    alerts = _alerts(view, {line_id, *(o.id for o in observed)})
    if not observed and registered is None and not alerts:
        raise NotFound(f"there is no line {line_id[:60]!r}")
    first = observed[0] if observed else None
    title = registered.vendor if registered else line_title(view, first) if first else line_id
    verdicts = dict.fromkeys(v for o in observed for v in o.verdicts)
    return view.show(
        "line.html",
        line_id=line_id,
        title=title,
        badges=verdict_badges(view, list(verdicts)),
        contact=registered.contact if registered else "",
        alerts=alerts,
        sections=[
            ("line.observed", [row for o in observed for row in _seen(view, o)]),
            ("line.registered", _listed(view, registered) if registered else []),
        ],
    )


def _register_row(view: View, line: RegisteredLine, observed: list[ObservedLine]) -> RegisterRow:
    verdicts = dict.fromkeys(v for o in observed if o.register_id == line.id for v in o.verdicts)
    return RegisterRow(
        id=line.id,
        vendor=line.vendor,
        system=line.system,
        line_type=line.line_type,
        windows=line.windows,
        contract_end=line.contract_end.isoformat() if line.contract_end else "",
        badges=verdict_badges(view, list(verdicts) or ["ghost"]),
    )


def _alerts(view: View, line_ids: set[str]) -> list[Alert]:
    """The newest alerts of a line; alerts are not indexed by line, so recent ones are read."""
    page = view.services.alerts.find(view.person, AlertFilter(), limit=500)
    return [a for a in page.items if a.line in line_ids][:20]


def _seen(view: View, line: ObservedLine) -> list[tuple[str, Any]]:
    t, clock = view.t, view.clock
    rows: list[tuple[str, Any]] = [
        (t("line.device"), line.device_sub or line.device),
        (t("line.outside"), line.outside),
        (t("line.kind"), line.kind),
        (t("line.first"), clock.second(line.first_ns)),
        (t("line.last"), clock.second(line.last_ns)),
        (t("line.bytes"), line.bytes),
    ]
    other = {k: v for k, v in line.told.items() if k not in _SHOWN_ELSEWHERE}
    return rows + list(shown_facts(other, t, clock))


def _listed(view: View, line: RegisteredLine) -> list[tuple[str, Any]]:
    t = view.t
    yes_no = {None: "", True: t("value.yes"), False: t("value.no")}
    rows = [
        ("id", line.id), ("vendor", line.vendor), ("system", line.system),
        ("type", line.line_type), ("contract", line.contract_end),
        ("device", view.directory.label(line.device_ip) if line.device_ip else ""),
        ("device_mac", line.device_mac), ("device_port", line.device_port),
        ("outside", ", ".join(line.outside)), ("protocols", ", ".join(line.protocols)),
        ("landing", ", ".join(line.landing)), ("allowed", ", ".join(line.allowed_targets)),
        ("window", ", ".join(line.windows) or t("line.always")),
        ("initiator", t(f"initiator.{line.initiator}") if line.initiator else ""),
        ("mfa", yes_no[line.mfa]), ("approver", line.approver), ("contact", line.contact),
        ("review", line.last_review), ("note", line.note),
    ]  # fmt: skip
    return [(t(f"line.{name}"), value) for name, value in rows if value]
