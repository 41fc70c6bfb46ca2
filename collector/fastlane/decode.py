"""Read one frame's headers, from the link layer to the payload, through tunnels.

One loop, one step per header. Every read is guarded by `end`, the end of what was captured; lengths
that headers claim are compared with what the frame had on the wire.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane import layout
from collector.fastlane.fragments import Fragments, is_pending, settle_first
from collector.fastlane.internet import read_ip
from collector.fastlane.link import (
    read_llc,
    read_mpls,
    read_ppp,
    read_subframe,
    read_type,
    read_wifi,
    start_frame,
)
from collector.fastlane.steps import ETHERNET, IP, LLC, MAX_STEPS, MPLS, PPP, STOP, TYPE
from collector.fastlane.wire import Buffer, read16, read32, read64

_S16 = np.uint64(16)


@njit(cache=True, nogil=True, forceinline=True)
def decode_frame(
    buffer: Buffer,
    packet: Any,
    rows: Any,
    count: int,
    fragments: Fragments,
    malformed: Any,
    options: int,
    seed: Any,
) -> int:
    """Write the header rows of one packet from rows[count] on; returns the new count.

    rows has room for MAX_LAYERS more. `packet` is an INDEX_DTYPE row, `malformed` (int64, one cell
    per kind of layout.MALFORMED) counts, `options` are bits of collector.fastlane.steps.
    """
    count = _read_layers(buffer, packet, rows, count, fragments, malformed, options, seed)
    if is_pending(fragments):
        settle_first(fragments, rows, count)
    return count


@njit(cache=True, nogil=True, forceinline=True)
def _read_layers(
    buffer: Buffer,
    packet: Any,
    rows: Any,
    count: int,
    fragments: Fragments,
    malformed: Any,
    options: int,
    seed: Any,
) -> int:
    first = count
    at = packet.offset
    end = at + np.int64(packet.captured)
    wire_end = at + np.int64(packet.wire)
    frame = rows[count]
    frame.time_ns = packet.time_ns
    frame.frame_at = at
    frame.frame_captured = packet.captured
    frame.frame_wire = packet.wire
    frame.link_type = np.uint16(packet.link_type & 0xFFFF)
    frame.source_mac = 0
    frame.destination_mac = 0
    frame.vlan = 0
    frames_at, frames_end = np.int64(0), np.int64(0)  # frames that follow in an A-MSDU
    step, at, ether_type = start_frame(
        buffer, at, end, np.int64(packet.link_type), frame, malformed
    )
    for _ in range(MAX_STEPS):
        if step == TYPE and (ether_type == 0x0800 or ether_type == 0x86DD):
            step = IP
        if step == IP:
            step, at, ether_type, end, wire_end, written = read_ip(
                buffer, at, end, wire_end, rows, count, fragments, malformed, options, seed,
                layout.MAX_LAYERS - (count - first),
            )  # fmt: skip
            count += written
            if written and (step != STOP or frames_at < frames_end):
                if count - first == layout.MAX_LAYERS:
                    malformed[layout.NESTED_TOO_DEEP] += 1
                    return count
                _inherit(rows[count - 1], rows[count])
        elif step == TYPE:
            step, at, ether_type = read_type(buffer, at, end, ether_type, rows[count], malformed)
            if rows[count].pick != 0:
                return count + 1
        elif step == ETHERNET:
            if at + 14 > end:
                malformed[layout.FRAME_SHORT] += 1
                return count
            row = rows[count]
            row.destination_mac = read64(buffer, at) >> _S16 if at + 8 <= end else np.uint64(0)
            row.source_mac = np.uint64(read16(buffer, at + 6) << 32 | read32(buffer, at + 8))
            ether_type = read16(buffer, at + 12)
            at += 14
            step = TYPE if ether_type >= 1536 else LLC
        elif step == LLC:
            step, at, ether_type = read_llc(buffer, at, end, rows[count])
            if rows[count].pick != 0:
                return count + 1
        elif step == PPP:
            step, at, ether_type = read_ppp(buffer, at, end)
        elif step == MPLS:
            step, at = read_mpls(buffer, at, end, malformed)
        elif step != STOP:
            step, at, is_several = read_wifi(buffer, at, end, rows[count])
            if is_several:
                frames_at, frames_end, step = at, end, STOP
        if step == STOP:
            if frames_at >= frames_end:
                return count
            step, at, frames_at = read_subframe(buffer, frames_at, frames_end, rows[count])
            end, wire_end = min(frames_end, frames_at), frames_at
            if step == STOP:
                return count
    malformed[layout.NESTED_TOO_DEEP] += 1
    return count


@njit(cache=True, nogil=True, forceinline=True)
def _inherit(outer: Any, inner: Any) -> None:
    """Give the next layer's row what belongs to the whole frame."""
    inner.time_ns = outer.time_ns
    inner.frame_at = outer.frame_at
    inner.frame_captured = outer.frame_captured
    inner.frame_wire = outer.frame_wire
    inner.link_type = outer.link_type
    inner.source_mac = outer.source_mac
    inner.destination_mac = outer.destination_mac
    inner.vlan = outer.vlan
    inner.pick = 0
