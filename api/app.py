"""Puts the API together; nothing is wired anywhere else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.accounts import Accounts
from api.audit import Audit
from api.database import people_database
from api.first_start import make_first_admin
from api.metrics import Metrics
from api.passwords import Passwords
from api.routes import ROUTERS
from api.routes.health import top_router
from api.routes.router import PREFIX
from api.services import Sources, build_services
from api.services.coverage import Coverage
from api.services.flows import FlowLake
from api.services.health import mimawari_version
from api.services.isolation import Planner
from api.settings import ApiSettings
from api.stream import LiveStream
from api.web.body import BodyLimit
from api.web.frame import RequestFrame
from api.web.origin import OriginGuard
from api.web.problems import add_problems
from detector.hospital import Segment
from detector.store import Store


def create_app(
    settings: ApiSettings,
    store: Store,
    *,
    lake: FlowLake | None = None,
    planner: Planner | None = None,
    coverage: Coverage | None = None,
    now_ns: Callable[[], int] = time.time_ns,
    segments: tuple[Segment, ...] = (),
) -> FastAPI:
    """The API over an open store; its own database opens when the app starts.

    `app.state` carries services, settings, live and metrics for routes and pages; a console may set
    `app.state.problem_page` to show errors as pages.
    """
    database = people_database(settings.state_dir / "api.db")
    sources = Sources(store, lake, planner, coverage, now_ns, segments)

    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncIterator[None]:
        database.open()
        accounts, audit = Accounts(database, now_ns), Audit(database, now_ns)
        make_first_admin(accounts, Passwords(), audit, settings.state_dir)
        try:
            yield
        finally:
            database.close()

    app = FastAPI(
        title="Mimawari",
        version=mimawari_version(),
        description="Network detection and response for hospitals. Times are ns since 1970 UTC.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # its scripts would come from another host
        redoc_url=None,
        lifespan=run,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.services = build_services(settings, database, sources)
    app.state.metrics = Metrics()
    app.state.live = LiveStream(store, settings.stream_poll_s, settings.most_streams)
    app.state.metrics.streams.set_function(lambda: app.state.live.open_count)
    for router in (*ROUTERS, top_router):
        app.include_router(router)
    add_problems(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, most_bytes=settings.most_body_bytes)
    app.add_middleware(OriginGuard, settings=settings)
    app.add_middleware(RequestFrame, metrics=app.state.metrics, has_tls=settings.has_tls)
    return app
