"""The review list as people read it: what the same machines do stands in one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detector.alerts import Alert


@dataclass(frozen=True)
class ReviewRow:
    """Hosts of one role, whom they reach by which services, and whether an alert is open on it."""

    keys: tuple[str, ...]  # of the groups that are accepted together
    source_role: str
    sources: tuple[str, ...]  # the first ones
    count: int  # of source hosts
    targets: tuple[str, ...]
    services: tuple[str, ...]
    days: int
    last_ns: int
    waits: bool
    is_decided: bool
    alert: Alert | None  # the gravest one, not judged yet, that is about this


def review_rows(
    groups: Sequence[Mapping[str, Any]], open_alerts: Iterable[Alert]
) -> list[ReviewRow]:
    """Groups of the very same hosts as one row; rows with an open alert come last."""
    joined: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for group in groups:
        is_whole = group["count"] == len(group["sources"])  # else it is not known who they all are
        who = tuple(group["sources"]) if is_whole else group["key"]
        mark = (group["source_role"], who, group["waits"], group["is_decided"])
        joined.setdefault(mark, []).append(group)
    alerts: dict[str, list[Alert]] = {}
    for alert in open_alerts:
        alerts.setdefault(alert.source.ip, []).append(alert)
    rows = [_row(same, alerts) for same in joined.values()]
    rows.sort(key=lambda row: row.alert is not None)
    return rows


def _row(groups: list[Mapping[str, Any]], alerts: Mapping[str, list[Alert]]) -> ReviewRow:
    first = groups[0]
    targets = tuple(dict.fromkeys(str(g["target"]) for g in groups))
    about = [
        alert
        for source in first["sources"]
        for alert in alerts.get(source, ())
        if {t.ip for t in alert.targets} & set(targets)
    ]
    return ReviewRow(
        keys=tuple(str(g["key"]) for g in groups),
        source_role=str(first["source_role"]),
        sources=tuple(first["sources"]),
        count=int(first["count"]),
        targets=targets,
        services=tuple(dict.fromkeys(str(g["service"]) for g in groups)),
        days=max(int(g["days"]) for g in groups),
        last_ns=max(int(g["last_ns"]) for g in groups),
        waits=bool(first["waits"]),
        is_decided=bool(first["is_decided"]),
        alert=max(about, key=lambda a: a.score, default=None),
    )
