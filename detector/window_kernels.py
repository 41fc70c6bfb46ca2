"""One pass over a window's flows: what each tells every detector, as bits."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from collector.flows import STATE_CODE

# Traits of a host, by number.
IN_PLAN, NEAR, ONE_HOST, LANDING = 1, 2, 4, 8

# Kinds of a host's address, by number (`lines.addresses`).
INSIDE: Final = 1  # the hospital's own (by plan, else private)
PUBLIC: Final = 2  # globally routable unicast, not the hospital's
SHARING: Final = 4  # default range of a phone, dongle or PC that shares its line
SPECIAL: Final = 8  # nobody's: multicast, link-local, unspecified, broadcast
LOOPBACK: Final = 16

# Marks of a flow. The lowest two are its outcome: 0 unknown, 1 answered, 2 failed.
ANSWERED: Final = 1
FAILED: Final = 2
HALF_OPEN: Final = 4  # a TCP port that was only tried
ODD: Final = 8  # TCP flags that no stack sends
OURS: Final = 16  # the source is one of ours
THEIRS: Final = 32  # the destination is one of ours
TO_ONE: Final = 64  # the destination is one real host
VENDOR: Final = 128  # either end is where a vendor's line lands
SPOKE: Final = 256  # the other side took part: the flow teaches the memory of edges
ICMP: Final = 512
WINRM: Final = 1024  # a port of remote administration by HTTP
SERVED: Final = 2048  # answered with more than a handshake, by one of the hospital's own

_FIN, _SYN, _RST, _PSH, _ACK, _URG = 1, 2, 4, 8, 16, 32
_S0, _REJ, _RSTOS0 = STATE_CODE["S0"], STATE_CODE["REJ"], STATE_CODE["RSTOS0"]
_SH, _RSTRH, _RSTO = STATE_CODE["SH"], STATE_CODE["RSTRH"], STATE_CODE["RSTO"]
_TALKED = tuple(STATE_CODE[s] for s in ("S1", "SF", "S2", "S3", "RSTO", "RSTR"))
#: UDP to which nobody answers by design: syslog, SNMP trap, flow export, discovery, DHCP.
UNANSWERED_UDP: Final = (67, 68, 137, 138, 162, 514, 1900, 2055, 4739, 5353, 5355, 6343, 9995)
#: So many UDP packets without an answer are a stream (cyclic I/O, logs), not a probe.
MOST_PROBES: Final = 10
#: Windows' Delivery Optimization tries peers that a list names, and many of them are off.
PEERS_PORT: Final = 7680


@njit(cache=True, nogil=True)
def mark_flows(
    rows: Any, source: Any, destination: Any, traits: Any, has_plan: bool, marks: Any, apps: Any
) -> int:  # pragma: no cover - compiled
    """Fill `marks` (u4, one a row) and `apps` (true by application seen); returns all marks set.

    `rows` are OUTPUT_DTYPE, `traits` (u1) is by host number. Without an address plan the
    originator of a conversation between two public addresses is taken for ours.
    """
    every = 0
    for at in range(len(rows)):
        row = rows[at]
        near, far = traits[source[at]], traits[destination[at]]
        mark = _outcome(row)
        if _refused(row):
            spoke = False
        else:
            one_way = row.one_way == 1 and (row.protocol != 6 or row.packets > 3)
            spoke = row.reply_packets > 0 or one_way
        if spoke:
            mark |= SPOKE
        is_ours, is_theirs = near & NEAR != 0, far & NEAR != 0
        if is_ours or (not has_plan and not is_theirs):
            mark |= OURS
        if is_theirs:
            mark |= THEIRS
        if far & ONE_HOST:
            mark |= TO_ONE
        if (near | far) & LANDING:
            mark |= VENDOR
        if row.protocol == 1 or row.protocol == 58:
            mark |= ICMP
        if row.destination_port == 5985 or row.destination_port == 5986:
            mark |= WINRM
        if far & IN_PLAN and row.reply_packets > 0 and (row.protocol != 6 or row.reply_bytes > 120):
            mark |= SERVED
        marks[at] = mark
        every |= mark
        apps[min(row.app, len(apps) - 1)] = True
    return every


@njit(cache=True, nogil=True)
def _refused(row: Any) -> bool:  # pragma: no cover - compiled
    """TCP in which the other side never agreed to talk."""
    if row.protocol != 6:
        return False
    state = row.state
    return state in (_S0, _REJ, _RSTOS0, _SH, _RSTRH)


@njit(cache=True, nogil=True)
def _outcome(row: Any) -> int:  # pragma: no cover - compiled
    """The lowest four marks of a flow; `contacts.outcomes` says the same with columns."""
    mark = 0
    is_tcp = row.protocol == 6
    if is_tcp:
        header_only = row.bytes <= row.packets * np.uint64(60) and row.reply_bytes <= 240
        if row.packets <= 4 and row.reply_packets <= 3 and row.state == _RSTO and header_only:
            mark |= HALF_OPEN
        has_none = row.flags & (_ACK | _RST) == 0
        strange = row.flags & (_FIN | _PSH | _URG) != 0 or row.flags == 0
        if row.one_way == 0 and row.packets > 0 and has_none and strange:
            mark |= ODD
    outcome = 0
    if row.one_way == 0 and row.sampling <= 1 and row.part == 0:
        if is_tcp:
            for state in _TALKED:
                if row.state == state:
                    outcome = ANSWERED
            if _refused(row) or mark & (HALF_OPEN | ODD) or _is_lone_ack(row):
                outcome = FAILED
        elif row.protocol == 17:
            if row.reply_packets > 0 and not _is_unanswered(row.destination_port):
                outcome = ANSWERED
            elif row.packets <= MOST_PROBES and not _is_unanswered(row.destination_port):
                outcome = FAILED
        elif _is_ping(row):
            outcome = ANSWERED if row.reply_packets > 0 else FAILED
        elif row.protocol == 132:
            outcome = ANSWERED if row.reply_packets > 1 else FAILED
    # A flow export shows one direction: a lone SYN in one to three packets met no one.
    is_knock = row.one_way == 1 and is_tcp and row.flags == _SYN
    if is_knock and row.packets <= 3 and row.sampling <= 1:
        outcome = FAILED
    if is_tcp and row.destination_port == PEERS_PORT and outcome == FAILED:
        outcome = 0
    return mark | outcome


@njit(cache=True, nogil=True)
def _is_ping(row: Any) -> bool:  # pragma: no cover - compiled
    """A request for an echo, a time or a netmask."""
    kind = row.source_port
    if row.protocol == 58:
        return kind == 128
    return row.protocol == 1 and (kind == 8 or kind == 13 or kind == 17)


@njit(cache=True, nogil=True)
def _is_lone_ack(row: Any) -> bool:  # pragma: no cover - compiled
    """An ACK or two without options and data, into nothing: it asks a filter, not a service."""
    header = 40 if row.family == 4 else 60
    is_bare = row.flags == _ACK and row.bytes <= row.packets * np.uint64(header)
    return row.packets <= 2 and is_bare and row.reply_packets == 0


@njit(cache=True, nogil=True)
def _is_unanswered(port: int) -> bool:  # pragma: no cover - compiled
    for known in UNANSWERED_UDP:  # noqa: SIM110 (numba knows no generators)
        if port == known:
            return True
    return False
