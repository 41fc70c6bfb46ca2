"""Use case of hunting: flows of a host in the lake."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from ipaddress import ip_address
from threading import BoundedSemaphore
from typing import Any, Protocol

from api.faults import Unacceptable, Unavailable
from api.people import Person
from api.services.gate import Gate

MOST_FLOWS = 10_000
_MOST_NS = 1 << 62


class FlowLake(Protocol):
    """Where flows are kept: `collector.lake.Lake`."""

    def hunt(
        self,
        *,
        host: str = "",
        peer: str = "",
        port: int = 0,
        app: str = "",
        since_ns: int = 0,
        until_ns: int = 1 << 62,
        limit: int = 1000,
    ) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class FlowQuestion:
    """Which flows; an empty field asks nothing. Times are ns since 1970 UTC."""

    host: str = ""
    peer: str = ""
    port: int = 0
    app: str = ""
    since_ns: int = 0
    until_ns: int = _MOST_NS
    limit: int = 1000


class FlowService:
    """Search the flow lake; two hunts at a time, the others are asked to come back."""

    def __init__(self, lake: FlowLake | None, gate: Gate) -> None:
        self._lake = lake
        self._gate = gate
        self._turns = BoundedSemaphore(2)

    def hunt(self, person: Person | None, question: FlowQuestion) -> list[dict[str, Any]]:
        """Flows, newest first, with the column names of a flow as keys. Needs flows.read."""
        asked = {k: v for k, v in asdict(question).items() if v}
        with self._gate.act(person, "flows.read", "flows.hunt", "lake", **asked):
            question = _checked(question)
            if self._lake is None:
                raise Unavailable("no flow lake is kept here")
            if not self._turns.acquire(timeout=10):
                raise Unavailable("other hunts are running; try again", retry_after_s=10)
            try:
                return self._lake.hunt(**asdict(question))
            finally:
                self._turns.release()


def _checked(question: FlowQuestion) -> FlowQuestion:
    faults = []
    for name, text in (("host", question.host), ("peer", question.peer)):
        try:
            _ = text and ip_address(text)
        except ValueError:
            faults.append(f"{name}: {text[:60]!r} is not an IP address")
    if not 0 <= question.port <= 65535:
        faults.append(f"port: must be 0 to 65535, got {question.port}")
    if not 0 <= question.since_ns <= question.until_ns <= _MOST_NS:
        faults.append("since_ns, until_ns: must be in order, from 0 to 2^62")
    if not 1 <= question.limit <= MOST_FLOWS:
        faults.append(f"limit: must be 1 to {MOST_FLOWS}, got {question.limit}")
    if faults:
        raise Unacceptable("the question has faults", faults)
    return question
