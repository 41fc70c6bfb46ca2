"""What flows tell of the hospital's own hosts: when they spoke, on which VLAN, who asks them."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from detector.window_kernels import IN_PLAN, SERVED

#: Columns of `CLIENTS`: the key's halves and how many clients are known; then the clients.
MOST_CLIENTS = 16


@njit(cache=True, nogil=True)
def see_hosts(
    rows: Any, numbers: Any, is_source: bool, traits: Any, seen: Any, stamp: int, news: Any
) -> int:  # pragma: no cover - compiled
    """Note one side of a window's flows; returns how many rows of `news` were written.

    `seen` (SEEN_DTYPE, by host number) keeps first and last sight, VLAN and the MAC last spoken
    from; `stamp` is another number for every call. `news` are rows whose host is new or speaks
    from another MAC.
    """
    count = 0
    for at in range(len(rows)):
        row, number = rows[at], numbers[at]
        # Who answered exists; who was only asked may not.
        if traits[number] & IN_PLAN == 0 or not (is_source or row.reply_packets > 0):
            continue
        host = seen[number]
        if host.stamp == stamp:
            continue
        host.stamp = stamp
        mac = row.source_mac if is_source else row.destination_mac
        if not host.is_known or (mac != 0 and mac != host.mac):
            news[count] = at
            count += 1
        if host.is_known:
            host.last_ns = max(host.last_ns, row.first_ns)
            if row.vlan:
                host.vlan = row.vlan
            host.is_changed = True
    return count


@njit(cache=True, nogil=True)
def see_ends(
    rows: Any, numbers: Any, is_source: bool, traits: Any, seen: Any, stamp: int
) -> None:  # pragma: no cover - compiled
    """Last sight: the end of each host's last flow."""
    for at in range(len(rows) - 1, -1, -1):
        row, number = rows[at], numbers[at]
        if traits[number] & IN_PLAN == 0 or not (is_source or row.reply_packets > 0):
            continue
        host = seen[number]
        if host.stamp != stamp:
            host.stamp = stamp
            if host.is_known:
                host.last_ns = max(host.last_ns, row.last_ns)


@njit(cache=True, nogil=True)
def note_clients(
    rows: Any, source: Any, destination: Any, marks: Any, by_app: Any, by_port: Any, table: Any,
    clients: Any, index: Any, count: int, news: Any,
) -> Any:  # pragma: no cover - compiled  # fmt: skip
    """Count the distinct clients of what each server answers, up to MOST_CLIENTS.

    `by_app` and `by_port` (rows of port, service) give services as numbers from 1, 0 = none. The
    table is (server << 8 | service) and how many clients are known; there must be room for two
    entries a flow. `news` gets (service, server, client, how many with it). Returns the entries
    and the news there are.
    """
    told = 0
    for at in range(len(rows)):
        if marks[at] & SERVED == 0:
            continue
        row = rows[at]
        named = by_app[row.app] if row.app < len(by_app) else 0
        ported = 0
        if row.protocol == 6:
            for place in range(len(by_port)):
                if by_port[place, 0] == row.destination_port:
                    ported = by_port[place, 1]
        for service in (named, ported):
            if service == 0:
                continue
            key = np.int64(destination[at]) << 8 | service
            entry = _entry(table, index, key)
            if entry < 0:
                entry = count
                count += 1
                table[entry, 0], table[entry, 1] = key, 0
                _enter(index, key, entry)
            known = table[entry, 1]
            if known >= MOST_CLIENTS or _has(clients, entry, known, source[at]):
                continue
            clients[entry, known] = source[at]
            table[entry, 1] = known + 1
            news[told, 0], news[told, 1] = service, destination[at]
            news[told, 2], news[told, 3] = source[at], known + 1
            told += 1
    return count, told


@njit(cache=True, nogil=True)
def enter_all(table: Any, count: int, index: Any) -> None:  # pragma: no cover - compiled
    """Fill an empty index with the table's entries."""
    for entry in range(count):
        _enter(index, table[entry, 0], entry)


@njit(cache=True, nogil=True, inline="always")
def _slot(key: Any, mask: Any) -> Any:  # pragma: no cover - compiled
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed ^ (mixed >> np.uint64(32))) & np.uint64(mask))


@njit(cache=True, nogil=True)
def _entry(table: Any, index: Any, key: Any) -> int:  # pragma: no cover - compiled
    mask = len(index) - 1
    slot = _slot(key, mask)
    while index[slot] != 0:
        if table[index[slot] - 1, 0] == key:
            return index[slot] - 1
        slot = (slot + 1) & mask
    return -1


@njit(cache=True, nogil=True)
def _enter(index: Any, key: Any, entry: int) -> None:  # pragma: no cover - compiled
    mask = len(index) - 1
    slot = _slot(key, mask)
    while index[slot] != 0:
        slot = (slot + 1) & mask
    index[slot] = entry + 1


@njit(cache=True, nogil=True)
def _has(clients: Any, entry: int, known: int, client: Any) -> bool:  # pragma: no cover - compiled
    for at in range(known):  # noqa: SIM110 (numba knows no generators)
        if clients[entry, at] == client:
            return True
    return False
