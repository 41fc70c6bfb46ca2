"""A small hospital's API for tests: its store, a clock that obeys, browsers for its people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from api.accounts import Accounts
from api.audit import Audit
from api.settings import ApiSettings
from api.web.sessions import cookie_name
from detector.alerts import Alert, Party
from detector.database import Database
from detector.detection import FlowKey
from detector.hospital import Asset, RegisteredLine
from detector.incidents import Incident, join_alerts
from detector.isolation.plan import Commands, IsolationPlan, Step, Stop
from detector.store import Store
from detector.words import Text

ORIGIN = "http://127.0.0.1:8642"
START_NS = 1_750_000_000_000_000_000
SECOND_NS = 1_000_000_000


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        return self.now_ns

    def pass_time(self, *, seconds: float = 0, hours: float = 0, days: float = 0) -> None:
        self.now_ns += int((seconds + 3600 * hours + 86400 * days) * SECOND_NS)


@dataclass
class House:
    """The running application and what stands behind it."""

    app: FastAPI
    store: Store
    settings: ApiSettings
    accounts: Accounts
    audit: Audit
    database: Database
    clock: Clock

    def client(self, login: str = "", *, address: str = "192.0.2.7") -> httpx.AsyncClient:
        """A browser; with a login, one whose session has begun."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 50000))
        cookies = {}
        if login:
            cookies[cookie_name(self.settings)] = self.accounts.start_session(login)
        headers = {"Origin": ORIGIN}
        return httpx.AsyncClient(
            transport=transport, base_url=ORIGIN, cookies=cookies, headers=headers
        )

    def actions(self) -> list[tuple[str, str, str]]:
        """(person, action, result) of the whole audit, oldest first."""
        return [(e.person, e.action, e.result) for e in reversed(self.audit.entries(limit=1000))]


def text(words: str) -> Text:
    return Text(ja=words, en=words)


def make_alert(alert_id: str, **changes: Any) -> Alert:
    told: dict[str, Any] = {
        "id": alert_id, "detector": "admin_share", "variant": "", "category": "lateral_movement",
        "techniques": ("T1021.002",), "severity": "high", "score": 80.0, "confidence": 0.9,
        "first_ns": START_NS, "last_ns": START_NS + SECOND_NS,
        "source": Party("10.1.0.5", "02:00:00:00:00:05", "ward-pc", "terminal"),
        "targets": (Party("10.1.0.9", name="emr-db", role="database"),),
        "title": text("title"), "why": text("why"), "next_step": text("next"),
        "facts": {"share": "ADMIN$"},
        "flows": (FlowKey(START_NS, "10.1.0.5", 50000, "10.1.0.9", 445, 6),),
    }  # fmt: skip
    return Alert(**{**told, **changes})


def plan_two_steps(incident: Incident, alerts: Sequence[Alert]) -> IsolationPlan:
    """Watch, then block one path; what a planner makes."""
    stop = Stop("電子カルテ", ("emr-db",), flows_8h=120, is_live=True)
    commands = Commands("Cisco IOS", ("deny ip host 10.1.0.5 any",), ("no deny ip host 10.1.0.5",))
    steps = tuple(
        Step(level, "10.1.0.5", text("step"), text("reason"), stops, text("IT"), given)
        for level, stops, given in ((0, (), ()), (3, (stop,), (commands,)))
    )
    return IsolationPlan(f"p{len(alerts)}{incident.id}", incident.id, incident.last_ns, steps)


def fill(store: Store) -> None:
    alerts = [
        make_alert("a1", category="external_line", severity="medium", score=55.0, line="L-1"),
        make_alert("a2", first_ns=START_NS + 5, last_ns=START_NS + 5 * SECOND_NS),
        make_alert("a3", last_ns=START_NS + 9 * SECOND_NS),
    ]
    store.save_alerts(alerts)
    store.save_incidents(join_alerts(alerts, {"10.1.0.5": 0.6, "10.1.0.9": 1.0}))
    seen = {"mac": "02:00:00:00:00:05", "name": "ward-pc", "role": "terminal", "names": ["ward-pc"]}
    store.save_seen_assets(
        [
            {**seen, "ip": "10.1.0.5", "last_ns": START_NS},
            {**seen, "ip": "10.1.0.6", "last_ns": START_NS},
            {**seen, "ip": "10.1.0.40", "last_ns": START_NS},
        ]
    )
    store.replace_ledger(
        [
            Asset(ip="10.1.0.5", mac="02:00:00:00:00:05", role="terminal"),
            Asset(ip="10.1.0.6", mac="02:00:00:00:00:66", role="printer"),
            Asset(ip="10.1.0.9", name="emr-db", role="database"),
        ]
    )
    store.replace_register([RegisteredLine(id="L-1", vendor="保守会社", line_type="拠点間VPN")])
    store.save_observed_lines([{"id": "L-1", "last_ns": START_NS, "outside": ["203.0.113.5"]}])
    store.save_note("collector_health", {"packets": 12, "shed": {"queue": 3}, "blind": {}})
