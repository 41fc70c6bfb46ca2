"""Use cases of the set-up: what traffic proposes, and the plan that people confirm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api.faults import Unacceptable
from api.people import Person
from api.services.gate import Gate
from detector.hospital import Segment
from detector.setup.confirm import PlanFault, confirm_plan, confirmed_plan
from detector.store import Store


@dataclass(frozen=True)
class SetupState:
    """What the detectors work with, the plan that was confirmed, and the proposal.

    `confirmed` and `proposed` are TOML, empty where there is none.
    """

    segments: tuple[Segment, ...]  # in use since the service started
    is_from_settings: bool  # then a confirmed plan would not be read
    confirmed: str
    proposed: str
    doubts: tuple[str, ...]
    span_h: float


class SetupService:
    """Look at the proposal; confirm a plan."""

    def __init__(
        self, store: Store, gate: Gate, state_dir: Path, segments: tuple[Segment, ...]
    ) -> None:
        self._store = store
        self._gate = gate
        self._state_dir = state_dir
        self._segments = segments
        self._is_from_settings = bool(segments) and not _is_confirmed(state_dir, segments)

    def state(self, person: Person | None) -> SetupState:
        """What is proposed and what is in use. Needs assets.read."""
        self._gate.look(person, "assets.read", "setup.read")
        told = self._store.note("setup_proposal")
        file = self._state_dir / "plan.toml"
        return SetupState(
            segments=self._segments,
            is_from_settings=self._is_from_settings,
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
        number of segments. Refused where the settings file holds the plan.
        """
        with self._gate.act(person, "people.manage", "setup.confirm", "plan", bytes=len(plan)):
            if self._is_from_settings:
                raise Unacceptable("the settings file holds the plan (hospital): change it there")
            try:
                return confirm_plan(self._state_dir, plan)["segments"]
            except PlanFault as fault:
                raise Unacceptable(
                    "the plan has faults; nothing was changed", fault.faults
                ) from None


def _is_confirmed(state_dir: Path, segments: tuple[Segment, ...]) -> bool:
    """Whether these segments are those of the confirmed plan; a damaged plan is nobody's."""
    try:
        plan = confirmed_plan(state_dir)
    except (PlanFault, OSError, UnicodeDecodeError):
        return False
    return plan is not None and plan.segments == segments
