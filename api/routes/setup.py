"""Day-0 set-up: the proposal and its confirmation."""

from __future__ import annotations

from pydantic import Field

from api.routes.bodies import Asked, Count, Told
from api.routes.router import make_router
from api.web.sessions import Asker, UseCases
from detector.hospital import Segment

router = make_router("setup")


class SetupBody(Told):
    """The plan in use; the confirmed one and the proposal are TOML, empty where there is none."""

    segments: list[Segment] = Field(description="in use since the service started")
    is_from_settings: bool = Field(description="the settings file holds the plan; change it there")
    confirmed: str
    proposed: str
    doubts: list[str]
    span_h: float = Field(description="hours of traffic behind the proposal")


class PlanBody(Asked):
    plan: str = Field(max_length=1 << 20, description="TOML with name, timezone and segments")


@router.get("/setup")
def get_setup(asker: Asker, use: UseCases) -> SetupBody:
    """What traffic proposes and what is in use."""
    return SetupBody.model_validate(use.setup.state(asker))


@router.post("/setup")
def confirm_setup(body: PlanBody, asker: Asker, use: UseCases) -> Count:
    """Check a plan as a whole and use it from the next start on."""
    return Count(count=use.setup.confirm(asker, body.plan))
