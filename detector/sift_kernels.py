"""One more pass over a window's flows: for whom among the detectors each may be news, as bits."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

from numba import njit

from collector.apps import APP_CODE
from collector.flows import STATE_CODE
from detector.window_kernels import (
    FAILED,
    HALF_OPEN,
    INSIDE,
    LOOPBACK,
    MOST_PROBES,
    OURS,
    PUBLIC,
    SHARING,
    SPECIAL,
    THEIRS,
    TO_ONE,
    WINRM,
)

# What a flow may be news for. The detector that asks says the rest.
FOREIGN: Final = 1  # from an address that no host here should have, or a phone's range
TIMED: Final = 2  # an inside server told the time
UPDATED: Final = 4  # an update server answered
CONTROLS: Final = 8  # answered remote control of an inside host
CALLED_IN: Final = 16  # the Internet called in and was answered
ODD_LDAP: Final = 32  # LDAP at no port of a directory, answered
ADMIN: Final = 64  # administration that came to talk (`admin_edge`)
LOGON: Final = 128  # a whole session of a service that asks for a password
CROSSES: Final = 256  # answered traffic of no tool across the border
DATABASE: Final = 512  # a database, both ends inside
SESSION: Final = 1024  # an answered session by which paths go on, both ends inside
PRINTS: Final = 2048  # an answered print job
CONSOLE: Final = 4096  # the console of a backup server said much
IN_VAIN: Final = 8192  # nothing came of it (`port_scan`)
TRIES: Final = 16384  # a try of one host's port or protocol, across or inside
MEETS: Final = 32768  # failed at, or was answered by, one inside host
GOES_OUT: Final = 65536  # TCP or UDP to one outside host, at no port of every day
REWRITES: Final = 131072  # SMB inside that read about as much as it wrote
TOOL: Final = 262144  # a tunnel, VPN or remote tool; an administrator's where it crosses over

# Groups of applications and ports, by code and number.
IS_ADMIN, IS_PLAIN, IS_CONTROL, IS_LOGON, IS_DATABASE, IS_TOOL, IS_CROSSING = 1, 2, 4, 8, 16, 32, 64
TIME_PORT, UPDATE_PORT, DIRECTORY_PORT, PRINTER_PORT, CONSOLE_PORT, EVERYDAY_PORT = (
    1,
    2,
    4,
    8,
    16,
    32,
)
HAS_PORTS, IS_UNSPOKEN = 1, 2  # of protocols

_LDAP, _PRINTER, _SSH, _SMB = (APP_CODE[app] for app in ("ldap", "printer", "ssh", "smb"))
_NO_TALK = tuple(STATE_CODE[s] for s in ("S0", "REJ", "RSTOS0", "SH", "RSTRH", "OTH"))
#: An SSH session without a key exchange (a check whether the port answers) tries no password.
SSH_RECEIVED: Final = 1_200
_CONSOLE_SAID = 1000


@njit(cache=True, nogil=True)
def sift_flows(
    rows: Any, source: Any, destination: Any, marks: Any, kinds: Any, of_app: Any, of_port: Any,
    of_protocol: Any, whose: Any,
) -> int:  # pragma: no cover - compiled  # fmt: skip
    """Fill `whose` (u4, one a row) with the bits above; returns all bits set.

    `kinds` (u1) is by host number; `of_app`, `of_port` and `of_protocol` (u1) hold the groups.
    """
    every = 0
    for at in range(len(rows)):
        row, mark = rows[at], marks[at]
        near, far = kinds[source[at]], kinds[destination[at]]
        app = of_app[row.app] if row.app < len(of_app) else 0
        port = of_port[row.destination_port]
        is_tcp, answered = row.protocol == 6, row.reply_packets > 0
        bits = 0
        if near & SHARING or near & (INSIDE | SPECIAL | LOOPBACK) == 0:
            bits |= FOREIGN
        if app & IS_TOOL and not (app & IS_CROSSING and _stays(near, far)):
            bits |= TOOL
        if app & IS_DATABASE and mark & OURS and mark & THEIRS:
            bits |= DATABASE
        if answered:
            bits |= _answered(row, mark, near, far, app, port, is_tcp)
        outcome = mark & 3
        is_single = mark & TO_ONE != 0
        of_us = mark & (OURS | THEIRS)
        goes_out = is_single and of_us == OURS and outcome > 0 and port & EVERYDAY_PORT == 0
        if goes_out and (is_tcp or row.protocol == 17):
            bits |= GOES_OUT
        if is_single and mark & THEIRS and (outcome == FAILED or answered):
            bits |= MEETS
        if _in_vain(row, outcome, of_protocol[row.protocol]):
            bits |= IN_VAIN
        if is_single and of_us and (bits & IN_VAIN or (is_tcp and outcome > 0)):
            bits |= TRIES
        whose[at] = bits
        every |= bits
    return every


@njit(cache=True, nogil=True)
def _stays(near: int, far: int) -> bool:  # pragma: no cover - compiled
    """Within the house, or to nobody: an administrator's session there is no line."""
    ours = INSIDE | LOOPBACK
    return (near & ours != 0 and far & ours != 0) or far & SPECIAL != 0


