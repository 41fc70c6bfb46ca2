"""Incidents: the list, one incident's story with its isolation plan, and closing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Response
from markupsafe import Markup

from dashboards.attack_path import Node, draw_path
from dashboards.directory import Known, is_inside
from dashboards.pages.plans import moves_of
from dashboards.tasks import Task, task_of, tasks_of
from dashboards.view import KnownView, View
from detector.alerts import Alert, Party

router = APIRouter(include_in_schema=False)

_PAGE = 30
_CARRIES_CARE = ("C2", "C3", "C4")


@dataclass(frozen=True)
class Event:
    """One alert in the story; `day` stands above the first of a day."""

    number: int
    alert: Alert
    day: str


@router.get("/incidents")
def incident_list(view: KnownView, state: str = "open", cursor: str = "") -> Response:
    wanted = "" if state == "all" else state
    page = view.services.incidents.find(view.person, wanted, cursor, _PAGE)
    tasks = tasks_of(view.services, view.person, page.items, view.directory, view.t)
    return view.show("incidents.html", tasks=list(tasks), state=state, next_cursor=page.next_cursor)


@router.get("/incidents/{incident_id}")
def incident(view: KnownView, incident_id: str) -> Response:
    story = view.services.incidents.story(view.person, incident_id)
    plans = view.services.isolation.plans(view.person, incident_id)
    plans.reverse()
    task = task_of(story.incident, story.alerts, view.directory, view.t)
    proposer = view.services.isolation.proposer(plans[0].id) if plans else ""
    return view.show(
        "incident.html",
        task=task,
        incident=story.incident,
        untold=story.untold,
        path=_draw(view, task.alerts),
        events=_events(view, task.alerts),
        plans=plans,
        own_proposal=view.person is not None and proposer == view.person.login,
        moves_of=lambda plan, step: moves_of(view, plan, step),
        care=_care(view, task),
        contacts=task.contacts,
        printed=view.clock.text(view.services.health.report(view.person).now_ns),
    )


@router.post("/incidents/{incident_id}/plan")
def propose(view: KnownView, incident_id: str) -> Response:
    plan = view.services.isolation.propose(view.person, incident_id)
    return view.go(f"/incidents/{incident_id}#{plan.id}-0", "proposed")


@router.post("/incidents/{incident_id}/close")
def close(view: KnownView, incident_id: str, note: Annotated[str, Form()] = "") -> Response:
    view.services.incidents.close(view.person, incident_id, note)
    return view.go(f"/incidents/{incident_id}", "closed")


def _events(view: View, alerts: Sequence[Alert]) -> list[Event]:
    events, before = [], ""
    for number, alert in enumerate(alerts, 1):
        day = view.clock.day(alert.first_ns, view.t)
        events.append(Event(number, alert, day if day != before else ""))
        before = day
    return events


def _draw(view: View, alerts: Sequence[Alert]) -> Markup:
    def describe(party: Party) -> Node:
        known = view.directory.find(party.ip)
        key = party.ip or party.mac or party.name
        if known is None:
            is_named = bool(party.name and party.ip)
            node = Node(key, party.name or key, party.ip if is_named else "")
            if is_inside(party.ip):
                node.sub = node.sub or view.t("incident.unlisted")
            elif party.ip:
                node.kinds.add("outside")
                node.sub = node.sub or view.t("incident.outside")
            return node
        what = known.department or view.t.name("role", known.role)
        node = Node(key, known.name or known.ip, f"{known.ip} {what}", f"/assets/{known.ip}")
        if known.care_class in _CARRIES_CARE:
            node.kinds.add("care")
        return node

    def how(alert: Alert) -> str:
        known = f"technique.{alert.techniques[0]}" if alert.techniques else ""
        return view.t(known) if view.t.has(known) else view.t(f"category.{alert.category}")

    return draw_path(
        alerts,
        describe,
        how,
        lambda n: view.t("incident.others", n=n),
        view.t("incident.path"),
    )


def _care(view: View, task: Task) -> list[tuple[str, list[Known]]]:
    """Hosts of the incident by department, those on which care depends most first."""
    departments: dict[str, list[Known]] = {}
    for ip in task.incident.hosts:
        known = view.directory.find(ip)
        if known is not None:
            departments.setdefault(known.department, []).append(known)
    for hosts in departments.values():
        hosts.sort(key=lambda h: h.care_class, reverse=True)
    return sorted(departments.items(), key=lambda d: d[1][0].care_class, reverse=True)
