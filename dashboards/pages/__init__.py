"""Pages: thin routes that ask the use cases and fill templates. One file a subject."""

from fastapi import APIRouter

from dashboards.pages import (
    account,
    alerts,
    assets,
    audit,
    baseline,
    coverage,
    flows,
    health,
    incidents,
    lines,
    maintenance,
    overview,
    people,
    plans,
    reports,
    setup,
    suppressions,
)

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    incidents.router,
    plans.router,
    alerts.router,
    suppressions.router,
    baseline.router,
    flows.router,
    assets.router,
    lines.router,
    coverage.router,
    maintenance.router,
    setup.router,
    reports.router,
    health.router,
    account.router,
    people.router,
    audit.router,
)
