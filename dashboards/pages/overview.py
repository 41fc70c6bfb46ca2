"""The first page: is the hospital all right, and what needs a person now?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Response

from dashboards.charts import Column, stacked_columns
from dashboards.checks import Check, check_sensor
from dashboards.line_table import line_summary
from dashboards.tasks import Task, tasks_of
from dashboards.urgency import urgency_of
from dashboards.view import KnownView, View
from detector.alerts import SEVERITIES

router = APIRouter(include_in_schema=False)

_CONSIDERED = 20  # incidents, most urgent first
_SHOWN = 5
_DAYS = 14
_MOST_COUNTED = 2000  # alerts drawn in the chart


@dataclass(frozen=True)
class Status:
    """The one answer of the page; `name` chooses its words."""

    name: str
    tone: str
    icon: str
    values: dict[str, Any] = field(default_factory=dict)


@router.get("/")
def overview(view: KnownView) -> Response:
    services, person = view.services, view.person
    page = services.incidents.find(person, state="open", limit=500)
    considered = page.items[:_CONSIDERED]
    open_tasks = [
        task
        for task in tasks_of(services, person, considered, view.directory, view.t)
        if not task.is_settled
    ]
    health = services.health.report(person)
    checks = check_sensor(health, view.t, view.clock)
    columns = _columns(view)
    counts, worst = line_summary(view)
    return view.show(
        "overview.html",
        status=status_of(open_tasks, checks, health.has_collector),
        tasks=open_tasks[:_SHOWN],
        open_count=len(page.items) - (len(considered) - len(open_tasks)),
        new_alerts=sum(n for (_, state), n in health.alert_counts.items() if state == "new"),
        asset_count=sum(
            n for verdict, n in services.assets.counts(person).items() if verdict != "missing"
        ),
        checks=checks,
        now_ns=health.now_ns,
        blind=[c.text for c in checks if c.tone == "critical"],
        severities=tuple(reversed(SEVERITIES)),
        chart=stacked_columns(
            columns,
            {s: view.t(f"severity.{s}") for s in reversed(SEVERITIES)},
            view.t("overview.days"),
        )
        if columns
        else "",
        chart_columns=columns,
        line_counts=counts,
        worst_lines=worst,
    )


def status_of(tasks: list[Task], checks: list[Check], has_collector: bool) -> Status:
    """Red, amber or green; a blind sensor is never green."""
    by_urgency = Counter(urgency_of(task.incident) for task in tasks)
    if by_urgency["immediate"]:
        return Status("critical", "critical", "bad", {"n": by_urgency["immediate"]})
    if not has_collector:
        return Status("empty", "info", "blank")
    if by_urgency["same_day"]:
        return Status("medium", "medium", "warn", {"n": by_urgency["same_day"]})
    if any(check.tone == "critical" for check in checks):
        return Status("blind", "medium", "warn")
    return Status("ok", "ok", "good")


def _columns(view: View) -> list[Column]:
    """Alerts by day: the days up to the newest alert's, quiet ones included."""
    days: dict[date, Counter[str]] = {}
    cursor = ""
    for _ in range(_MOST_COUNTED // 500):
        page = view.services.alerts.find(view.person, cursor=cursor, limit=500)
        for alert in page.items:
            day = view.clock.at(alert.last_ns).date()
            days.setdefault(day, Counter())[alert.severity] += 1
        cursor = page.next_cursor
        if not cursor or max(days) - min(days) > timedelta(days=_DAYS):
            break
    if not days:
        return []
    shown = [max(days) - timedelta(days=n) for n in reversed(range(_DAYS))]
    return [Column(day.strftime("%m-%d"), days.get(day, Counter())) for day in shown]
