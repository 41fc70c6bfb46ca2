"""Columns that the fast lane's kernels share: a packet's headers, a live flow, the counters."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import FLOW_DTYPE
from collector.packet import PICK_DTYPE

#: What one decoded layer of a packet says; a tunnelled packet yields one row per IP flow.
HEADER_DTYPE: Final = np.dtype(
    [
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("hash", "u8"),  # the same for both directions
        ("time_ns", "i8"),
        ("ip_bytes", "i8"),  # IP length that the header claims
        ("payload_at", "i8"),  # captured payload is buffer[payload_at:payload_end]
        ("payload_end", "i8"),
        ("payload_wire", "i8"),  # payload bytes on the wire
        ("transport_at", "i8"),
        ("frame_at", "i8"),
        ("source_mac", "u8"),
        ("destination_mac", "u8"),
        ("frame_captured", "u4"),
        ("frame_wire", "u4"),
        ("sequence", "u4"),
        ("acknowledged", "u4"),
        ("link_type", "u2"),
        ("source_port", "u2"),
        ("destination_port", "u2"),
        ("window", "u2"),
        ("vlan", "u2"),
        ("family", "u1"),  # 4, 6, or 0 where the frame has no IP
        ("protocol", "u1"),
        ("flags", "u1"),  # TCP
        ("ttl", "u1"),
        ("one_way", "u1"),  # ICMP that is no request or reply: never paired
        ("is_part", "u1"),  # told by a later fragment: no flags or payload of its own
        ("counts", "u1"),  # 0 where the packet is not counted: damaged, or a fragment is missing
        ("options", "u1"),  # bytes of TCP options that were captured
        ("pick", "u1"),  # Pick of a frame without IP
    ],
    align=True,
)

#: Rows that one packet can yield at most: nested tunnels, outermost first.
MAX_LAYERS: Final = 4

#: One live flow; the first two cache lines hold all that an ordinary packet touches.
FLOW_ROW_DTYPE: Final = np.dtype(
    [
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("last_ns", "i8"),
        ("first_ns", "i8"),
        ("source_port", "u2"),
        ("destination_port", "u2"),
        ("protocol", "u1"),
        ("one_way", "u1"),
        ("source_state", "u1"),
        ("destination_state", "u1"),
        ("flags", "u1"),
        ("reply_flags", "u1"),
        ("ttl_min", "u1"),
        ("ttl_max", "u1"),
        ("reply_ttl_min", "u1"),
        ("reply_ttl_max", "u1"),
        ("closed", "u1"),  # bit 0 originator, bit 1 responder, bit 2 all of it
        ("has_payload", "u1"),
        # second line
        ("packets", "u8"),
        ("bytes", "u8"),
        ("reply_packets", "u8"),
        ("reply_bytes", "u8"),
        ("start_ns", "i8"),  # of the connection; first_ns is of this record
        ("closed_ns", "i8"),
        ("app", "u2"),
        ("app_confidence", "u1"),
        ("tries", "u1"),  # payload packets looked at, originator's
        ("reply_tries", "u1"),
        ("marks", "u1"),  # what the selection knows of the flow
        ("source_before", "u1"),  # state before the last
        ("destination_before", "u1"),
        ("source_sequence", "u4"),  # of the SYN
        ("destination_sequence", "u4"),
        # third line
        ("source_mac", "u8"),
        ("destination_mac", "u8"),
        ("skip_to", "u4"),  # originator's bulk data ends at this sequence number
        ("reply_skip_to", "u4"),
        ("deep_bytes", "u4"),
        ("reply_deep_bytes", "u4"),
        ("part", "u4"),
        ("syn_layout", "u4"),
        ("syn_window", "u2"),
        ("syn_mss", "u2"),
        ("vlan", "u2"),
        ("syn_wscale", "u1"),
        ("family", "u1"),
        ("http_messages", "u1"),
        ("skips", "u1"),  # bit 0 originator, bit 1 responder: skip_to holds
        ("end_reason", "u1"),
        ("is_live", "u1"),
        ("deep_minute", "u4"),  # of event time, to which the deep bytes belong
        ("unused", "u4"),  # fills the third line, so that every row starts on one
    ],
    align=True,
)

#: FLOW_DTYPE with the same bytes, but addresses as two columns each, as kernels write them.
OUTPUT_DTYPE: Final = np.dtype(
    [
        field
        for name in FLOW_DTYPE.names or ()
        for field in (
            [(f"{name}_high", "u8"), (f"{name}_low", "u8")]
            if name in ("source", "destination")
            else [(name, FLOW_DTYPE[name].str)]
        )
    ]
)

#: PICK_DTYPE in the same way.
PICK_ROW_DTYPE: Final = np.dtype(
    [
        field
        for name in PICK_DTYPE.names or ()
        for field in (
            [(f"{name}_high", "u8"), (f"{name}_low", "u8")]
            if name in ("source", "destination")
            else [(name, PICK_DTYPE[name].str)]
        )
    ]
)

#: Cells of the counters.
COUNTERS: Final = (
    "packets",
    "wire_bytes",
    "not_ip",
    "flows",
    "evicted",
    "bulk_bytes_skipped",
    "layers",
)
PACKETS, WIRE_BYTES, NOT_IP, FLOWS, EVICTED, BULK_SKIPPED, LAYERS = range(len(COUNTERS))

#: Kinds of malformed packet; the decoder counts by index.
MALFORMED: Final = (
    "frame_short",  # cut before the network header
    "link_type_unknown",
    "ip_short",  # cut inside the IP header
    "ip_header_bad",  # version or header length that cannot be
    "ip_length_bad",  # longer than the frame was on the wire
    "transport_short",  # cut inside the TCP, UDP or ICMP header
    "tcp_header_bad",
    "extension_bad",  # IPv6 extension headers that do not end
    "fragment_incomplete",  # a datagram of which a fragment was not seen
    "nested_too_deep",
    "checksum_bad",  # told where the settings say that checksums matter
)
(
    FRAME_SHORT,
    LINK_UNKNOWN,
    IP_SHORT,
    IP_HEADER_BAD,
    IP_LENGTH_BAD,
    TRANSPORT_SHORT,
    TCP_HEADER_BAD,
    EXTENSION_BAD,
    FRAGMENT_INCOMPLETE,
    NESTED_TOO_DEEP,
    CHECKSUM_BAD,
) = range(len(MALFORMED))


def zeros_aligned(count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeroed rows whose first starts on a cache line."""
    room = np.zeros(count * dtype.itemsize + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + count * dtype.itemsize].view(dtype)
