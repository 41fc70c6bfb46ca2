"""The memory of edges as a table with open addressing: learning a window's flows, and looking up.

An edge's key is source << 40 | destination << 16 | service; a pair is the key without its service.
Indexes hold a row number + 1, 0 where a slot is free; their length is a power of two.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detector.window_kernels import LANDING, OURS, SPOKE, THEIRS, TO_ONE

_MAX_HOST = 1 << 24
_DAY_NS = 86_400_000_000_000
_HOUR_NS = 3_600_000_000_000
_UNKNOWN_APPS = 0x4000


@njit(cache=True, nogil=True, inline="always")
def _slot(key: Any, mask: Any) -> Any:  # pragma: no cover - compiled
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed ^ (mixed >> np.uint64(32))) & np.uint64(mask))


@njit(cache=True, nogil=True)
def find(keys: Any, index: Any, key: Any) -> int:  # pragma: no cover - compiled
    """The row of a key, -1 if there is none."""
    mask = len(index) - 1
    slot = _slot(key, mask)
    while index[slot] != 0:
        if keys[index[slot] - 1] == key:
            return index[slot] - 1
        slot = (slot + 1) & mask
    return -1


@njit(cache=True, nogil=True)
def put(index: Any, key: Any, row: int) -> None:  # pragma: no cover - compiled
    """Write a row that is not yet in the index."""
    mask = len(index) - 1
    slot = _slot(key, mask)
    while index[slot] != 0:
        slot = (slot + 1) & mask
    index[slot] = row + 1


@njit(cache=True, nogil=True)
def rows_of(keys: Any, count: int, source: int) -> Any:  # pragma: no cover - compiled
    """Rows of the first `count` keys whose source this is; int64 (n,), in the order of rows."""
    found = 0
    for row in range(count):
        found += np.int64(keys[row] >> np.uint64(40)) == source
    rows = np.empty(found, np.int64)
    found = 0
    for row in range(count):
        if np.int64(keys[row] >> np.uint64(40)) == source:
            rows[found] = row
            found += 1
    return rows


@njit(cache=True, nogil=True)
def fill_indexes(
    keys: Any, count: int, index: Any, pairs: Any, pair_index: Any
) -> int:  # pragma: no cover - compiled
    """Enter `count` keys into empty indexes; returns the number of pairs."""
    pair_count = 0
    for row in range(count):
        put(index, keys[row], row)
        pair = keys[row] >> np.uint64(16)
        if find(pairs, pair_index, pair) < 0:
            pairs[pair_count] = pair
            put(pair_index, pair, pair_count)
            pair_count += 1
    return pair_count


@njit(cache=True, nogil=True)
def find_all(
    keys: Any, index: Any, source: Any, destination: Any, service: Any
) -> Any:  # pragma: no cover - compiled
    """Rows of the edges wanted, -1 for those that are not there."""
    rows = np.empty(len(source), np.int64)
    for at in range(len(source)):
        pair = np.uint64(source[at]) << np.uint64(24) | np.uint64(destination[at])
        key = pair << np.uint64(16) | np.uint64(service[at])
        rows[at] = find(keys, index, key)
    return rows


@njit(cache=True, nogil=True)
def find_pairs(pairs: Any, index: Any, source: Any, destination: Any) -> Any:  # pragma: no cover
    """Which of these pairs of hosts are there; bool (n,)."""
    found = np.empty(len(source), np.bool_)
    for at in range(len(source)):
        pair = np.uint64(source[at]) << np.uint64(24) | np.uint64(destination[at])
        found[at] = find(pairs, index, pair) >= 0
    return found


@njit(cache=True, nogil=True)
def know_flows(
    rows: Any, source: Any, destination: Any, chosen: Any, unknown_app: int, keys: Any, index: Any
) -> Any:  # pragma: no cover - compiled
    """Which of the chosen rows are of an edge that is there; bool (n,)."""
    known = np.empty(len(chosen), np.bool_)
    for n in range(len(chosen)):
        at = chosen[n]
        pair = np.uint64(source[at]) << np.uint64(24) | np.uint64(destination[at])
        service = service_of_row(rows[at], unknown_app)
        known[n] = find(keys, index, pair << np.uint64(16) | np.uint64(service)) >= 0
    return known


@njit(cache=True, nogil=True)
def service_of_row(row: Any, unknown_app: int) -> int:  # pragma: no cover - compiled
    """As `edges.service_of`, of one flow."""
    if row.app != unknown_app and row.app < _UNKNOWN_APPS:
        return row.app
    port = min(row.destination_port, 0x3FFF)
    if row.protocol == 6:
        return 0x4000 | port
    if row.protocol == 17:
        return 0x8000 | port
    return 0xC000 | row.protocol


@njit(cache=True, nogil=True)
def learn(
    rows: Any, source: Any, destination: Any, marks: Any, traits: Any, is_admin: Any,
    unknown_app: int, offset_ns: int, keys: Any, edges: Any, hours: Any, index: Any, pairs: Any,
    pair_index: Any, counts: Any, touched: Any, pending: Any,
) -> Any:  # pragma: no cover - compiled  # fmt: skip
    """Learn a window's answered flows; there must be room for all of them.

    `counts` are the edges and pairs there are; `pending` (2, edges) is zero between calls and
    gathers each edge's earliest and latest time of this window; `touched` has room for the rows.
    Returns the first and the last local day that any flow ended on.
    """
    first_day = last_day = np.int64(0)
    if len(rows):
        first_day = last_day = (rows[0].last_ns + offset_ns) // _DAY_NS
    before, waiting = counts[0], 0
    for at in range(len(rows)):
        row = rows[at]
        day = (row.last_ns + offset_ns) // _DAY_NS
        first_day, last_day = min(first_day, day), max(last_day, day)
        mark = marks[at]
        if mark & SPOKE == 0 or mark & TO_ONE == 0:
            continue
        if source[at] >= _MAX_HOST or destination[at] >= _MAX_HOST:
            continue
        service = service_of_row(row, unknown_app)
        pair = np.uint64(source[at]) << np.uint64(24) | np.uint64(destination[at])
        key = pair << np.uint64(16) | np.uint64(service)
        edge = find(keys, index, key)
        if edge < 0:
            edge = counts[0]
            counts[0] += 1
            keys[edge] = key
            edges[edge].key = key
            edges[edge].waits = False
            edges[edge].approved = False
            hours[edge] = 0
            put(index, key, edge)
            if find(pairs, pair_index, pair) < 0:
                pairs[counts[1]] = pair
                put(pair_index, pair, counts[1])
                counts[1] += 1
        if edge >= before:
            is_out = mark & OURS == 0 or mark & THEIRS == 0
            is_vendor = traits[source[at]] & LANDING != 0
            admin = service < len(is_admin) and is_admin[service]
            if is_out or is_vendor or admin:
                edges[edge].waits = True
        if pending[1, edge] == 0:
            touched[waiting] = edge
            waiting += 1
            pending[0, edge], pending[1, edge] = row.first_ns, row.last_ns
        else:
            pending[0, edge] = min(pending[0, edge], row.first_ns)
            pending[1, edge] = max(pending[1, edge], row.last_ns)
    for at in range(waiting):
        _renew(edges, hours, touched[at], pending, offset_ns, touched[at] >= before)
    return first_day, last_day


@njit(cache=True, nogil=True)
def _renew(
    edges: Any, hours: Any, edge: int, pending: Any, offset_ns: int, is_fresh: bool
) -> None:  # pragma: no cover - compiled
    """Days count once, and fade with a half-life of 30 days."""
    row = edges[edge]
    first_ns, last_ns = pending[0, edge], pending[1, edge]
    pending[0, edge] = pending[1, edge] = 0
    day = (last_ns + offset_ns) // _DAY_NS
    if is_fresh:
        row.first_ns, row.last_ns, row.last_day = first_ns, last_ns, day
        row.active_days, row.days = 1, 1.0
    else:
        if day > row.last_day:
            row.days = row.days * np.float32(2.0 ** (-(day - row.last_day) / 30.0)) + 1
            row.active_days += 1
            row.last_day = day
        row.last_ns = max(row.last_ns, last_ns)
        row.first_ns = min(row.first_ns, first_ns)
    hour = ((last_ns + offset_ns) // _HOUR_NS + 72) % 168  # 1970-01-01 was a Thursday
    hours[edge, hour // 8] |= np.uint8(1 << (hour % 8))


@njit(cache=True, nogil=True)
def tally(
    keys: Any, edges: Any, source: int, destination: int, service: int, is_source: Any, users: Any
) -> Any:  # pragma: no cover - compiled
    """One pass for `EdgeMemory.surprise`.

    Returns the days of the edge, the days of all the source does by the service, how many sources
    there are and how many edges of the service. `is_source` (by host number) is filled, and `users`
    (edges, 2) with source and target of the service's edges.
    """
    own, whole = 0.0, 0.0
    sources, count = 0, 0
    for at in range(len(keys)):
        key = keys[at]
        who = key >> np.uint64(40)
        if not is_source[who]:
            is_source[who] = True
            sources += 1
        if key & np.uint64(0xFFFF) != service:
            continue
        target = key >> np.uint64(16) & np.uint64(0xFFFFFF)
        users[count, 0], users[count, 1] = who, target
        count += 1
        if who == source:
            whole += edges[at].days
            if target == destination:
                own += edges[at].days
    return own, whole, sources, count
