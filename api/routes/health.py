"""How the sensor is, for people and for what supervises the service."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from pydantic import Field

from api.metrics import MEDIA_TYPE, Metrics
from api.routes.bodies import AlertCount, Told
from api.routes.router import make_router
from api.web.sessions import Asker, UseCases

router = make_router("health")
#: Outside /api/v1, where supervisors look for them.
top_router = make_router("health", prefix="")


class HealthBody(Told):
    version: str
    now_ns: int
    started_ns: int
    collector: dict[str, Any] = Field(
        description="counts, what was shed and malformed by cause, blind lanes; {} = never ran"
    )
    alerts: list[AlertCount]


class Ready(Told):
    ready: bool
    parts: dict[str, bool]


class Alive(Told):
    alive: bool = True


class Version(Told):
    name: str = "mimawari"
    version: str


@router.get("/health")
def get_health(asker: Asker, use: UseCases) -> HealthBody:
    """What the sensor sees, what it shed, where it is blind."""
    health = use.health.report(asker)
    counts = sorted(health.alert_counts.items())
    return HealthBody(
        version=health.version,
        now_ns=health.now_ns,
        started_ns=health.started_ns,
        collector=dict(health.collector),
        alerts=[AlertCount(severity=sev, state=state, count=n) for (sev, state), n in counts],
    )


@top_router.get("/healthz")
def is_alive() -> Alive:
    """The service answers. Open to all."""
    return Alive()


@top_router.get("/readyz", responses={503: {"model": Ready}})
def is_ready(use: UseCases, response: Response) -> Ready:
    """Its databases answer as well. Open to all."""
    parts = use.health.readiness()
    response.status_code = 200 if all(parts.values()) else 503
    return Ready(ready=all(parts.values()), parts=parts)


@top_router.get("/version")
def get_version(asker: Asker, use: UseCases) -> Version:
    """Which version runs; not for strangers."""
    return Version(version=use.health.report(asker).version)


@top_router.get("/metrics", response_class=Response)
def get_metrics(request: Request, asker: Asker, use: UseCases) -> Response:
    """Counts for Prometheus, with an API key that has metrics.read."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.render(use.health.metrics(asker)), media_type=MEDIA_TYPE)
