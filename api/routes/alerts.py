"""Alerts and their evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query, Response
from fastapi.responses import FileResponse

from api.routes.bodies import AlertBody, AlertCount, Judgement, PageBody, Told
from api.routes.router import Cursor, Limit, make_router
from api.services.alerts import AlertFilter
from api.web.sessions import Asker, UseCases
from detector.alerts import Alert, Severity, State
from detector.detection import Category

router = make_router("alerts")


class LayerBody(Told):
    name: str
    fields: dict[str, str]


class PacketBody(Told):
    number: int
    time: str
    length: int
    captured: int
    protocols: list[str]
    layers: list[LayerBody]


class DissectionBody(Told):
    """Packets without payload; `note` tells what could not be read."""

    packets: list[PacketBody]
    has_more: bool
    note: str


def alert_body(alert: Alert) -> AlertBody:
    return AlertBody.model_validate(alert.to_json())


@router.get("/alerts")
def list_alerts(
    asker: Asker,
    use: UseCases,
    state: State | Literal[""] = "",
    severity: Severity | Literal[""] = "",
    category: Category | Literal[""] = "",
    source: Annotated[str, Query(max_length=64, description="address of the source")] = "",
    incident: Annotated[str, Query(max_length=64)] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> PageBody[AlertBody]:
    """Alerts, newest first."""
    wanted = AlertFilter(state, severity, category, source, incident)
    page = use.alerts.find(asker, wanted, cursor, limit)
    return PageBody[AlertBody].of(page, [alert_body(a) for a in page.items])


@router.get("/alerts/counts")
def count_alerts(asker: Asker, use: UseCases) -> list[AlertCount]:
    """How many alerts there are by severity and state."""
    counts = sorted(use.alerts.counts(asker).items())
    return [AlertCount(severity=sev, state=state, count=n) for (sev, state), n in counts]


@router.get("/alerts/{alert_id}")
def get_alert(alert_id: str, asker: Asker, use: UseCases) -> AlertBody:
    """One alert."""
    return alert_body(use.alerts.get(asker, alert_id))


@router.post("/alerts/{alert_id}/judgement")
def judge_alert(alert_id: str, body: Judgement, asker: Asker, use: UseCases) -> AlertBody:
    """Say what an alert is, and why."""
    return alert_body(use.alerts.judge(asker, alert_id, body.state, body.reason))


@router.get("/alerts/{alert_id}/packets")
def dissect_evidence(
    alert_id: str,
    asker: Asker,
    use: UseCases,
    limit: Annotated[int, Query(ge=1, le=5000, description="packets, from the first")] = 100,
) -> DissectionBody:
    """The alert's packets taken apart by tshark, without payload; each look is audited."""
    return DissectionBody.model_validate(use.evidence.dissect(asker, alert_id, limit))


@router.get(
    "/alerts/{alert_id}/evidence.pcap",
    response_class=FileResponse,
    responses={200: {"content": {"application/vnd.tcpdump.pcap": {}}}},
)
def download_evidence(
    alert_id: str,
    asker: Asker,
    use: UseCases,
    redacted: Annotated[bool, Query(description="headers only: every payload cut off")] = False,
) -> Response:
    """The alert's capture as a file; each download is audited."""
    if redacted:
        name = f'attachment; filename="{alert_id}-redacted.pcap"'
        return Response(
            use.evidence.redacted(asker, alert_id),
            media_type="application/vnd.tcpdump.pcap",
            headers={"Content-Disposition": name},
        )
    path = use.evidence.download(asker, alert_id)
    return FileResponse(path, media_type="application/vnd.tcpdump.pcap", filename=path.name)
