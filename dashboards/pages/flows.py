"""Searching the flows that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from api.faults import Unacceptable, Unavailable
from api.services.flows import FlowQuestion
from collector.apps import APPS
from dashboards.clock import size, span
from dashboards.facts import protocol_name
from dashboards.view import KnownView, View

router = APIRouter(include_in_schema=False)

_MOST = 200


@dataclass(frozen=True)
class FlowLine:
    """One flow in words."""

    first_ns: int
    lasted: str
    source: str
    source_end: str
    destination: str
    destination_end: str
    app: str
    sent: str
    received: str
    state: str


@router.get("/flows")
def flows(
    view: KnownView,
    host: str = "",
    peer: str = "",
    port: str = "",
    app: str = "",
    since: str = "",
    until: str = "",
) -> Response:
    chosen = {"host": host.strip(), "peer": peer.strip(), "port": port.strip(), "app": app,
              "since": since, "until": until}  # fmt: skip
    question, problems = _question(view, chosen)
    was_asked = any(chosen.values())
    rows: list[Mapping[str, Any]] = []
    if was_asked and not problems:
        try:
            rows = list(view.services.flows.hunt(view.person, question))
        except Unacceptable as fault:
            problems = list(fault.faults) or [view.fault_text(fault)]
        except Unavailable as fault:
            problems = [view.fault_text(fault)]
    return view.show(
        "flows.html",
        chosen=chosen,
        apps=sorted(APPS),
        problems=problems,
        was_asked=was_asked,
        rows=[_line(view, row) for row in rows],
        is_cut=len(rows) >= _MOST,
        most=_MOST,
    )


def _question(view: View, chosen: Mapping[str, str]) -> tuple[FlowQuestion, list[str]]:
    problems: list[str] = []
    times = {}
    for name in ("since", "until"):
        try:
            times[name] = _time_ns(view, chosen[name])
        except ValueError:
            label = view.t(f"flows.{name}")
            problems.append(view.t("flows.bad_time", name=label, value=chosen[name]))
            times[name] = 0
    port = chosen["port"]
    is_port = port.isascii() and port.isdecimal() and int(port) <= 65535
    if port and not is_port:
        problems.append(view.t("flows.bad_port", value=port))
    question = FlowQuestion(
        host=chosen["host"],
        peer=chosen["peer"],
        port=int(port) if port and is_port else 0,
        app=chosen["app"],
        since_ns=times["since"],
        until_ns=times["until"] or FlowQuestion.until_ns,
        limit=_MOST,
    )
    return question, problems


def _time_ns(view: View, text: str) -> int:
    """The hospital's local time as UTC nanoseconds."""
    if not text:
        return 0
    return int(datetime.fromisoformat(text).replace(tzinfo=view.clock.zone).timestamp()) * 10**9


def _line(view: View, row: Mapping[str, Any]) -> FlowLine:
    source, destination = str(row["source"]), str(row["destination"])
    protocol = protocol_name(int(row["protocol"]))
    lasted_s = (int(row["last_ns"]) - int(row["first_ns"])) / 1e9
    state = str(row["state"])
    return FlowLine(
        first_ns=int(row["first_ns"]),
        lasted=view.t("flow.lasted", span=span(lasted_s, view.t)),
        source=_name(view, source),
        source_end=f"{source}:{row['source_port']}",
        destination=_name(view, destination),
        destination_end=f"{destination}:{row['destination_port']}",
        app=f"{view.t.name('app', str(row['app']))} ({protocol})",
        sent=size(int(row["bytes"])),
        received=size(int(row["reply_bytes"])),
        state=view.t.name("flow_state", state),
    )


def _name(view: View, address: str) -> str:
    known = view.directory.find(address)
    return known.name if known and known.name else address
