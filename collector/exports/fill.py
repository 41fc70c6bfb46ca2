"""Turn records of one plain template into flow rows, one compiled pass over the bytes.

`records.flow_rows` says the same in columns; it is used for the rarer elements, and the tests hold
the two against each other.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.exports import plan as p
from collector.fastlane.wire import Buffer, borrow, read8, read16, read32, read64
from collector.flows import STATE_CODE
from collector.identify.kernels import identify_by_port

# Columns of a set's context.
REPORTED, EXPORT, UPTIME_MS, BOOT_MS, RATE = range(5)

_V4_MAPPED: Final = np.uint64(0xFFFF_0000_0000)
_LOW: Final = np.uint64(0xFFFF_FFFF)
_32: Final = np.uint64(32)
_LATEST_NS: Final = 1 << 62
_UNTOLD: Final = -(1 << 62)
_MAC: Final = np.uint64((1 << 48) - 1)
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_DENIED: Final = 3

_OTH, _S0, _S1, _SF, _REJ, _S2, _S3, _RSTO, _RSTR, _RSTOS0, _SH = (
    STATE_CODE[name]
    for name in ("OTH", "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "SH")
)


@njit(cache=True, nogil=True)
def fill(
    buffer: Buffer, at: Any, count: Any, size: int, plan: Any, context: Any, scales: bool,
    out: Any, out_at: Any,
) -> None:  # fmt: skip
    """Write `count[s]` rows (OUTPUT_DTYPE) for each set s from `out_at[s]` on.

    `at[s]` is the set's first byte in the buffer, `context[s]` what holds for all its records.
    """
    buffer, plan, out, context = borrow(buffer), borrow(plan), borrow(out), borrow(context)
    for number in range(len(at)):
        for record in range(count[number]):
            _fill(
                buffer, at[number] + record * size, plan, context, number, scales,
                out[out_at[number] + record],
            )  # fmt: skip


@njit(cache=True, nogil=True, forceinline=True)
def _read(buffer: Buffer, at: int, length: int) -> Any:
    """A number of any length; of longer ones the last eight bytes."""
    if length == 4:
        return np.uint64(read32(buffer, at))
    if length == 2:
        return np.uint64(read16(buffer, at))
    if length == 1:
        return np.uint64(read8(buffer, at))
    if length == 8:
        return read64(buffer, at)
    value = np.uint64(0)
    for byte in range(max(0, length - 8), length):
        value = value << np.uint64(8) | np.uint64(buffer[at + byte])
    return value


@njit(cache=True, nogil=True, forceinline=True)
def _fill(
    buffer: Buffer, at: int, plan: Any, context: Any, number: int, scales: bool, row: Any
) -> None:
    export_ns = context[number, EXPORT]
    source_high = destination_high = np.uint64(0)
    source_low = destination_low = _V4_MAPPED
    is_v6_here = is_v6_there = False
    protocol = source_port = destination_port = flags = reply_flags = np.int64(0)
    sent = packets = reply_sent = reply_packets = np.uint64(0)
    source_mac = destination_mac = np.uint64(0)
    vlan = ttl_min = ttl_max = reply_ttl_min = reply_ttl_max = np.int64(0)
    reason = icmp = firewall = np.int64(0)
    first_ns = last_ns = np.int64(_UNTOLD)
    is_biflow = False
    for step in range(len(plan)):
        what = plan[step, 0]
        start, length = at + plan[step, 1], plan[step, 2]
        if what == p.SOURCE_V6:
            source_high, source_low = read64(buffer, start), read64(buffer, start + 8)
            is_v6_here = True
            continue
        if what == p.DESTINATION_V6:
            destination_high, destination_low = read64(buffer, start), read64(buffer, start + 8)
            is_v6_there = True
            continue
        value = _read(buffer, start, length)
        if what == p.SOURCE_V4:
            if value != 0 or not is_v6_here:
                source_high, source_low = np.uint64(0), value & _LOW | _V4_MAPPED
        elif what == p.DESTINATION_V4:
            if value != 0 or not is_v6_there:
                destination_high, destination_low = np.uint64(0), value & _LOW | _V4_MAPPED
        elif what == p.BYTES:
            sent = value
        elif what == p.PACKETS:
            packets = value
        elif what == p.FIRST:
            first_ns = _time(value, plan[step, 3], context, number)
        elif what == p.LAST:
            last_ns = _time(value, plan[step, 3], context, number)
        elif what == p.SOURCE_MAC:
            source_mac = value & _MAC
        elif what == p.DESTINATION_MAC:
            destination_mac = value & _MAC
        elif what == p.REPLY_BYTES:
            reply_sent, is_biflow = value, True
        elif what == p.REPLY_PACKETS:
            reply_packets, is_biflow = value, True
        else:
            small = np.int64(value & np.uint64(0xFFFF))
            if what == p.PROTOCOL:
                protocol = small & 0xFF
            elif what == p.SOURCE_PORT:
                source_port = source_port or small
            elif what == p.DESTINATION_PORT:
                destination_port = destination_port or small
            elif what == p.FLAGS:
                flags = small & 0xFF
            elif what == p.REPLY_FLAGS:
                reply_flags = small & 0xFF
            elif what == p.VLAN:
                vlan = vlan or small & 0xFFF
            elif what == p.TTL_MIN:
                ttl_min = small & 0xFF
            elif what == p.TTL_MAX:
                ttl_max = small & 0xFF
            elif what == p.REPLY_TTL_MIN:
                reply_ttl_min = small & 0xFF
            elif what == p.REPLY_TTL_MAX:
                reply_ttl_max = small & 0xFF
            elif what == p.ICMP_BOTH:
                icmp = small if small != 0 else icmp
            elif what == p.REASON:
                reason = small if value <= 5 else np.int64(0)
            elif what == p.FIREWALL:
                firewall = np.int64(value == _DENIED)
    if last_ns == _UNTOLD:
        last_ns = export_ns
    if first_ns == _UNTOLD or first_ns > last_ns:
        first_ns = last_ns
    if protocol == 1 or protocol == 58:
        icmp = icmp or destination_port
        source_port, destination_port = icmp >> 8, icmp & 0xFF
    rate = max(context[number, RATE], 1)
    factor = np.uint64(rate) if scales else np.uint64(1)
    one_way = not is_biflow
    row.first_ns, row.last_ns, row.reported_ns = first_ns, last_ns, context[number, REPORTED]
    row.sensor, row.vlan, row.protocol = 0, vlan, protocol
    is_v4 = source_high == 0 and source_low >> _32 == np.uint64(0xFFFF)
    row.family = 4 if is_v4 else 6
    row.source_high, row.source_low = source_high, source_low
    row.destination_high, row.destination_low = destination_high, destination_low
    row.source_port, row.destination_port = source_port, destination_port
    row.source_mac, row.destination_mac = source_mac, destination_mac
    row.packets, row.bytes = packets * factor, sent * factor
    row.reply_packets, row.reply_bytes = reply_packets * factor, reply_sent * factor
    row.flags, row.reply_flags = flags, reply_flags
    row.ttl_min, row.ttl_max = ttl_min, ttl_max
    row.reply_ttl_min, row.reply_ttl_max = reply_ttl_min, reply_ttl_max
    row.syn_window, row.syn_mss, row.syn_wscale, row.syn_layout = 0, 0, 255, 0
    row.sampling, row.one_way, row.end_reason, row.part = min(rate, 0xFFFF_FFFF), one_way, reason, 0
    if firewall:
        row.state = _REJ
    else:
        row.state = state_of(flags, reply_flags, row.reply_packets > 0, protocol == 6, one_way)
    row.app, row.app_confidence = identify_by_port(protocol, source_port, destination_port)


@njit(cache=True, nogil=True, forceinline=True)
def _time(value: Any, how: int, context: Any, number: int) -> int:
    """A record's time in ns; the export's own where it makes no sense."""
    export_ns = context[number, EXPORT]
    if how == p.UPTIME:
        uptime_ms, boot_ms = context[number, UPTIME_MS], context[number, BOOT_MS]
        if uptime_ms >= 0:
            ago = (uptime_ms - np.int64(value)) & 0xFFFF_FFFF
            if ago >= 1 << 31:
                ago -= 1 << 32
            return export_ns - ago * 1_000_000
        told = np.int64(value) + boot_ms
        if boot_ms >= 0 and 0 < told < _LATEST_NS // 1_000_000:
            return told * 1_000_000
        return export_ns
    unit = 1_000_000 if how == p.MILLISECONDS else 1_000_000_000
    if value > 0 and value < np.uint64(_LATEST_NS // unit):
        return np.int64(value) * unit
    return export_ns


@njit(cache=True, nogil=True, forceinline=True)
def state_of(ours: int, theirs: int, is_answered: bool, is_tcp: bool, is_one_way: bool) -> int:
    """As `states.states_of`."""
    if not is_tcp:
        if is_answered:
            return _SF
        return _OTH if is_one_way else _S0
    has_syn, got_syn = ours & _SYN != 0, theirs & _SYN != 0
    if has_syn and theirs & _RST and not got_syn:
        return _REJ
    if not has_syn:
        return _OTH
    is_open = ours & _ACK != 0 if is_one_way else got_syn
    if is_open:
        if ours & _RST:
            return _RSTO
        if theirs & _RST:
            return _RSTR
        if ours & _FIN:
            return _SF if theirs & _FIN or is_one_way else _S2
        return _S3 if theirs & _FIN else _S1
    if is_answered:
        return _OTH
    if ours & _FIN:
        return _SH
    return _RSTOS0 if ours & _RST else _S0


@njit(cache=True, nogil=True)
def pack(
    buffer: Buffer, at: Any, length: Any, lengths: Any, shortest: int, packed: Any, count: Any,
    whole: Any,
) -> int:  # fmt: skip
    """Put the fixed fields of records with fields of variable length side by side.

    `packed` is (room, fixed bytes); `count` and `whole` tell per set its records, and whether the
    last one was all there. Returns the records of all sets.
    """
    total = 0
    for number in range(len(at)):
        place, end = at[number], at[number] + length[number]
        count[number], whole[number] = 0, 1
        while end - place >= shortest and total < len(packed):
            column = 0
            for size in lengths:
                if size == 65535:
                    size, place = _variable(buffer, place, end)
                    place += size
                    continue
                if place + size > end:
                    place = end + 1
                    break
                for byte in range(size):
                    packed[total, column + byte] = buffer[place + byte]
                place += size
                column += size
            if place > end:
                whole[number] = 0
                break
            count[number] += 1
            total += 1
    return total


@njit(cache=True, nogil=True, inline="always")
def _variable(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """(size, where it starts), RFC 7011 §7; past the end where it is cut."""
    if at >= end:
        return 0, end + 1
    size = np.int64(buffer[at])
    if size < 255:
        return size, at + 1
    if at + 3 > end:
        return 0, end + 1
    return read16(buffer, at + 1), at + 3


def contexts(count: int) -> NDArray[np.int64]:
    """Room for the contexts of so many sets."""
    return np.zeros((count, 5), np.int64)
