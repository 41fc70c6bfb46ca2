"""Bring each decoded packet to its flow: who began, which state, which application, which picks.

One file, because it is one loop: numba inlines these steps into `feed`, around one flow row.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane import layout, select, table, tcp
from collector.fastlane.decode import decode_frame
from collector.fastlane.fragments import Fragments, forget_open
from collector.fastlane.internet import DAMAGED
from collector.fastlane.table import Table
from collector.fastlane.wire import Buffer, borrow, prefetch, read8, read16
from collector.identify.kernels import identify

_DEEP: Final = 17
_NS: Final = 1_000_000_000
#: Packets that are decoded before their flows are looked up, so that memory arrives meanwhile.
_BLOCK: Final = 32
#: Payload packets of each direction that the identification sees, and how sure is sure.
_TRIES, _SURE = 3, 80

# Bits of a flow row's `has_payload`.
_BY_SOURCE, _BY_DESTINATION = 1, 2

# Cells of Lane.second.
SECOND, BULK_BYTES, FLOW_BYTES, OPTIONS = range(4)


class Lane(NamedTuple):
    """What one fast lane keeps between chunks."""

    table: Table
    fragments: Fragments
    malformed: NDArray[np.int64]
    heads: NDArray[Any]  # HEADER_DTYPE, room for two blocks
    budget: NDArray[np.int64]  # Pick kinds x (LIMIT, USED, SHED)
    second: NDArray[np.int64]
    names: NDArray[Any]  # remote tools' names, as identify wants them
    servers: NDArray[np.uint8]  # bit 0: likely TCP server port, bit 1: UDP
    seed: NDArray[np.uint64]


#: Header rows of one block, and some that are written before they are given up.
_ROOM: Final = (_BLOCK + 1) * layout.MAX_LAYERS


def new_heads() -> NDArray[Any]:
    return layout.zeros_aligned(2 * _ROOM, layout.HEADER_DTYPE)


@njit(cache=True, nogil=True)
def feed(lane: Lane, buffer: Buffer, index: Any, out: Any, picks: Any) -> tuple[int, int]:
    """Take all packets of a chunk; returns how many flow records and picks were written."""
    lane, buffer, index = _borrow_lane(lane), borrow(buffer), borrow(index)
    out, picks = borrow(out), borrow(picks)
    flows, picked = 0, 0
    counters = lane.table.counters
    # Two blocks in turn: while the later one is decoded, the earlier one's flows arrive.
    ready, ready_at, at = 0, 0, 0
    for start in range(0, len(index) + _BLOCK, _BLOCK):
        stop = min(start + _BLOCK, len(index))
        count = at
        for number in range(start, stop):
            coming = index[min(number + _BLOCK, len(index) - 1)].offset
            prefetch(buffer, coming, 0)
            prefetch(buffer, coming, 64)
            before = count
            count = decode_frame(
                buffer, index[number], lane.heads, count, lane.fragments, lane.malformed,
                lane.second[OPTIONS], lane.seed[0],
            )  # fmt: skip
            counters[layout.PACKETS] += 1
            counters[layout.WIRE_BYTES] += index[number].wire
            counters[layout.NOT_IP] += count == before or lane.heads[before].family == 0
            _ask_for_slots(lane, before, count)
        for row in range(ready_at, ready):
            flows, picked = _take(lane, buffer, lane.heads[row], out, flows, picks, picked)
        _ask_for_flows(lane, at, count)
        ready_at, ready = at, count
        at = _ROOM - at
    return flows, picked


@njit(cache=True, nogil=True, forceinline=True)
def _ask_for_slots(lane: Lane, start: int, stop: int) -> None:
    slots = lane.table.slots
    mask = np.uint64(len(slots) - 1)
    for row in range(start, stop):
        prefetch(slots, np.int64((lane.heads[row].hash >> np.uint64(32)) & mask), 0)


@njit(cache=True, nogil=True, forceinline=True)
def _ask_for_flows(lane: Lane, start: int, stop: int) -> None:
    """Ask for the memory of the flows that header rows belong to; their slots have arrived."""
    slots = lane.table.slots
    mask = np.uint64(len(slots) - 1)
    for row in range(start, stop):
        head = lane.heads[row]
        slot = slots[np.int64((head.hash >> np.uint64(32)) & mask)]
        if slot != np.uint64(0):
            number = np.int64(slot & np.uint64(0xFFFFFFFF)) - 1
            for line in (0, 64, 128):
                prefetch(lane.table.rows, number, line)
            if head.flags & (tcp.FIN | tcp.RST):  # the end of a connection moves it in the wheel
                prefetch(lane.table.links, number, 0)


@njit(cache=True, nogil=True, forceinline=True)
def _borrow_lane(lane: Lane) -> Lane:
    owned = lane.table
    return Lane(
        Table(
            borrow(owned.slots), borrow(owned.rows), borrow(owned.links), borrow(owned.heads),
            borrow(owned.recent), borrow(owned.clock), borrow(owned.limits), borrow(owned.counters),
        ),
        Fragments(
            borrow(lane.fragments.slots), borrow(lane.fragments.offsets),
            borrow(lane.fragments.rows), borrow(lane.fragments.pending),
        ),
        borrow(lane.malformed), borrow(lane.heads), borrow(lane.budget),
        borrow(lane.second), borrow(lane.names), borrow(lane.servers), borrow(lane.seed),
    )  # fmt: skip


@njit(cache=True, nogil=True, forceinline=True)
def _take(
    lane: Lane, buffer: Buffer, head: Any, out: Any, flows: int, picks: Any, picked: int
) -> tuple[int, int]:
    """Take one header row."""
    flows = table.advance(lane.table, head.time_ns, out, flows)
    second = lane.table.clock[table.NOW] // _NS
    if second != lane.second[SECOND]:
        lane.second[SECOND] = second
        lane.budget[:, select.USED] = 0
    if head.family == 0:
        return flows, select.write_pick(head, head.pick, lane.budget, picks, picked)
    number, flows = _flow_of(lane, head, out, flows)
    row = lane.table.rows[number]
    is_reply = _is_reply(row, head)
    if head.counts == DAMAGED:  # nobody received it: it changes neither counts nor state
        row.closed |= table.IS_DAMAGED
        row.last_ns = max(row.last_ns, head.time_ns)
        return flows, picked
    count_packet(row, head, is_reply)
    if head.protocol == 6 and head.is_part == 0:
        if head.flags & tcp.SYN and not is_reply and not head.flags & tcp.ACK:
            read_syn(buffer, head, row)
        follow_tcp(lane.table, number, row, head, is_reply)
    if head.payload_end > head.payload_at:
        picked = _look(lane, buffer, head, row, is_reply, picks, picked)
    elif (head.protocol == 1 or head.protocol == 58) and head.is_part == 0:
        kind = select.choose_icmp(head)
        if kind != 0:
            picked = select.write_pick(head, kind, lane.budget, picks, picked)
    return flows, picked


@njit(cache=True, nogil=True, forceinline=True)
def _is_reply(row: Any, head: Any) -> bool:
    # Where both ends are the same, the packet is the originator's.
    return table.direction(row, head) == 1


@njit(cache=True, nogil=True, forceinline=True)
def _flow_of(lane: Lane, head: Any, out: Any, flows: int) -> tuple[int, int]:
    """Row of the packet's flow, begun anew where the old one has ended."""
    flow_table = lane.table
    number = table.find(flow_table, head)
    now_ns = flow_table.clock[table.NOW]
    if number >= 0:
        row = flow_table.rows[number]
        limits = flow_table.limits
        if table.is_over(row, head.time_ns, limits):
            reason = table.END if row.closed & tcp.ALL_CLOSED else table.IDLE
        elif head.protocol == 6 and is_reuse(row, head):
            reason = table.END
        else:
            if limits[table.ACTIVE] > 0 and head.time_ns >= row.first_ns + limits[table.ACTIVE]:
                flows = table.write_part(row, now_ns, out, flows)
            return number, flows
        flows = table.write_record(row, now_ns, reason, out, flows)
        table.unschedule(flow_table, number)
    else:
        if flow_table.clock[table.LIVE] >= flow_table.limits[table.MAX_FLOWS]:
            flows = table.evict(flow_table, out, flows)
        number = table.insert(flow_table, head)
    row = flow_table.rows[number]
    begin(row, head, _is_flipped(head, lane.servers), flow_table.limits)
    flow_table.counters[layout.FLOWS] += 1
    if head.protocol == 6 and head.flags & tcp.SYN:
        when_ns = head.time_ns + flow_table.limits[table.ATTEMPT]
    else:
        when_ns = table.looks_at(row, flow_table.limits)
    table.schedule(flow_table, number, when_ns)
    return number, flows


