"""When a flow ends if no further packet comes, and when it must be looked at again."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

from numba import njit

from collector.fastlane import tcp

# Cells of Table.limits, times in ns.
(
    TCP_IDLE,
    SESSION_IDLE,
    UDP_IDLE,
    DNS_IDLE,
    ICMP_IDLE,
    OTHER_IDLE,
    ATTEMPT,
    LINGER,
    ACTIVE,
    MAX_FLOWS,
) = range(10)


@njit(cache=True, nogil=True, forceinline=True)
def ends_at(row: Any, limits: Any) -> int:
    """When the flow ends if no further packet comes."""
    if row.closed & tcp.ALL_CLOSED:
        return row.closed_ns + limits[LINGER]
    if row.protocol == 6:
        if (
            row.source_state == tcp.SYN_SENT or row.source_state == tcp.SYN_ACK_SENT
        ) and row.destination_state == tcp.INACTIVE:
            return row.start_ns + limits[ATTEMPT]
        port = row.destination_port
        if 21 <= port <= 23 or port == 513:
            return row.last_ns + limits[SESSION_IDLE]
        return row.last_ns + limits[TCP_IDLE]
    if row.protocol == 17:
        if has_short_life(row):
            return row.closed_ns
        return row.last_ns + limits[UDP_IDLE]
    if row.protocol == 1 or row.protocol == 58:
        return row.last_ns + limits[ICMP_IDLE]
    return row.last_ns + limits[OTHER_IDLE]


@njit(cache=True, nogil=True, forceinline=True)
def has_short_life(row: Any) -> bool:
    """Is this a DNS flow? Zeek looks at it every 10 s, from its first packet on.

    Its `closed_ns` is the time of the next look; without a packet for 10 s it ends then.
    """
    port = row.destination_port
    return row.protocol == 17 and (port == 53 or port == 137 or port == 5353 or port == 5355)


@njit(cache=True, nogil=True, forceinline=True)
def is_over(row: Any, now_ns: int, limits: Any) -> bool:
    """Has the flow ended by `now_ns`? One that is looked at and lives gets its next look."""
    if now_ns < ends_at(row, limits):
        return False
    if has_short_life(row) and now_ns - row.last_ns < limits[DNS_IDLE]:
        row.closed_ns = now_ns + limits[DNS_IDLE]
        return False
    return True


@njit(cache=True, nogil=True, forceinline=True)
def looks_at(row: Any, limits: Any) -> int:
    """When the wheel must look at the flow again: its end, or its next report in part."""
    when = ends_at(row, limits)
    if limits[ACTIVE] > 0 and row.packets + row.reply_packets > 0:
        when = min(when, row.first_ns + limits[ACTIVE])
    return when
