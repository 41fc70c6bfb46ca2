"""Hunting in the flow lake; the answer's fields derive from the table of flow columns."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field, create_model

from api.routes.router import make_router
from api.services.flows import MOST_FLOWS, FlowQuestion
from api.web.sessions import Asker, UseCases
from collector.flows import FLOW_COLUMNS, Column

router = make_router("flows")
_TEXT_COLUMNS = frozenset({"app", "state", "sensor"})
_Time = Annotated[int, Query(ge=0, le=1 << 62, description="ns since 1970 UTC")]


def _field(column: Column) -> Any:
    kind = str if column.shape or column.name in _TEXT_COLUMNS else int
    words = column.meaning if kind is str else f"{column.meaning} ({column.unit})"
    return (kind, Field(description=words))


FlowBody: type[BaseModel] = create_model("FlowBody", **{c.name: _field(c) for c in FLOW_COLUMNS})


@router.get("/flows", response_model=list[FlowBody])
def hunt(
    asker: Asker,
    use: UseCases,
    host: Annotated[str, Query(max_length=64, description="either end")] = "",
    peer: Annotated[str, Query(max_length=64, description="the other end")] = "",
    port: Annotated[int, Query(ge=0, le=65535, description="either port; 0 = any")] = 0,
    app: Annotated[str, Query(max_length=40)] = "",
    since_ns: _Time = 0,
    until_ns: _Time = 1 << 62,
    limit: Annotated[int, Query(ge=1, le=MOST_FLOWS)] = 1000,
) -> list[dict[str, Any]]:
    """Flows of a host, newest first; each hunt is audited."""
    question = FlowQuestion(host, peer, port, app, since_ns, until_ns, limit)
    return use.flows.hunt(asker, question)
