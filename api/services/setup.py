"""Use cases of the set-up: what traffic proposes, and the plan that people confirm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api.faults import Unacceptable
from api.people import Person
from api.services.gate import Gate
from detector.setup.confirm import PlanFault, confirm_plan
from detector.store import Store


@dataclass(frozen=True)
class SetupState:
    """The plan in use, and the proposal to go through; both as TOML, empty where there is none."""

    confirmed: str
    proposed: str
    doubts: tuple[str, ...]
    span_h: float


class SetupService:
    """Look at the proposal; confirm a plan."""

    def __init__(self, store: Store, gate: Gate, state_dir: Path) -> None:
        self._store = store
        self._gate = gate
        self._state_dir = state_dir

    def state(self, person: Person | None) -> SetupState:
        """What is proposed and what is in use. Needs assets.read."""
        self._gate.look(person, "assets.read", "setup.read")
        told = self._store.note("setup_proposal")
        file = self._state_dir / "plan.toml"
        return SetupState(
            confirmed=file.read_text(encoding="utf-8") if file.is_file() else "",
            proposed=str(told.get("files", {}).get("plan.toml", "")),
            doubts=tuple(str(d) for d in told.get("doubts", ())),
            span_h=float(told.get("span_h", 0)),
        )

    def file(self, person: Person | None, name: str) -> bytes:
        """One file of the proposal: plan.toml, assets.csv or register.csv. Needs assets.read."""
        with self._gate.act(person, "assets.read", "setup.export", name[:40]):
            files = self._store.note("setup_proposal").get("files", {})
            if name not in files:
                raise Unacceptable(f"there is no proposal with the file {name[:40]!r} yet")
            text = str(files[name])
            return text.encode("utf-8-sig" if name.endswith(".csv") else "utf-8")

    def confirm(self, person: Person | None, plan: str) -> int:
        """Check a plan as a whole and keep it; it is used from the next start on.

        Needs people.manage: the plan decides what every detector takes for inside. Returns the
        number of segments.
        """
        with self._gate.act(person, "people.manage", "setup.confirm", "plan", bytes=len(plan)):
            try:
                return confirm_plan(self._state_dir, plan)["segments"]
            except PlanFault as fault:
                raise Unacceptable(
                    "the plan has faults; nothing was changed", fault.faults
                ) from None
