"""Connection states as Zeek names them, from the flags that each end sent.

Each end is inactive, has sent a SYN (or SYN+ACK), is partial (data without handshake), established,
closed (FIN) or reset; the pair of both ends' states gives the connection's (conn.log `conn_state`).
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

from numba import njit

from collector.flows import STATE_CODE

INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = range(7)
FIN, SYN, RST, ACK = 1, 2, 4, 16

# Bits of a flow row's `closed`.
SOURCE_CLOSED, DESTINATION_CLOSED, ALL_CLOSED = 1, 2, 4

_OTH: Final = STATE_CODE["OTH"]
_S0, _S1, _SF, _REJ = (STATE_CODE[name] for name in ("S0", "S1", "SF", "REJ"))
_S2, _S3, _RSTO, _RSTR = (STATE_CODE[name] for name in ("S2", "S3", "RSTO", "RSTR"))
_RSTOS0, _RSTRH, _SH, _SHR = (STATE_CODE[name] for name in ("RSTOS0", "RSTRH", "SH", "SHR"))


@njit(cache=True, nogil=True, forceinline=True)
def step_end(
    own: int,
    own_before: int,
    peer: int,
    peer_before: int,
    is_originator: bool,
    flags: int,
    size: int,
) -> tuple[int, int, bool]:
    """Next states of the sending end and of its peer, and whether this packet closes the end.

    `*_before` are the states before the current ones, `size` the payload's bytes on the wire.
    """
    closes = flags & (FIN | RST) != 0
    if own == INACTIVE:
        own, peer = _leave_inactive(own, peer, is_originator, flags, size)
    elif own in (SYN_SENT, SYN_ACK_SENT):
        own = RESET if flags & RST else CLOSED if flags & FIN else own
    elif own in (ESTABLISHED, PARTIAL):
        if flags & SYN and own == PARTIAL and peer == INACTIVE and not flags & ACK:
            own = SYN_SENT
        if flags & RST:
            own = RESET
        elif flags & FIN:
            own = CLOSED
            if peer == RESET and peer_before == CLOSED:  # FIN, then RST: an ordinary end
                peer = CLOSED
    elif own == CLOSED:
        closes = flags & RST != 0 and peer != CLOSED
        if closes:
            own = RESET
    else:
        closes = False
    return own, peer, closes


@njit(cache=True, nogil=True)
def _leave_inactive(
    own: int, peer: int, is_originator: bool, flags: int, size: int
) -> tuple[int, int]:
    """First packet of an end."""
    if flags & SYN:
        if is_originator:
            own = SYN_ACK_SENT if flags & ACK else SYN_SENT
        else:
            if peer == SYN_SENT:
                peer = ESTABLISHED
            own = ESTABLISHED
    if flags & RST:
        return RESET, peer
    if flags & FIN:
        return CLOSED, peer
    if own != INACTIVE:
        return own, peer
    if not is_originator and size == 0 and peer == SYN_SENT:
        return INACTIVE, peer  # some hosts acknowledge a SYN before they answer it
    if flags & ACK and peer == ESTABLISHED:
        return ESTABLISHED, peer
    return PARTIAL, peer


@njit(cache=True, nogil=True, forceinline=True)
def connection_state(row: Any) -> int:
    """Index into STATES for a live flow's row."""
    if row.protocol == 6:
        return tcp_state(row.source_state, row.destination_state, row.has_payload != 0)
    if row.protocol == 17:
        if row.source_state != INACTIVE:
            return _SF if row.destination_state != INACTIVE else _S0
        return _SHR if row.destination_state != INACTIVE else _OTH
    return _OTH


@njit(cache=True, nogil=True)
def tcp_state(source: int, destination: int, has_payload: bool) -> int:
    """Index into STATES for the states of originator and responder."""
    is_source_silent = source in (INACTIVE, PARTIAL)
    is_destination_silent = destination in (INACTIVE, PARTIAL)
    if destination == RESET:
        if source in (SYN_SENT, SYN_ACK_SENT) or (source == RESET and not has_payload):
            return _REJ
        return _RSTRH if is_source_silent else _RSTR
    if source == RESET:
        return _RSTOS0 if is_destination_silent else _RSTO
    if source == CLOSED:
        if destination == CLOSED:
            return _SF
        return _SH if is_destination_silent else _S2
    if destination == CLOSED:
        return _SHR if is_source_silent else _S3
    if source == SYN_SENT and destination == INACTIVE:
        return _S0
    if source == ESTABLISHED and destination == ESTABLISHED:
        return _S1
    return _OTH
