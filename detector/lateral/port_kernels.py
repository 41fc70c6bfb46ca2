"""Which tries of a window may belong to a port scan: one pass for `port_scan`."""

# mypy: disable-error-code="no-any-return, return-value, no-untyped-call"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from detector.lateral.fan_kernels import KEYS, Tables, find_key
from detector.sift_kernels import IN_VAIN, TRIES

#: Failures of a pair that make its answers count, too.
SUSPICIOUS: Final = 5
#: An IP protocol takes the place of a port.
PROTOCOLS: Final = 1 << 16


@njit(cache=True, nogil=True)
def choose_tries(
    tried: Tables, rows: Any, source: Any, destination: Any, whose: Any
) -> Any:  # pragma: no cover - compiled
    """Tries that failed, and answers of pairs of which many have, ordered by pair.

    `whose` are the sift's bits, `tried` what each pair tried before. Returns of each its row, pair
    (source << 32 | destination), port, start and failure (u1), and where each pair begins.
    """
    vain, tries = np.empty(len(rows), np.uint64), 0
    count = 0
    for at in range(len(rows)):
        if whose[at] & TRIES:
            tries += 1
            if whose[at] & IN_VAIN:
                vain[count] = _pair(source, destination, at)
                count += 1
    failing = _repeated(vain[:count])
    chosen, pairs = np.empty(tries, np.int64), np.empty(tries, np.uint64)
    knows = tried.counts[KEYS] > 0
    count = 0
    for at in range(len(rows)):
        if whose[at] & TRIES == 0:
            continue
        pair = _pair(source, destination, at)
        if whose[at] & IN_VAIN == 0 and not _is_in(failing, pair):
            key = find_key(tried, pair) if knows else -1
            if key < 0 or tried.key_links[key, 4] < SUSPICIOUS:
                continue
        chosen[count], pairs[count] = at, pair
        count += 1
    order = np.argsort(pairs[:count], kind="mergesort")
    chosen, pairs = chosen[:count][order], pairs[:count][order]
    ports, whens = np.empty(count, np.uint64), np.empty(count, np.int64)
    failed, starts = np.empty(count, np.uint8), np.empty(count, np.int64)
    groups = 0
    for n in range(count):
        row = rows[chosen[n]]
        has_ports = row.protocol == 6 or row.protocol == 17 or row.protocol == 132
        ports[n] = row.destination_port if has_ports else PROTOCOLS + row.protocol
        whens[n] = row.first_ns
        failed[n] = whose[chosen[n]] & IN_VAIN != 0
        if n == 0 or pairs[n] != pairs[n - 1]:
            starts[groups] = n
            groups += 1
    return chosen, pairs, ports, whens, failed, starts[:groups]


@njit(cache=True, nogil=True, inline="always")
def _pair(source: Any, destination: Any, at: int) -> Any:  # pragma: no cover - compiled
    return np.uint64(source[at]) << np.uint64(32) | np.uint64(destination[at])


@njit(cache=True, nogil=True)
def _repeated(pairs: Any) -> Any:  # pragma: no cover - compiled
    """In order, those that stand there SUSPICIOUS times."""
    pairs.sort()
    count = 0
    for at in range(SUSPICIOUS - 1, len(pairs)):
        pair = pairs[at]
        if pairs[at - SUSPICIOUS + 1] == pair and (count == 0 or pairs[count - 1] != pair):
            pairs[count] = pair  # never beyond what is still to be read
            count += 1
    return pairs[:count]


@njit(cache=True, nogil=True)
def _is_in(ordered: Any, pair: Any) -> bool:  # pragma: no cover - compiled
    if len(ordered) == 0:
        return False
    at = np.searchsorted(ordered, pair)
    return at < len(ordered) and ordered[at] == pair