@njit(cache=True, nogil=True, forceinline=True)
def _is_flipped(head: Any, servers: Any) -> bool:
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
    row.part = 0
    row.syn_layout = 0
    row.syn_window = 0
    row.syn_mss = 0
    row.syn_wscale = 255
    row.http_messages = 0
    row.skips = 0
    if table.has_short_life(row):
        row.closed_ns = head.time_ns + limits[table.DNS_IDLE]


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
        table.unschedule(flow_table, number)
        table.schedule(flow_table, number, table.looks_at(row, flow_table.limits))


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


@njit(cache=True, nogil=True, forceinline=True)
def _look(
    lane: Lane, buffer: Buffer, head: Any, row: Any, is_reply: bool, picks: Any, picked: int
) -> int:
    """Identify the flow by a payload packet, and pick the packet for the other lanes."""
    tries = np.int64(row.reply_tries if is_reply else row.tries)
    if tries < 255:
        tries += 1
        if is_reply:
            row.reply_tries = tries
        else:
            row.tries = tries
    protocol = np.int64(head.protocol)
    if tries <= _TRIES and row.app_confidence < _SURE and (protocol == 6 or protocol == 17):
        app, confidence = identify(
            buffer, head.payload_at, head.payload_end, protocol,
            np.int64(head.source_port), np.int64(head.destination_port), is_reply, lane.names,
        )  # fmt: skip
        if confidence > row.app_confidence:
            row.app = app
            row.app_confidence = confidence
    kind = 0
    if protocol == 6:
        kind = select.choose_tcp(buffer, head, row, is_reply, tries)
    elif protocol == 17:
        kind = select.choose_udp(buffer, head, row, tries)
    elif protocol == 1 or protocol == 58:
        kind = select.choose_icmp(head)
    if kind != 0:
        picked = select.write_pick(head, kind, lane.budget, picks, picked)
    if row.marks & select.IS_DEEP:
        taken = select.take_deep(
            buffer, head, row, is_reply, lane.second[BULK_BYTES], lane.second[FLOW_BYTES]
        )
        if taken > 0:
            picked = select.write_pick(head, _DEEP, lane.budget, picks, picked)
        elif taken < 0:
            lane.budget[_DEEP, select.SHED] += 1
        else:
            lane.table.counters[layout.BULK_SKIPPED] += np.int64(head.frame_captured)
    return picked


