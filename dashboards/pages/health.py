"""The sensor's own health."""

from __future__ import annotations

from fastapi import APIRouter, Response

from dashboards.checks import causes, check_sensor
from dashboards.clock import size
from dashboards.view import KnownView

router = APIRouter(include_in_schema=False)

_TABLES = (
    ("shed", "shed"),
    ("malformed", "malformed"),
    ("failures", "detector_failures"),
    ("alerts_shed", "detector_shed"),
)


@router.get("/health")
def health(view: KnownView) -> Response:
    report = view.services.health.report(view.person)
    told = report.collector
    names = ("packets", "bytes", "flows", "live_flows", "sightings")
    counts = [(name, int(told.get(name, 0))) for name in names]
    return view.show(
        "health.html",
        checks=check_sensor(report, view.t, view.clock),
        figures=[
            (view.t(f"health.{name}"), size(n) if name == "bytes" else f"{n:,}")
            for name, n in counts
        ],
        tables=[
            (f"health.{title}", f"health.{title}_about", causes(told, counter, view.lang))
            for title, counter in _TABLES
        ],
    )
