"""What the sensor sees of each VLAN."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.routes.bodies import Told
from api.routes.router import make_router
from api.web.sessions import Asker, UseCases

Kind = Literal["broadcast", "unicast", "flow"]
router = make_router("coverage")


class CoverageBody(Told):
    """One VLAN of the plan or of the traffic, over the last day of event time."""

    vlan: int = Field(description="0 = untagged or not stated")
    name: str = Field(description="of the plan's segment; empty = not in the plan")
    broadcast: int = Field(description="flows to broadcast and multicast addresses")
    unicast: int = Field(description="flows between two hosts, seen by packets")
    flow: int = Field(description="flows told by exporters")
    hosts: int
    seen: list[Kind] = Field(description="kinds seen, by flows or by ARP, DHCP and announcements")
    blind: list[Kind] = Field(description="kinds not seen")


@router.get("/coverage")
def get_coverage(asker: Asker, use: UseCases) -> list[CoverageBody]:
    """By VLAN: broadcasts, unicast packets and flow exports seen, and what is not."""
    return [CoverageBody.model_validate(row) for row in use.coverage.report(asker)]