@njit(cache=True, nogil=True)
def _in_vain(row: Any, outcome: int, protocol: int) -> bool:  # pragma: no cover - compiled
    """Also of UDP that is never answered, and of protocols nobody speaks."""
    if outcome == FAILED and protocol & HAS_PORTS:
        return True
    if row.reply_packets > 0 or row.packets > MOST_PROBES or row.one_way != 0:
        return False
    return row.protocol == 17 or protocol & IS_UNSPOKEN != 0


@njit(cache=True, nogil=True)
def _answered(
    row: Any, mark: int, near: int, far: int, app: int, port: int, is_tcp: bool
) -> int:  # pragma: no cover - compiled
    """Bits of a flow with an answer."""
    bits = 0
    ours, theirs = mark & OURS != 0, mark & THEIRS != 0
    if far & INSIDE:
        if port & TIME_PORT:
            bits |= TIMED
        if app & IS_CONTROL:
            bits |= CONTROLS
        if near & PUBLIC:
            bits |= CALLED_IN
    if port & UPDATE_PORT:
        bits |= UPDATED
    crosses = (near & INSIDE != 0) != (far & INSIDE != 0)
    if crosses and app & IS_TOOL == 0 and (near | far) & (SPECIAL | LOOPBACK) == 0:
        bits |= CROSSES
    is_whole = row.reply_packets >= 5 and row.part == 0 and (ours or theirs)
    if app & IS_LOGON and is_whole and (row.app != _SSH or row.reply_bytes >= SSH_RECEIVED):
        bits |= LOGON
    if ours and theirs:
        if app & IS_CONTROL and mark & TO_ONE and row.one_way == 0:
            bits |= SESSION
        if row.app == _SMB:
            ratio = float(row.reply_bytes) / max(float(row.bytes), 1.0)
            if 0.7 <= ratio <= 1.4:
                bits |= REWRITES
    if not is_tcp:
        return bits
    if row.app == _LDAP and row.part == 0 and port & DIRECTORY_PORT == 0:
        bits |= ODD_LDAP
    if row.app == _PRINTER or port & PRINTER_PORT:
        bits |= PRINTS
    if port & CONSOLE_PORT and row.reply_bytes > _CONSOLE_SAID:
        bits |= CONSOLE
    is_admin = app & IS_ADMIN != 0 or (mark & WINRM != 0 and app & IS_PLAIN != 0)
    talked = mark & HALF_OPEN == 0 and row.state not in _NO_TALK
    if is_admin and talked and mark & TO_ONE and (theirs or not ours):
        bits |= ADMIN
    return bits
