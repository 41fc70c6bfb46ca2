"""Roles inferred from behaviour alone, against what the simulated hospital's machines are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from detector.engine import Engine
from detector.roles import INFERRED

#: What cannot be told from a server or a terminal by its services: it counts as one.
_KIND_OF: Final[Mapping[str, str]] = {
    "emr_server": "server",
    "pharmacy": "server",
    "backup": "server",
    "bastion": "server",
    "scanner": "server",
    "admin": "terminal",
}

#: What a hospital wants told: whatever inference knows, and what it does not know yet.
_WANTED: Final = INFERRED | {"analyser"}
#: (what it is, what was inferred; "" = nothing) → machines.
RolePairs = Counter[tuple[str, str]]


def role_pairs(engine: Engine) -> RolePairs:
    """Every listed machine that was heard of, with what its behaviour alone says of it."""
    inferred = engine.roles.inferred()
    pairs: RolePairs = Counter()
    for ip, asset in engine.hospital.asset_by_ip.items():
        host = engine.hosts.at(ip)
        if asset.role != "unknown" and host is not None and host.last_ns:
            pairs[_KIND_OF.get(asset.role, asset.role), inferred.get(host.number, "")] += 1
    return pairs


def by_role(pairs: RolePairs) -> dict[str, tuple[int, int, int, float]]:
    """role → (machines of it, machines told to be it, rightly so, F1).

    Only roles that are wanted of inference; machines of other roles count where they are taken for
    one of these.
    """
    told: dict[str, tuple[int, int, int, float]] = {}
    for role in sorted({true for true, _ in pairs} & _WANTED):
        there = sum(n for (true, _), n in pairs.items() if true == role)
        called = sum(n for (_, said), n in pairs.items() if said == role)
        right = pairs[role, role]
        told[role] = (there, called, right, 2 * right / (there + called))
    return told


def macro_f1(pairs: RolePairs) -> float:
    """Every role weighs alike, however few machines have it; -1 where nothing was heard of."""
    scores = [f1 for *_, f1 in by_role(pairs).values()]
    return sum(scores) / len(scores) if scores else -1.0
