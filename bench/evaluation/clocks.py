"""The two moves whose time to detect has a limit: beyond a landing host, and encryption."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

from bench.evaluation.running import Run
from detector.hospital import Hospital
from detector.landing import allowed_targets, line_networks

_S: Final = 1_000_000_000
#: Event time from the first visible packet (detection.md §9).
LANDING_LIMIT_S, ENCRYPTION_LIMIT_S, LEASING_LIMIT_S = 120.0, 30.0, 600.0
_ENCRYPTS: Final = "T1486"


def landing_seconds(run: Run, scenario: dict[str, Any], mine: Iterable[str]) -> list[float]:
    """LM-6(a): from the first visible packet beyond a line's contract to `landing_pivot`.

    One value where the scenario makes such a move and the tier saw it; -1 = never told.
    """
    for step in scenario["steps"]:
        if run.tier in step["visible_ns"] and _goes_beyond(run.hospital, step):
            named = [i for i in mine if run.alerts[i].detector == "landing_pivot"]
            return [_after(run, step, named)]
    return []


def encryption_seconds(run: Run, scenario: dict[str, Any], mine: Iterable[str]) -> list[float]:
    """LM-7: from the first visible packet of each encryption to an alert that says so."""
    named = [i for i in mine if _ENCRYPTS in run.alerts[i].techniques]
    return [
        _after(run, step, named)
        for step in scenario["steps"]
        if step["technique"] == _ENCRYPTS and run.tier in step["visible_ns"]
    ]


def _after(run: Run, step: dict[str, Any], named: Iterable[str]) -> float:
    told = [run.told_ns[i] for i in named if run.alerts[i].source.ip in step["actors"]]
    return max(0.0, (min(told) - step["visible_ns"][run.tier]) / _S) if told else -1.0


def _goes_beyond(hospital: Hospital, step: dict[str, Any]) -> bool:
    """Does a host on which a registered line lands reach something that is not its contract's?"""
    for line in hospital.lines:
        landing = line_networks(line)
        for actor in map(ip_address, step["actors"]):
            if not any(actor in network for network in landing):
                continue
            allowed = [network for network, _ in allowed_targets(line)]
            targets = [ip_address(target) for target in step["targets"]]
            if any(not any(t in network for network in allowed) for t in targets):
                return True
    return False
