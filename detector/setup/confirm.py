"""Confirming a plan: checked as a whole, then put where the product reads it from."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.hospital import Segment
from detector.ledger import read_ledger
from detector.register import read_register
from detector.store import Store

PLAN_FILE: Final = "plan.toml"
MAX_BYTES: Final = 1 << 20


class Plan(BaseModel):
    """Name, time zone and segments, as a plan file holds them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "病院"
    timezone: str = "Asia/Tokyo"
    segments: tuple[Segment, ...] = Field((), description="one for each VLAN")


class PlanFault(ValueError):
    """What keeps a plan from being confirmed; `faults` names every reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def read_plan(text: str) -> Plan:
    """Read and check a plan; PlanFault tells every fault at once."""
    if len(text) > MAX_BYTES:
        raise PlanFault([f"larger than {MAX_BYTES >> 10} KiB"])
    try:
        plan = Plan.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as fault:
        raise PlanFault([f"TOML: {fault}"]) from None
    except ValidationError as fault:
        raise PlanFault(
            [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors()]
        ) from None
    faults = _overlaps(plan) + ([] if plan.segments else ["segments: there is none"])
    if faults:
        raise PlanFault(faults)
    return plan


def confirm_plan(
    state_dir: Path, plan: str, assets: bytes | None = None, register: bytes | None = None
) -> dict[str, int]:
    """Take a plan, and where given a ledger and a register, all or nothing; PlanFault if not.

    Returns how many segments, assets and lines are now in use.
    """
    checked = read_plan(plan)
    listed, ledger_faults = read_ledger(assets) if assets is not None else ([], [])
    lines, register_faults = read_register(register) if register is not None else ([], [])
    faults = [f"assets: {f}" for f in ledger_faults] + [f"register: {f}" for f in register_faults]
    if faults:
        raise PlanFault(faults)
    state_dir.mkdir(parents=True, exist_ok=True)
    part = state_dir / f"{PLAN_FILE}.part"
    part.write_text(plan, encoding="utf-8")
    part.replace(state_dir / PLAN_FILE)
    store = Store(state_dir / "mimawari.db").open()
    try:
        if assets is not None:
            store.replace_ledger(listed)
        if register is not None:
            store.replace_register(lines)
    finally:
        store.close()
    return {"segments": len(checked.segments), "assets": len(listed), "lines": len(lines)}


def confirmed_plan(state_dir: Path) -> Plan | None:
    """The plan that somebody confirmed; None before that."""
    file = state_dir / PLAN_FILE
    return read_plan(file.read_text(encoding="utf-8")) if file.is_file() else None


def _overlaps(plan: Plan) -> list[str]:
    """Two segments may share a prefix only where their VLANs differ."""
    faults = []
    for n, one in enumerate(plan.segments):
        for other in plan.segments[n + 1 :]:
            for a in one.prefixes:
                for b in other.prefixes:
                    if a.version == b.version and a.overlaps(b) and one.vlan == other.vlan:
                        faults.append(f"segments: {one.name} {a} overlaps {other.name} {b}")
    return faults
