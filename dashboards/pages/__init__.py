"""Pages: thin routes that ask the use cases and fill templates. One file a subject."""

from fastapi import APIRouter

from dashboards.pages import (
    account,
    alerts,
    assets,
    audit,
    flows,
    health,
    incidents,
    lines,
    overview,
    people,
    plans,
    suppressions,
)

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    incidents.router,
    plans.router,
    alerts.router,
    suppressions.router,
    flows.router,
    assets.router,
    lines.router,
    health.router,
    account.router,
    people.router,
    audit.router,
)
