"""Which packets an alert wants to keep."""

from __future__ import annotations

from collections.abc import Iterable

from collector.evidence import EvidenceRequest
from detector.alerts import Alert

_MOST_TARGETS = 10


def evidence_of(alerts: Iterable[Alert]) -> list[EvidenceRequest]:
    """One request for each alert that has an address: its source with each of its targets."""
    return [
        EvidenceRequest(
            alert.id,
            tuple((alert.source.ip, t.ip) for t in alert.targets[:_MOST_TARGETS] if t.ip)
            or ((alert.source.ip, ""),),
            alert.first_ns,
            alert.last_ns,
        )
        for alert in alerts
        if alert.source.ip
    ]
