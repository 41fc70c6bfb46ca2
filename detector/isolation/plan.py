"""The isolation plan: ordered steps, each proposed, approved, done or undone by a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from detector.words import Text

StepState = Literal["proposed", "approved", "done", "undone", "rejected"]

#: Which state may follow which; a cut is never marked done before somebody approved it.
_NEXT: Mapping[StepState, tuple[StepState, ...]] = {
    "proposed": ("approved", "rejected"),
    "approved": ("done", "rejected"),
    "done": ("undone",),
    "undone": (),
    "rejected": (),
}


@dataclass(frozen=True)
class Commands:
    """Exact commands for one kind of device, and their undo."""

    device: str  # e.g. "Cisco IOS"
    do: tuple[str, ...]
    undo: tuple[str, ...]


@dataclass(frozen=True)
class Stop:
    """Something that a step interrupts: one service of the host, and who uses it."""

    service: str
    peers: tuple[str, ...]
    flows_8h: int  # flows that the same hours of past days would bring in the next 8 hours
    is_live: bool  # seen in the last 15 minutes

    @property
    def text(self) -> Text:
        """What stops, for whom, and how much of it is expected."""
        ja, en = self.service, self.service
        if self.peers:
            ja += f"（{'、'.join(self.peers[:3])}{' 他' if len(self.peers) > 3 else ''}）"
            en += f" ({', '.join(self.peers[:3])}{' and others' if len(self.peers) > 3 else ''})"
        ja, en = f"{ja}が止まります", f"{en} stops"
        if self.flows_8h:
            ja += f"。今後8時間の見込み {self.flows_8h} 件"
            en += f"; about {self.flows_8h} connections in the next 8 hours"
        return Text(
            ja=ja + ("、いま通信中" if self.is_live else ""),
            en=en + ("; in use now" if self.is_live else ""),
        )


@dataclass(frozen=True)
class Step:
    """One step of a plan; `level` is L0 (watch) to L8 (cut the backup network)."""

    level: int
    target: str  # address, MAC or line
    title: Text
    reason: Text
    stops: tuple[Stop, ...]
    approver: Text
    commands: tuple[Commands, ...]
    expires_h: int = 4  # review timer
    state: StepState = "proposed"
    by: str = ""
    at_ns: int = 0
    note: str = ""

    def move(self, state: StepState, by: str, at_ns: int, note: str = "") -> Step:
        """The step in its next state; ValueError where that cannot follow."""
        if state not in _NEXT[self.state]:
            allowed = ", ".join(_NEXT[self.state]) or "nothing"
            raise ValueError(f"a step that is {self.state} can become {allowed}, not {state}")
        return replace(self, state=state, by=by, at_ns=at_ns, note=note)


@dataclass(frozen=True)
class IsolationPlan:
    """Ordered steps for one incident, least harm first."""

    id: str
    incident: str
    made_ns: int
    steps: tuple[Step, ...]
    caveats: tuple[Text, ...] = ()

    def move(
        self, number: int, state: StepState, by: str, at_ns: int, note: str = ""
    ) -> IsolationPlan:
        """The plan with one step (0-based) moved on; IndexError if there is no such step."""
        if not 0 <= number < len(self.steps):
            raise IndexError(f"plan {self.id} has steps 0 to {len(self.steps) - 1}, not {number}")
        steps = list(self.steps)
        steps[number] = steps[number].move(state, by, at_ns, note)
        return replace(self, steps=tuple(steps))

    def to_json(self) -> dict[str, Any]:
        stored: dict[str, Any] = {"type": "isolation_plan", "schema": 1, **asdict(self)}
        for step, told in zip(self.steps, stored["steps"], strict=True):
            for stop, told_stop in zip(step.stops, told["stops"], strict=True):
                told_stop["text"] = stop.text.to_json()
        return stored

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> IsolationPlan:
        """Read what `to_json` wrote."""
        return IsolationPlan(
            id=stored["id"],
            incident=stored["incident"],
            made_ns=stored["made_ns"],
            steps=tuple(_step(s) for s in stored["steps"]),
            caveats=tuple(Text(**c) for c in stored["caveats"]),
        )


def _step(stored: Mapping[str, Any]) -> Step:
    return Step(
        level=stored["level"],
        target=stored["target"],
        title=Text(**stored["title"]),
        reason=Text(**stored["reason"]),
        stops=tuple(
            Stop(s["service"], tuple(s["peers"]), s["flows_8h"], s["is_live"])
            for s in stored["stops"]
        ),
        approver=Text(**stored["approver"]),
        commands=tuple(
            Commands(c["device"], tuple(c["do"]), tuple(c["undo"])) for c in stored["commands"]
        ),
        expires_h=stored["expires_h"],
        state=stored["state"],
        by=stored["by"],
        at_ns=stored["at_ns"],
        note=stored["note"],
    )
