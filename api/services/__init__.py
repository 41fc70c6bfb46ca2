"""Use cases: the only place that checks permission and writes audit; routes and pages share it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from api.accounts import Accounts
from api.audit import Audit
from api.passwords import Passwords
from api.services.alerts import AlertService
from api.services.assets import AssetService
from api.services.audit import AuditService
from api.services.baseline import BaselineService
from api.services.coverage import Coverage, CoverageService
from api.services.evidence import EvidenceService
from api.services.flows import FlowLake, FlowService
from api.services.gate import Gate
from api.services.health import HealthService
from api.services.incidents import IncidentService
from api.services.isolation import IsolationService, Planner
from api.services.lines import LineService
from api.services.login import LoginService
from api.services.maintenance import MaintenanceService
from api.services.people import PeopleService
from api.services.reports import ReportService
from api.services.setup import SetupService
from api.services.suppressions import SuppressionService
from api.settings import ApiSettings
from detector.database import Database
from detector.hospital import Segment
from detector.store import Store


@dataclass(frozen=True)
class Services:
    """All use cases; `request.app.state.services` in routes and pages."""

    login: LoginService
    alerts: AlertService
    suppressions: SuppressionService
    baseline: BaselineService
    incidents: IncidentService
    isolation: IsolationService
    assets: AssetService
    lines: LineService
    coverage: CoverageService
    maintenance: MaintenanceService
    setup: SetupService
    reports: ReportService
    flows: FlowService
    evidence: EvidenceService
    health: HealthService
    people: PeopleService
    audit: AuditService


@dataclass(frozen=True)
class Sources:
    """What the use cases work on."""

    store: Store
    lake: FlowLake | None = None
    planner: Planner | None = None
    coverage: Coverage | None = None
    now_ns: Callable[[], int] = time.time_ns
    segments: tuple[Segment, ...] = ()


def build_services(settings: ApiSettings, database: Database, sources: Sources) -> Services:
    """Put the services together; starts nothing."""
    store, now_ns = sources.store, sources.now_ns
    audit = Audit(database, now_ns)
    gate = Gate(audit, now_ns)
    accounts, passwords = Accounts(database, now_ns), Passwords()
    return Services(
        login=LoginService(accounts, audit, passwords, settings, now_ns),
        alerts=AlertService(store, gate),
        suppressions=SuppressionService(store, gate, now_ns),
        baseline=BaselineService(store, gate, now_ns),
        incidents=IncidentService(store, gate),
        isolation=IsolationService(store, database, gate, sources.planner, now_ns),
        assets=AssetService(store, gate),
        lines=LineService(store, gate),
        coverage=CoverageService(sources.coverage, gate),
        maintenance=MaintenanceService(store, gate, now_ns),
        setup=SetupService(store, gate, settings.state_dir, sources.segments),
        reports=ReportService(store, gate),
        flows=FlowService(sources.lake, gate),
        evidence=EvidenceService(store, gate, settings),
        health=HealthService(store, database, gate, now_ns),
        people=PeopleService(accounts, gate, passwords, settings, now_ns),
        audit=AuditService(audit, gate),
    )
