"""Serves the API and the console over a state folder until it is told to stop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

from fastapi import FastAPI

from api.app import create_app
from api.asset_rows import known_ports
from api.configuration import Configuration
from api.logs import configure_logs
from api.server import make_server
from api.settings import ApiSettings
from collector.lake import Lake
from detector.alerts import Alert
from detector.coverage import coverage
from detector.incidents import Incident
from detector.isolation.dependencies import LakeDependencies
from detector.isolation.plan import IsolationPlan
from detector.isolation.planner import Planner
from detector.store import Store


def serve(configuration: Configuration, port: int, add_console: Callable[[FastAPI], None]) -> None:
    """Listen until SIGINT or SIGTERM."""
    configure_logs()
    # The command line may have chosen another state folder than the settings file.
    where = {"port": port, "state_dir": configuration.state_dir}
    settings = configuration.api.model_copy(update=where)
    store = Store(configuration.state_dir / "mimawari.db").open()
    app = make_app(configuration, settings, store)
    add_console(app)
    scheme = "https" if settings.tls_cert else "http"
    sys.stderr.write(f"Mimawari: {scheme}://{settings.host}:{port}/\n")
    try:
        make_server(app, settings).run()
    finally:
        store.close()


def make_app(configuration: Configuration, settings: ApiSettings, store: Store) -> FastAPI:
    """The API over a state folder: its store, lake, planner and map of blind spots."""
    lake = Lake(configuration.state_dir / "lake")
    hospital = configuration.hospital

    def plan(incident: Incident, alerts: Sequence[Alert]) -> IsolationPlan:
        """Plan with the ledger and the register as people have them now."""
        now = store.hospital(hospital)
        planner = Planner(now, LakeDependencies(lake, now), known_ports(store))
        return planner.plan(incident, alerts)

    if not store.ledger() and hospital.assets:
        store.replace_ledger(hospital.assets)
    if not store.register() and hospital.lines:
        store.replace_register(hospital.lines)
    return create_app(
        settings, store, lake=lake, planner=plan, coverage=partial(coverage, store, lake, hospital),
        segments=hospital.segments,
    )  # fmt: skip
