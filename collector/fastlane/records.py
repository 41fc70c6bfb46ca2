"""Flow records: what a live flow's row tells when it ends, or in part while it goes on."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from collector.fastlane import tcp
from collector.identify.kernels import identify_by_port

# Indexes into END_REASONS.
IDLE, ACTIVE_END, END, FORCED, RESOURCES = 1, 2, 3, 4, 5
#: A flow that saw damaged packets only is reported all the same; a bit of a row's `closed`.
IS_DAMAGED: Final = 8


@njit(cache=True, nogil=True)
def write_part(row: Any, now_ns: int, out: Any, count: int) -> int:
    """Report what the flow did since its last record, and start the next one."""
    if row.packets + row.reply_packets == 0:
        return count
    count = write_record(row, now_ns, ACTIVE_END, out, count)
    row.part += 1
    row.packets = 0
    row.bytes = 0
    row.reply_packets = 0
    row.reply_bytes = 0
    return count


@njit(cache=True, nogil=True, forceinline=True)
def write_record(row: Any, now_ns: int, reason: int, out: Any, count: int) -> int:
    """Write one flow record; nothing where there is nothing (more) to tell."""
    if row.packets + row.reply_packets == 0 and not row.closed & IS_DAMAGED:
        return count
    app, confidence = np.int64(row.app), np.int64(row.app_confidence)
    if app == 0:
        app, confidence = identify_by_port(
            np.int64(row.protocol), np.int64(row.source_port), np.int64(row.destination_port)
        )
    flow = out[count]
    flow.first_ns = row.first_ns
    flow.last_ns = max(row.first_ns, row.last_ns)
    flow.reported_ns = now_ns
    flow.sensor = 0
    flow.vlan = row.vlan
    flow.family = row.family
    flow.protocol = row.protocol
    flow.source_high = row.source_high
    flow.source_low = row.source_low
    flow.destination_high = row.destination_high
    flow.destination_low = row.destination_low
    flow.source_port = row.source_port
    flow.destination_port = row.destination_port
    flow.source_mac = row.source_mac
    flow.destination_mac = row.destination_mac
    flow.packets = row.packets
    flow.bytes = row.bytes
    flow.reply_packets = row.reply_packets
    flow.reply_bytes = row.reply_bytes
    flow.flags = row.flags
    flow.reply_flags = row.reply_flags
    flow.state = tcp.connection_state(row)
    flow.ttl_min = row.ttl_min
    flow.ttl_max = row.ttl_max
    flow.reply_ttl_min = row.reply_ttl_min
    flow.reply_ttl_max = row.reply_ttl_max
    flow.syn_window = row.syn_window
    flow.syn_mss = row.syn_mss
    flow.syn_wscale = row.syn_wscale
    flow.syn_layout = row.syn_layout
    flow.app = app
    flow.app_confidence = confidence
    flow.sampling = 1
    flow.one_way = 0
    flow.end_reason = reason
    flow.part = row.part
    return count + 1