@njit(cache=True, nogil=True)
def list_live(lane: Lane, numbers: Any, first_ns: Any) -> int:
    """Row numbers and first packets' times of all live flows; returns how many there are."""
    count = 0
    for number in range(lane.table.clock[table.FRESH]):  # in memory's order: no search, no list
        row = lane.table.rows[number]
        if row.is_live:
            numbers[count] = number
            first_ns[count] = row.first_ns
            count += 1
    return count


@njit(cache=True, nogil=True)
def finish(lane: Lane, numbers: Any, out: Any) -> int:
    """Report the live flows of these rows and empty the table; returns how many were written."""
    flow_table = lane.table
    clock = flow_table.clock
    lane.malformed[layout.FRAGMENT_INCOMPLETE] += forget_open(lane.fragments)
    count = 0
    for place in range(len(numbers)):
        coming = numbers[min(place + _BLOCK, len(numbers) - 1)]
        for line in (0, 64, 128):
            prefetch(flow_table.rows, coming, line)
        row = flow_table.rows[numbers[place]]
        reason = table.END if row.closed & tcp.ALL_CLOSED else table.FORCED
        count = table.write_record(row, clock[table.NOW], reason, out, count)
        row.is_live = 0
    flow_table.slots[:] = 0
    flow_table.heads[:] = -1
    clock[table.FRESH] = 0
    clock[table.FREE] = -1
    clock[table.LIVE] = 0
    return count
