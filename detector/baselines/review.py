"""The baseline's life: learning, a review list for a person, accepted, frozen, learnt anew.

What was learnt is shown as groups ("12 modalities to PACS by DICOM"), not silently trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from detector.edges import ACCEPTED, PENDING, RETIRED, STALE, EdgeMemory
from detector.hosts import HostTable
from detector.services import service_name

Phase = Literal["learning", "review", "accepted", "frozen"]
Deed = Literal["accept", "relearn", "freeze", "thaw"]
DEEDS: Final[tuple[Deed, ...]] = ("accept", "relearn", "freeze", "thaw")

LEARNING_DAYS: Final = 28
_MOST_GROUPS: Final = 300


@dataclass(frozen=True)
class Decision:
    """What a person decided about the baseline; applied by whoever learns, in order of number."""

    deed: Deed
    by: str
    at_ns: int
    reason: str = ""
    group: str = ""  # accept: the group's key
    host: str = ""  # relearn: whose edges are forgotten
    number: int = 0

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> Decision:
        return Decision(**stored)


def review(memory: EdgeMemory, hosts: HostTable, most: int = _MOST_GROUPS) -> dict[str, Any]:
    """Phase, counts by state, and the pending edges in groups; those that wait for a person first.

    A group is one service from hosts of one role to one host; its key stays the same.
    """
    edges, states = memory.table(), memory.states()
    pending = np.flatnonzero(states == PENDING)
    groups: dict[tuple[str, int, int], list[int]] = {}
    for row in pending.tolist():
        key = int(edges["key"][row])
        role = hosts.get(key >> 40).role
        groups.setdefault((role, key >> 16 & 0xFFFFFF, key & 0xFFFF), []).append(row)
    told = [_group(edges, hosts, *key, rows) for key, rows in groups.items()]
    told.sort(key=lambda g: (not g["waits"], -g["days"], -g["count"], g["key"]))
    waiting = sum(g["waits"] for g in told)
    return {
        "phase": _phase(memory, waiting),
        "days": memory.active_days,
        "needs_days": LEARNING_DAYS,
        "frozen_ns": memory.frozen_ns,
        "now_ns": memory.now_ns,
        "counts": {
            name: int((states == state).sum())
            for name, state in (
                ("accepted", ACCEPTED),
                ("pending", PENDING),
                ("stale", STALE),
                ("retired", RETIRED),
            )
        },
        "groups": told[:most],
        "more_groups": max(0, len(told) - most),
    }


def apply(decision: Decision, memory: EdgeMemory, hosts: HostTable) -> int:
    """Do what a person decided; how many edges that changed."""
    if decision.deed == "accept":
        return memory.approve_all(_rows_of(decision.group, memory, hosts))
    if decision.deed == "relearn":
        return memory.relearn(decision.host)
    memory.frozen_ns = decision.at_ns if decision.deed == "freeze" else 0
    return 0


def _phase(memory: EdgeMemory, waiting: int) -> Phase:
    if memory.frozen_ns:
        return "frozen"
    if memory.active_days < LEARNING_DAYS:
        return "learning"
    return "review" if waiting else "accepted"


def _group(
    edges: NDArray[Any], hosts: HostTable, role: str, target: int, service: int, rows: list[int]
) -> dict[str, Any]:
    mine = edges[rows]
    to = hosts.get(target)
    return {
        "key": f"{role}|{to.ip}|{service}",
        "source_role": role,
        "target": to.ip,
        "target_name": to.name,
        "target_role": to.role,
        "service": service_name(service),
        "count": len(rows),
        "sources": [hosts.ip(int(k) >> 40) for k in mine["key"][:5].tolist()],
        "waits": bool(mine["waits"].any()),
        "days": int(mine["active_days"].max()),
        "first_ns": int(mine["first_ns"].min()),
        "last_ns": int(mine["last_ns"].max()),
    }


def _rows_of(group: str, memory: EdgeMemory, hosts: HostTable) -> NDArray[np.bool_]:
    """Rows of the memory that lie in a group, accepted ones too; ValueError if it is no key."""
    role, target, service = group.split("|")
    edges = memory.table()
    key = edges["key"]
    wanted = np.uint64(hosts.number_of(target) << 16 | int(service))
    chosen: NDArray[np.bool_] = (key & np.uint64((1 << 40) - 1)) == wanted
    for row in np.flatnonzero(chosen).tolist():
        chosen[row] = hosts.get(int(key[row]) >> 40).role == role
    return chosen
