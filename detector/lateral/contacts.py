"""How a contact went: answered, refused, unanswered or only knocked, by column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import STATE_CODE, FlowBatch, address_text
from detector.detection import FlowKey, Window
from detector.window_kernels import MOST_PROBES, PEERS_PORT, UNANSWERED_UDP

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32

#: A contact's outcome. UNKNOWN: the input cannot tell (mid-stream, one direction only, sampled).
UNKNOWN, ANSWERED, FAILED = 0, 1, 2

#: TCP states in which the other side never agreed to talk.
_NO_ANSWER: Final = tuple(STATE_CODE[s] for s in ("S0", "REJ", "RSTOS0", "SH", "RSTRH"))
_TALKED: Final = tuple(STATE_CODE[s] for s in ("S1", "SF", "S2", "S3", "RSTO", "RSTR"))
#: Requests for an echo, a time, a netmask.
_PINGS: Final = ((1, 8), (1, 13), (1, 17), (58, 128))
_SCTP: Final = 132


def outcomes(flows: FlowBatch) -> NDArray[np.uint8]:
    """Outcome of each flow, as a scan's target would see it."""
    outcome = np.zeros(len(flows), np.uint8)
    whole = (flows.one_way == 0) & (flows.sampling <= 1) & (flows.part == 0)
    tcp = whole & (flows.protocol == 6)
    outcome[tcp & np.isin(flows.state, _TALKED)] = ANSWERED
    outcome[tcp & (np.isin(flows.state, _NO_ANSWER) | is_half_open(flows))] = FAILED
    outcome[tcp & (has_odd_flags(flows) | is_lone_ack(flows))] = FAILED
    udp = whole & (flows.protocol == 17) & ~np.isin(flows.destination_port, UNANSWERED_UDP)
    outcome[udp & (flows.reply_packets > 0)] = ANSWERED
    outcome[udp & (flows.reply_packets == 0) & (flows.packets <= MOST_PROBES)] = FAILED
    sctp = whole & (flows.protocol == _SCTP)  # an association takes two packets each way
    outcome[sctp] = np.where(flows.reply_packets[sctp] > 1, ANSWERED, FAILED)
    for protocol, kind in _PINGS:
        echo = whole & (flows.protocol == protocol) & (flows.source_port == kind)
        outcome[echo & (flows.reply_packets > 0)] = ANSWERED
        outcome[echo & (flows.reply_packets == 0)] = FAILED
    # A flow export shows one direction: a lone SYN in one to three packets met no one.
    knock = (flows.one_way == 1) & (flows.protocol == 6) & (flows.flags == SYN)
    outcome[knock & (flows.packets <= 3) & (flows.sampling <= 1)] = FAILED
    is_peers = (flows.protocol == 6) & (flows.destination_port == PEERS_PORT)
    outcome[is_peers & (outcome == FAILED)] = UNKNOWN
    return outcome


def is_half_open(flows: FlowBatch) -> NDArray[np.bool_]:
    """SYN, SYN-ACK, then the originator resets without a byte of data: a port was only tried."""
    header_only = (flows.bytes <= flows.packets * 60) & (flows.reply_bytes <= 240)
    short = (flows.packets <= 4) & (flows.reply_packets <= 3) & (flows.protocol == 6)
    half: NDArray[np.bool_] = short & (flows.state == STATE_CODE["RSTO"]) & header_only
    return half


def is_lone_ack(flows: FlowBatch) -> NDArray[np.bool_]:
    """An ACK or two without options and data, into nothing: it asks a filter, not a service."""
    header = np.where(flows.family == 4, 40, 60)
    bare = (flows.flags == ACK) & (flows.bytes <= flows.packets * header) & (flows.packets <= 2)
    alone: NDArray[np.bool_] = bare & (flows.reply_packets == 0) & (flows.protocol == 6)
    return alone


def has_odd_flags(flows: FlowBatch) -> NDArray[np.bool_]:
    """TCP that no stack sends: FIN, PSH or URG without ever an ACK, or no flag at all."""
    whole = (flows.protocol == 6) & (flows.one_way == 0) & (flows.packets > 0)
    silent = (flows.flags & (ACK | RST)) == 0
    odd: NDArray[np.bool_] = (flows.flags & (FIN | PSH | URG) != 0) | (flows.flags == 0)
    found: NDArray[np.bool_] = whole & silent & odd
    return found


def flow_keys(flows: FlowBatch, at: Iterable[int], limit: int = 20) -> tuple[FlowKey, ...]:
    """The first flows of these row numbers, as evidence."""
    return tuple(_flow_key(flows.rows[i]) for i in list(at)[:limit])


def _flow_key(row: Any) -> FlowKey:
    return FlowKey(
        first_ns=int(row["first_ns"]),
        source=address_text(*row["source"]),
        source_port=int(row["source_port"]),
        destination=address_text(*row["destination"]),
        destination_port=int(row["destination_port"]),
        protocol=int(row["protocol"]),
    )


def texts(window: Window, numbers: Iterable[Any], limit: int = 50) -> tuple[str, ...]:
    """The first of these hosts' addresses as text."""
    return tuple(window.hosts.ip(int(n)) for n in list(numbers)[:limit])
