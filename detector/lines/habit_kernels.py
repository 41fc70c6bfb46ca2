"""Which habits of its source each flow shows: one pass for `habits`."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

from numba import njit

from detector.lines.addresses import INSIDE, PUBLIC

#: Columns of the daily counts.
INTERNAL, ATTEMPTS, PROXY, UPDATES, TIME, HALF_SEEN, WHOLE, RESOLVED, UNUSED = range(9)
#: Habits that one flow can show at once, at most.
HABITS_A_FLOW: Final = 4
_ACK = 16


@njit(cache=True, nogil=True)
def find_habits(
    rows: Any, source: Any, destination: Any, bits: Any, http_proxy: int, ntp: int, hosts: Any,
    kinds: Any,
) -> int:  # pragma: no cover - compiled  # fmt: skip
    """Write source and habit of each flow of an inside host; returns how many were written."""
    count = 0
    for at in range(len(rows)):
        row = rows[at]
        if bits[source[at]] & INSIDE == 0 or row.part != 0:
            continue
        to_inside = bits[destination[at]] & INSIDE != 0
        answered, is_tcp = row.reply_packets > 0, row.protocol == 6
        is_whole = row.one_way == 0 and row.sampling <= 1
        # An exporter sees one direction by design, so only packets tell of half-seen talks.
        carried = is_whole and row.source_mac != 0 and is_tcp and row.flags & _ACK != 0
        if to_inside and (answered or not is_whole):
            hosts[count], kinds[count] = source[at], INTERNAL
            count += 1
        if bits[destination[at]] & PUBLIC != 0 and not answered and row.packets <= 6:
            hosts[count], kinds[count] = source[at], ATTEMPTS
            count += 1
        if to_inside and answered:
            is_update = is_tcp and (row.destination_port == 8530 or row.destination_port == 8531)
            kind = -1
            if row.app == http_proxy:
                kind = PROXY
            elif row.app == ntp:
                kind = TIME
            if kind >= 0:
                hosts[count], kinds[count] = source[at], kind
                count += 1
            if is_update:
                hosts[count], kinds[count] = source[at], UPDATES
                count += 1
        if carried and (answered or row.packets >= 5):
            hosts[count], kinds[count] = source[at], WHOLE if answered else HALF_SEEN
            count += 1
    return count
