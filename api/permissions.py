"""What each role may do: the one table that every use case is checked against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

Permission = Literal[
    "alerts.read", "alerts.judge", "alerts.suppress",
    "incidents.read", "incidents.close",
    "isolation.read", "isolation.propose", "isolation.approve", "isolation.carry_out",
    "assets.read", "assets.write",
    "lines.read", "lines.write",
    "flows.read", "evidence.read",
    "health.read", "metrics.read",
    "audit.read", "people.manage", "keys.own",
]  # fmt: skip
Role = Literal["viewer", "operator", "analyst", "approver", "auditor", "admin"]

PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)
ROLES: Final[tuple[Role, ...]] = get_args(Role)

_VIEWER: Final[frozenset[Permission]] = frozenset(
    {
        "alerts.read", "incidents.read", "isolation.read", "assets.read", "lines.read",
        "health.read", "metrics.read",
    }
)  # fmt: skip

#: viewer looks; operator works the queue and carries out what was approved; analyst digs and
#: proposes; approver decides what may stop care; auditor reads who did what; admin may all.
PERMISSIONS_OF: Final[Mapping[Role, frozenset[Permission]]] = {
    "viewer": _VIEWER,
    "operator": _VIEWER | {"alerts.judge", "isolation.carry_out", "assets.write", "keys.own"},
    "analyst": _VIEWER
    | {
        "alerts.judge", "alerts.suppress", "incidents.close", "isolation.propose", "assets.write",
        "lines.write", "flows.read", "evidence.read", "keys.own",
    },
    "approver": _VIEWER | {"isolation.approve"},
    "auditor": _VIEWER | {"audit.read"},
    "admin": frozenset(PERMISSIONS),
}  # fmt: skip

#: A key is a machine's: it cannot decide what stops care, nor make people or further keys.
KEY_PERMISSIONS: Final[frozenset[Permission]] = frozenset(PERMISSIONS) - {
    "isolation.approve", "people.manage", "keys.own",
}  # fmt: skip


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """All that a person with these roles may do."""
    allowed: frozenset[Permission] = frozenset()
    return allowed.union(*(PERMISSIONS_OF[role] for role in roles))
