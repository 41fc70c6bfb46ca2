"""Incidents and their stories."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.routes.alerts import alert_body
from api.routes.bodies import AlertBody, Asked, PageBody, Told
from api.routes.router import Cursor, Limit, make_router
from api.web.sessions import Asker, UseCases
from detector.alerts import Severity
from detector.incidents import Incident

router = make_router("incidents")


class IncidentBody(Told):
    type: Literal["incident"]
    schema_: int = Field(alias="schema")
    id: str
    alert_ids: list[str]
    hosts: list[str]
    lines: list[str]
    first_ns: int
    last_ns: int
    stages: list[str] = Field(description="in the order of an intrusion")
    techniques: list[str]
    severity: Severity
    priority: float = Field(description="0-100, weighed by what it means for care")
    state: str
    owner: str
    note: str


class ChapterBody(Told):
    stage: str
    alerts: list[AlertBody]


class StoryBody(Told):
    incident: IncidentBody
    chapters: list[ChapterBody]
    untold: int = Field(description="alerts that did not fit")


class Closing(Asked):
    note: str = Field(max_length=1000, description="how it ended")


def incident_body(incident: Incident) -> IncidentBody:
    return IncidentBody.model_validate(incident.to_json())


@router.get("/incidents")
def list_incidents(
    asker: Asker,
    use: UseCases,
    state: Literal["", "open", "closed"] = "",
    cursor: Cursor = "",
    limit: Limit = 100,
) -> PageBody[IncidentBody]:
    """Incidents, most urgent for care first."""
    page = use.incidents.find(asker, state, cursor, limit)
    return PageBody[IncidentBody].of(page, [incident_body(i) for i in page.items])


@router.get("/incidents/{incident_id}")
def get_incident(incident_id: str, asker: Asker, use: UseCases) -> StoryBody:
    """An incident, its alerts told by stage and time."""
    story = use.incidents.story(asker, incident_id)
    chapters = [
        ChapterBody(stage=c.stage, alerts=[alert_body(a) for a in c.alerts]) for c in story.chapters
    ]
    return StoryBody(incident=incident_body(story.incident), chapters=chapters, untold=story.untold)


@router.post("/incidents/{incident_id}/close")
def close_incident(incident_id: str, body: Closing, asker: Asker, use: UseCases) -> IncidentBody:
    """End the work on an incident."""
    return incident_body(use.incidents.close(asker, incident_id, body.note))
