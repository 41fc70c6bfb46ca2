"""The alert queue, one alert, its evidence, and people's judgements."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Form, Response
from fastapi.responses import FileResponse

from api.faults import Fault, Unacceptable
from api.services.alerts import AlertFilter
from dashboards.evidence import Evidence, shown_evidence
from dashboards.facts import protocol_name, shown_facts
from dashboards.tasks import contacts_of
from dashboards.view import KnownView, View, local_path
from detector.alerts import SEVERITIES, STATES, Alert
from detector.detection import Category

router = APIRouter(include_in_schema=False)

_PAGE = 50
_MOST_PARTIES = 12
_NAMED_AT_MOST = 50  # of many targets, detectors name the first; the facts tell how many


@router.get("/alerts")
def queue(
    view: KnownView,
    state: str = "",
    severity: str = "",
    category: str = "",
    host: str = "",
    cursor: str = "",
) -> Response:
    wanted = AlertFilter(state=state, severity=severity, category=category, source=host.strip())
    page = view.services.alerts.find(view.person, wanted, cursor, _PAGE)
    return view.show(
        "alerts.html",
        alerts=page.items,
        next_cursor=page.next_cursor,
        chosen={"state": state, "severity": severity, "category": category, "host": host},
        filters=(("state", STATES), ("severity", SEVERITIES), ("category", get_args(Category))),
        states=STATES,
        is_first=not cursor,
    )


@router.post("/alerts/judge")
def judge(
    view: KnownView,
    state: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/alerts",
    id: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    if not id:
        raise Unacceptable(view.t("problem.nothing_picked"))
    for alert_id in id[:_PAGE]:
        view.services.alerts.judge(view.person, alert_id, state, reason)
    return view.go(local_path(back), "judged")


@router.get("/alerts/{alert_id}")
def alert(view: KnownView, alert_id: str) -> Response:
    return _show(view, view.services.alerts.get(view.person, alert_id))


@router.get("/alerts/{alert_id}/evidence")
def evidence(view: KnownView, alert_id: str) -> Response:
    found = view.services.alerts.get(view.person, alert_id)
    try:
        dissection = view.services.evidence.dissect(view.person, alert_id)
    except Fault as fault:
        if fault.status not in (404, 422, 503):
            raise
        is_absent = fault.status == 404
        problem = view.t("evidence.none") if is_absent else view.fault_text(fault)
        return _show(view, found, Evidence((), problem))
    return _show(view, found, shown_evidence(dissection, view.t, view.clock))


@router.get("/alerts/{alert_id}/evidence.pcap")
def evidence_file(view: KnownView, alert_id: str) -> Response:
    path = view.services.evidence.download(view.person, alert_id)
    return FileResponse(
        path, media_type="application/vnd.tcpdump.pcap", filename=f"alert-{alert_id}.pcap"
    )


def _show(view: View, alert: Alert, evidence: Evidence | None = None) -> Response:
    parties = [("source", alert.source), *(("target", p) for p in alert.targets[:_MOST_PARTIES])]
    return view.show(
        "alert.html",
        alert=alert,
        parties=parties,
        names_some=len(alert.targets) >= _NAMED_AT_MOST,
        contacts=contacts_of([alert], view.directory),
        facts=shown_facts(alert.facts, view.t, view.clock),
        confidence_word=_band(alert.confidence, 0.85, 0.5, ("high", "medium", "low")),
        warmth_word=_band(alert.warmth, 0.95, 0.05, ("warm", "warming", "cold")),
        protocol=protocol_name,
        states=STATES,
        evidence=evidence,
    )


def _band(share: float, high: float, low: float, names: tuple[str, str, str]) -> str:
    return names[0] if share >= high else names[1] if share >= low else names[2]
