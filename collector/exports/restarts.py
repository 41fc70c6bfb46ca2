"""Exporters that began anew: what they announced before may mean something else now.

A restarted exporter may use a template's number for another layout. Until it announces, its data
would be read by the old one, and make flows that never were. NetFlow v9 tells its uptime; IPFIX
only counts records, from 0 at the start (RFC 7011 §3.1).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.exports.exporters import Domain

#: Datagrams overtake each other by less than this.
_LATE_MS: Final = 10_000
_LATE_RECORDS: Final = 256
_WRAP: Final = 1 << 20
#: Several processes behind one address and number go back and forth all the time: what begins
#: anew so often within ten minutes is no restart.
MOST_RESTARTS: Final = 3
_OFTEN_NS: Final = 600_000_000_000


def find_restarts(
    heads: NDArray[Any],
    filled: NDArray[np.int64],
    time_ns: NDArray[np.int64],
    domains: list[Domain],
) -> dict[int, Domain]:
    """Datagrams, of the `filled` ones, with which a domain began anew, by number.

    Notes how far each domain has come.
    """
    chosen = filled[np.isin(heads["version"][filled], (9, 10))]
    chosen = chosen[np.argsort(heads["group"][chosen], kind="stable")]
    if not len(chosen):
        return {}
    group = heads["group"][chosen]
    clock = np.where(heads["version"] == 9, heads["uptime_ms"], heads["sequence"])[chosen]
    export = heads["export_ns"][chosen]
    is_first = np.concatenate([[True], group[1:] != group[:-1]])
    before, export_before = np.roll(clock, 1), np.roll(export, 1)
    firsts = np.flatnonzero(is_first)
    for at in firsts.tolist():
        before[at], export_before[at] = domains[int(group[at])].clock
    for at in [*(firsts[1:] - 1).tolist(), len(chosen) - 1]:
        domains[int(group[at])].clock = (int(clock[at]), int(export[at]))
    is_v9 = heads["version"][chosen] == 9
    is_new = np.where(is_v9, _has_booted(clock, before), _counts_anew(clock, before))
    is_new &= (before >= 0) & (export >= export_before)
    found: dict[int, Domain] = {}
    for number in np.sort(chosen[is_new]).tolist():
        domain = domains[int(heads["group"][number])]
        if domain.begin_anew(int(time_ns[number]), MOST_RESTARTS, _OFTEN_NS):
            found[number] = domain
    return found


def _has_booted(uptime_ms: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Also where the uptime has come round after 49 days: data then waits for its template."""
    return before - uptime_ms > _LATE_MS


def _counts_anew(sequence: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.bool_]:
    has_wrapped = (before > (1 << 32) - _WRAP) & (sequence < _WRAP)
    is_far_back = (sequence < before // 4) & (before - sequence > _LATE_RECORDS)
    is_first = (sequence == 0) & (before > 0)
    result: NDArray[np.bool_] = (is_first | is_far_back) & ~has_wrapped
    return result
