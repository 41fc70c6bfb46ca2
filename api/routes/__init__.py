"""Routes under /api/v1: thin; the use cases in `api.services` decide."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    alerts,
    assets,
    audit,
    baseline,
    coverage,
    flows,
    health,
    incidents,
    isolation,
    lines,
    login,
    maintenance,
    people,
    setup,
    stream,
    suppressions,
)

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    alerts.router,
    suppressions.router,
    baseline.router,
    incidents.router,
    isolation.router,
    assets.router,
    lines.router,
    coverage.router,
    maintenance.router,
    flows.router,
    setup.router,
    health.router,
    people.router,
    audit.router,
    stream.router,
)
