"""A TCP connection, followed in its flow's row: opening, closing, and what its SYN tells."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane import tcp
from collector.fastlane.table import Table, schedule, unschedule
from collector.fastlane.timeouts import looks_at
from collector.fastlane.wire import Buffer, read8, read16

# Bits of a flow row's `has_payload`.
_BY_SOURCE, _BY_DESTINATION = 1, 2


@njit(cache=True, nogil=True, forceinline=True)
def is_reuse(row: Any, head: Any) -> bool:
    """Does this SYN open a new connection on ports that a known one uses?"""
    if not head.flags & tcp.SYN:
        return False
    start = row.source_sequence
    if head.flags & tcp.ACK:
        if row.source_state != tcp.INACTIVE:
            return False
        start = row.destination_sequence
    both = tcp.SOURCE_CLOSED | tcp.DESTINATION_CLOSED
    if row.closed & both == both:
        return True
    if head.sequence == start:
        return False
    is_reversed = (
        not head.flags & tcp.ACK
        and row.source_state == tcp.SYN_ACK_SENT
        and row.destination_state == tcp.INACTIVE
        and head.sequence == row.destination_sequence
    )
    return not is_reversed


@njit(cache=True, nogil=True, forceinline=True)
def follow_tcp(flow_table: Table, number: int, row: Any, head: Any, is_reply: bool) -> None:
    """Step the connection's state; a connection that closed lingers, then is reported."""
    own = row.destination_state if is_reply else row.source_state
    peer = row.source_state if is_reply else row.destination_state
    is_reversed = (
        is_reply
        and own == tcp.INACTIVE
        and peer == tcp.SYN_ACK_SENT
        and head.flags & (tcp.SYN | tcp.ACK) == tcp.SYN
    )
    if is_reversed:  # the SYN was captured after its SYN+ACK
        swap_ends(row)
        row.destination_state = tcp.ESTABLISHED
        is_reply = False
        own, peer = row.source_state, row.destination_state
        _remember_sequence(row, head, False, own, peer)
        row.source_before = own
        row.source_state = tcp.ESTABLISHED
        return
    _remember_sequence(row, head, is_reply, own, peer)
    own_before = row.destination_before if is_reply else row.source_before
    peer_before = row.source_before if is_reply else row.destination_before
    new_own, new_peer, closes = tcp.step_end(
        own, own_before, peer, peer_before, not is_reply, head.flags, head.payload_wire
    )
    if new_own != own:
        own_before = own
    if new_peer != peer:
        peer_before = peer
    if is_reply:
        row.destination_state, row.source_state = new_own, new_peer
        row.destination_before, row.source_before = own_before, peer_before
    else:
        row.source_state, row.destination_state = new_own, new_peer
        row.source_before, row.destination_before = own_before, peer_before
    if head.payload_wire > 0 and not head.flags & tcp.RST:
        row.has_payload |= _BY_DESTINATION if is_reply else _BY_SOURCE
    if closes:
        _close_end(flow_table, number, row, head, is_reply, new_own, new_peer)


@njit(cache=True, nogil=True, forceinline=True)
def _close_end(
    flow_table: Table, number: int, row: Any, head: Any, is_reply: bool, own: int, peer: int
) -> None:
    own_bit = tcp.DESTINATION_CLOSED if is_reply else tcp.SOURCE_CLOSED
    peer_bit = tcp.SOURCE_CLOSED if is_reply else tcp.DESTINATION_CLOSED
    if row.closed & own_bit:
        return
    row.closed |= own_bit
    if own == tcp.RESET or row.closed & peer_bit or peer == tcp.INACTIVE:
        if row.closed & tcp.ALL_CLOSED:
            return
        row.closed |= tcp.ALL_CLOSED
        row.closed_ns = head.time_ns
        unschedule(flow_table, number)
        schedule(flow_table, number, looks_at(row, flow_table.limits))


@njit(cache=True, nogil=True, forceinline=True)
def _remember_sequence(row: Any, head: Any, is_reply: bool, own: int, peer: int) -> None:
    """Keep where each end's sequence numbers start: a SYN that repeats them is no new one."""
    if own == tcp.INACTIVE or (head.flags & tcp.SYN and own != tcp.CLOSED and own != tcp.RESET):
        start = np.int64(head.sequence) if head.flags & tcp.SYN else np.int64(head.sequence) - 1
        if is_reply:
            row.destination_sequence = start & 0xFFFFFFFF
        else:
            row.source_sequence = start & 0xFFFFFFFF
    if peer == tcp.INACTIVE and head.flags & tcp.ACK:
        start = (np.int64(head.acknowledged) - 1) & 0xFFFFFFFF
        if is_reply:
            row.source_sequence = start
        else:
            row.destination_sequence = start


@njit(cache=True, nogil=True)
def swap_ends(row: Any) -> None:
    """Make the responder the originator, with all that was counted so far."""
    row.source_high, row.destination_high = row.destination_high, row.source_high
    row.source_low, row.destination_low = row.destination_low, row.source_low
    row.source_port, row.destination_port = row.destination_port, row.source_port
    row.source_mac, row.destination_mac = row.destination_mac, row.source_mac
    row.packets, row.reply_packets = row.reply_packets, row.packets
    row.bytes, row.reply_bytes = row.reply_bytes, row.bytes
    row.flags, row.reply_flags = row.reply_flags, row.flags
    row.ttl_min, row.reply_ttl_min = row.reply_ttl_min, row.ttl_min
    row.ttl_max, row.reply_ttl_max = row.reply_ttl_max, row.ttl_max
    row.source_state, row.destination_state = row.destination_state, row.source_state
    row.source_before, row.destination_before = row.destination_before, row.source_before
    row.source_sequence, row.destination_sequence = row.destination_sequence, row.source_sequence
    row.tries, row.reply_tries = row.reply_tries, row.tries
    row.skip_to, row.reply_skip_to = row.reply_skip_to, row.skip_to
    row.deep_bytes, row.reply_deep_bytes = row.reply_deep_bytes, row.deep_bytes
    row.skips = (row.skips & 1) << 1 | (row.skips & 2) >> 1
    row.has_payload = (row.has_payload & 1) << 1 | (row.has_payload & 2) >> 1
    ends = (row.closed & 1) << 1 | (row.closed & 2) >> 1
    row.closed = ends | (row.closed & 0xFC)


@njit(cache=True, nogil=True)
def read_syn(buffer: Buffer, head: Any, row: Any) -> None:
    """Keep the originator's SYN signature: window, MSS, scale, and the order of the options."""
    row.syn_window = head.window
    row.syn_mss = 0
    row.syn_wscale = 255
    order = np.int64(0x811C9DC5)  # FNV-1a, 32 bits
    at = head.transport_at + 20
    end = at + np.int64(head.options)
    while at < end:
        kind = read8(buffer, at)
        order = ((order ^ kind) * 0x01000193) & 0xFFFFFFFF
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if at + 2 > end:
            break
        length = read8(buffer, at + 1)
        if length < 2 or at + length > end:
            break
        if kind == 2 and length == 4:
            row.syn_mss = read16(buffer, at + 2)
        elif kind == 3 and length == 3:
            row.syn_wscale = min(254, read8(buffer, at + 2))
        at += length
    row.syn_layout = order
