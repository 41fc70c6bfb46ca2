"""Bring each decoded packet to its flow: who began, which state, which application, which picks.

Numba inlines the steps of `feed`, here and in the modules beside it, into one loop.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.fastlane import layout, select, table, tcp, timeouts
from collector.fastlane.connection import follow_tcp, is_reuse, read_syn
from collector.fastlane.decode import decode_frame
from collector.fastlane.flow_row import begin, count_packet, is_answer
from collector.fastlane.fragments import Fragments, forget_open
from collector.fastlane.internet import DAMAGED
from collector.fastlane.records import END, FORCED, IDLE, IS_DAMAGED, write_part, write_record
from collector.fastlane.table import Table
from collector.fastlane.wire import Buffer, borrow, prefetch
from collector.identify.kernels import identify
from collector.identify.ports import group_app

_DEEP: Final = 17
_NS: Final = 1_000_000_000
#: Packets that are decoded before their flows are looked up, so that memory arrives meanwhile.
_BLOCK: Final = 32
#: Payload packets of each direction that the identification sees, and how sure is sure.
_TRIES, _SURE = 3, 80

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
        row.closed |= IS_DAMAGED
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
        if timeouts.is_over(row, head.time_ns, limits):
            reason = END if row.closed & tcp.ALL_CLOSED else IDLE
        elif head.protocol == 6 and is_reuse(row, head):
            reason = END
        else:
            if (
                limits[timeouts.ACTIVE] > 0
                and head.time_ns >= row.first_ns + limits[timeouts.ACTIVE]
            ):
                flows = write_part(row, now_ns, out, flows)
            return number, flows
        flows = write_record(row, now_ns, reason, out, flows)
        table.unschedule(flow_table, number)
    else:
        if flow_table.clock[table.LIVE] >= flow_table.limits[timeouts.MAX_FLOWS]:
            flows = table.evict(flow_table, out, flows)
        number = table.insert(flow_table, head)
    row = flow_table.rows[number]
    begin(row, head, is_answer(head, lane.servers), flow_table.limits)
    flow_table.counters[layout.FLOWS] += 1
    if head.protocol == 6 and head.flags & tcp.SYN:
        when_ns = head.time_ns + flow_table.limits[timeouts.ATTEMPT]
    else:
        when_ns = timeouts.looks_at(row, flow_table.limits)
    table.schedule(flow_table, number, when_ns)
    return number, flows


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
        if protocol == 17 and confidence == 0:
            app, confidence = group_app(head.destination_low, np.int64(head.destination_port))
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
        reason = END if row.closed & tcp.ALL_CLOSED else FORCED
        count = write_record(row, clock[table.NOW], reason, out, count)
        row.is_live = 0
    flow_table.slots[:] = 0
    flow_table.heads[:] = -1
    clock[table.FRESH] = 0
    clock[table.FREE] = -1
    clock[table.LIVE] = 0
    return count
