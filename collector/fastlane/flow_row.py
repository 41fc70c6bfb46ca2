"""A live flow's row: how it begins, and how packets are counted in it."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane import tcp
from collector.fastlane.timeouts import DNS_IDLE, has_short_life


@njit(cache=True, nogil=True, forceinline=True)
def is_answer(head: Any, servers: Any) -> bool:
    """Did the responder send this first packet? Told by ports, where no SYN tells it."""
    if head.protocol == 6:
        if head.flags & tcp.SYN and not head.flags & tcp.ACK:
            return False
        bit = 1
    elif head.protocol == 17:
        bit = 2
    else:
        return False
    if not servers[head.source_port] & bit:
        return False
    is_broadcast = head.family == 4 and (head.destination_low & np.uint64(0xFFFFFFFF)) == (
        np.uint64(0xFFFFFFFF)
    )
    if is_broadcast:
        return False
    if not servers[head.destination_port] & bit:
        return True
    if head.protocol == 17:
        return False
    return not head.flags & tcp.SYN and head.source_port < head.destination_port


@njit(cache=True, nogil=True, forceinline=True)
def begin(row: Any, head: Any, is_flipped: bool, limits: Any) -> None:
    """Make the row that of a new flow; everything starts over."""
    if is_flipped:
        row.source_high = head.destination_high
        row.source_low = head.destination_low
        row.destination_high = head.source_high
        row.destination_low = head.source_low
        row.source_port = head.destination_port
        row.destination_port = head.source_port
    else:
        row.source_high = head.source_high
        row.source_low = head.source_low
        row.destination_high = head.destination_high
        row.destination_low = head.destination_low
        row.source_port = head.source_port
        row.destination_port = head.destination_port
    row.last_ns = head.time_ns
    row.first_ns = head.time_ns
    row.start_ns = head.time_ns
    row.closed_ns = 0
    row.protocol = head.protocol
    row.one_way = head.one_way
    row.family = head.family
    row.vlan = head.vlan
    row.source_state = 0
    row.destination_state = 0
    row.source_before = 0
    row.destination_before = 0
    row.source_sequence = 0
    row.destination_sequence = 0
    row.flags = 0
    row.reply_flags = 0
    row.ttl_min = 0
    row.ttl_max = 0
    row.reply_ttl_min = 0
    row.reply_ttl_max = 0
    row.closed = 0
    row.has_payload = 0
    row.packets = 0
    row.bytes = 0
    row.reply_packets = 0
    row.reply_bytes = 0
    row.app = 0
    row.app_confidence = 0
    row.tries = 0
    row.reply_tries = 0
    row.marks = 0
    row.source_mac = head.destination_mac if is_flipped else head.source_mac
    row.destination_mac = head.source_mac if is_flipped else head.destination_mac
    row.skip_to = 0
    row.reply_skip_to = 0
    row.deep_bytes = 0
    row.reply_deep_bytes = 0
    row.deep_minute = 0
    row.part = 0
    row.syn_layout = 0
    row.syn_window = 0
    row.syn_mss = 0
    row.syn_wscale = 255
    row.http_messages = 0
    row.skips = 0
    if has_short_life(row):
        row.closed_ns = head.time_ns + limits[DNS_IDLE]


@njit(cache=True, nogil=True, forceinline=True)
def count_packet(row: Any, head: Any, is_reply: bool) -> None:
    """Add the packet to its direction's columns; a datagram's fragments count when all came."""
    if row.packets + row.reply_packets == 0 or head.time_ns < row.first_ns:
        row.first_ns = head.time_ns
    row.last_ns = max(row.last_ns, head.time_ns)
    if is_reply:
        if row.reply_ttl_max == 0 or head.ttl < row.reply_ttl_min:
            row.reply_ttl_min = head.ttl
        row.reply_ttl_max = max(row.reply_ttl_max, head.ttl)
        row.reply_flags |= head.flags
        if head.counts:
            if row.reply_packets == 0:
                # A broadcast's destination is nobody's card: the answer tells whose it is.
                row.destination_mac = head.source_mac
                if row.source_mac == 0:
                    row.source_mac = head.destination_mac
            row.reply_packets += np.uint64(1)
            row.reply_bytes += np.uint64(head.ip_bytes)
        if head.protocol == 17 and head.counts:
            row.destination_state = 1
    else:
        if row.ttl_max == 0 or head.ttl < row.ttl_min:
            row.ttl_min = head.ttl
        row.ttl_max = max(row.ttl_max, head.ttl)
        row.flags |= head.flags
        if head.counts:
            row.packets += np.uint64(1)
            row.bytes += np.uint64(head.ip_bytes)
        if head.protocol == 17 and head.counts:
            row.source_state = 1
