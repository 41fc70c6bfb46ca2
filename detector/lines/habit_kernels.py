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
#: Host without a row yet.
NO_ROW: Final = -1
_ACK = 16


@njit(cache=True, nogil=True)
def count_habits(
    rows: Any, source: Any, destination: Any, bits: Any, http_proxy: int, ntp: int, row_of: Any,
    today: Any, hosts: Any, kinds: Any,
) -> int:  # pragma: no cover - compiled  # fmt: skip
    """Add the habits that flows of inside hosts show to `today`, by `row_of` the host's number.

    Those of hosts without a row are written to `hosts` and `kinds`; returns how many.
    """
    count = 0
    for at in range(len(rows)):
        row, number = rows[at], source[at]
        if bits[number] & INSIDE == 0 or row.part != 0:
            continue
        to_inside = bits[destination[at]] & INSIDE != 0
        answered, is_tcp = row.reply_packets > 0, row.protocol == 6
        is_whole = row.one_way == 0 and row.sampling <= 1
        # An exporter sees one direction by design, so only packets tell of half-seen talks.
        carried = is_whole and row.source_mac != 0 and is_tcp and row.flags & _ACK != 0
        place = row_of[number]
        if to_inside and (answered or not is_whole):
            count = _add(place, number, INTERNAL, today, hosts, kinds, count)
        if bits[destination[at]] & PUBLIC != 0 and not answered and row.packets <= 6:
            count = _add(place, number, ATTEMPTS, today, hosts, kinds, count)
        if to_inside and answered:
            if row.app == http_proxy:
                count = _add(place, number, PROXY, today, hosts, kinds, count)
            elif row.app == ntp:
                count = _add(place, number, TIME, today, hosts, kinds, count)
            if is_tcp and (row.destination_port == 8530 or row.destination_port == 8531):
                count = _add(place, number, UPDATES, today, hosts, kinds, count)
        if carried and (answered or row.packets >= 5):
            kind = WHOLE if answered else HALF_SEEN
            count = _add(place, number, kind, today, hosts, kinds, count)
    return count


@njit(cache=True, nogil=True, inline="always")
def _add(
    place: Any, number: Any, kind: int, today: Any, hosts: Any, kinds: Any, count: int
) -> int:  # pragma: no cover - compiled
    if place != NO_ROW:
        today[place, kind] += 1
        return count
    hosts[count], kinds[count] = number, kind
    return count + 1
