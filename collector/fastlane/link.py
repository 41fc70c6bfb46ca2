"""Headers below IP: the link layer, tags, PPP, MPLS, 802.11; each tells what comes next."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane import layout
from collector.fastlane.steps import ETHERNET, IP, LLC, MPLS, PPP, STOP, TYPE, WIFI
from collector.fastlane.wire import Buffer, read8, read16, read32, read64
from collector.packet import Pick

_ARP, _LLDP, _CDP = int(Pick.ARP), int(Pick.LLDP), int(Pick.CDP)
_S16 = np.uint64(16)


@njit(cache=True, nogil=True, forceinline=True)
def start_frame(
    buffer: Buffer, at: int, end: int, link_type: int, row: Any, malformed: Any
) -> tuple[int, int, int]:
    """First step, offset and EtherType of a frame, by its LINKTYPE."""
    row.pick = 0
    if link_type == 1:
        return ETHERNET, at, 0
    if link_type == 101 or link_type == 12 or link_type == 14:
        return IP, at, 0
    if link_type == 228 or link_type == 229:
        return IP, at, 0
    if link_type == 0 or link_type == 108:
        return IP, at + 4, 0
    if link_type == 113 and at + 16 <= end:
        if read16(buffer, at + 4) == 6:
            row.source_mac = read64(buffer, at + 6) >> _S16
        ether_type = read16(buffer, at + 14)
        return (TYPE if ether_type >= 1536 else LLC), at + 16, ether_type
    if link_type == 276 and at + 20 <= end:
        if buffer[at + 11] == 6:
            row.source_mac = read64(buffer, at + 12) >> _S16
        ether_type = read16(buffer, at)
        return (TYPE if ether_type >= 1536 else LLC), at + 20, ether_type
    if link_type == 9 or link_type == 50:
        return PPP, at, 0
    if link_type == 104 and at + 4 <= end:
        if buffer[at] == 0xFF:
            return PPP, at, 0
        return TYPE, at + 4, read16(buffer, at + 2)
    if link_type == 105:
        return WIFI, at, 0
    if link_type == 127 and at + 4 <= end:
        return WIFI, at + (read8(buffer, at + 2) | read8(buffer, at + 3) << 8), 0
    if link_type in (113, 276, 104, 127):
        malformed[layout.FRAME_SHORT] += 1
    else:
        malformed[layout.LINK_UNKNOWN] += 1
    return STOP, at, 0


@njit(cache=True, nogil=True)
def read_type(
    buffer: Buffer, at: int, end: int, ether_type: int, row: Any, malformed: Any
) -> tuple[int, int, int]:
    """One step from an EtherType that is not IP."""
    if ether_type in (0x8100, 0x88A8, 0x9100, 0x9200):
        if at + 4 > end:
            malformed[layout.FRAME_SHORT] += 1
            return STOP, at, 0
        row.vlan = read16(buffer, at) & 0xFFF
        ether_type = read16(buffer, at + 2)
        return (TYPE if ether_type >= 1536 else LLC), at + 4, ether_type
    if ether_type == 0x0806:
        _note_frame(row, _ARP, at, end)
        return STOP, at, 0
    if ether_type == 0x88CC:
        _note_frame(row, _LLDP, at, end)
        return STOP, at, 0
    if ether_type == 0x8847 or ether_type == 0x8848:
        return MPLS, at, 0
    if ether_type == 0x8864:  # PPPoE session: 6 bytes, then PPP without address and control
        return PPP, at + 6, 0
    return _read_fabric(buffer, at, end, ether_type)


@njit(cache=True, nogil=True)
def _read_fabric(buffer: Buffer, at: int, end: int, ether_type: int) -> tuple[int, int, int]:
    """Tags and envelopes of switching fabrics."""
    if ether_type == 0x6558:  # transparent Ethernet bridging
        return ETHERNET, at, 0
    if ether_type == 0x88E7:  # provider backbone: 4 bytes, then the customer's frame
        return ETHERNET, at + 4, 0
    if ether_type == 0x8903:  # Cisco FabricPath: tree and hops, then the host's frame
        return ETHERNET, at + 2, 0
    if at + 8 > end:
        return STOP, at, 0
    if ether_type == 0x8909:  # Cisco MetaData: version, length, option, security group
        return TYPE, at + 8, read16(buffer, at + 6)
    if ether_type == 0x8926 or ether_type == 0x892F:  # VN-Tag; HSR's ring tag
        return TYPE, at + 6, read16(buffer, at + 4)
    if ether_type == 0x22F3:  # TRILL (RFC 6325 §3): 6 bytes and options
        return ETHERNET, at + 6 + (read16(buffer, at) >> 6 & 31) * 4, 0
    if ether_type == 0x894F:
        return read_service_header(buffer, at)
    return STOP, at, 0


@njit(cache=True, nogil=True)
def read_service_header(buffer: Buffer, at: int) -> tuple[int, int, int]:
    """Network Service Header (RFC 8300 §2.2); the caller made sure of its 8 bytes."""
    kind = buffer[at + 3]
    at += (read16(buffer, at) & 63) * 4
    if kind == 1 or kind == 2:
        return IP, at, 0
    if kind == 3:
        return ETHERNET, at, 0
    if kind == 5:
        return MPLS, at, 0
    return STOP, at, 0


@njit(cache=True, nogil=True)
def _note_frame(row: Any, pick: int, at: int, end: int) -> None:
    """Turn the row into one of a frame without IP that the sighting lane wants."""
    row.pick = pick
    row.family = 0
    row.protocol = 0
    row.source_high = 0
    row.source_low = 0
    row.destination_high = 0
    row.destination_low = 0
    row.source_port = 0
    row.destination_port = 0
    row.ttl = 0
    row.payload_at = at
    row.payload_end = max(at, end)


@njit(cache=True, nogil=True)
def read_llc(buffer: Buffer, at: int, end: int, row: Any) -> tuple[int, int, int]:
    if at + 8 > end or read16(buffer, at) != 0xAAAA:
        return STOP, at, 0
    organisation = read32(buffer, at + 2) & 0xFFFFFF
    kind = read16(buffer, at + 6)
    if organisation == 0x00000C and kind == 0x2000:
        _note_frame(row, _CDP, at + 8, end)
        return STOP, at, 0
    if organisation == 0 or organisation == 0x0000F8:
        return TYPE, at + 8, kind
    return STOP, at, 0


@njit(cache=True, nogil=True)
def read_ppp(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    if at + 4 <= end and read16(buffer, at) == 0xFF03:
        at += 2
    if at + 2 > end:
        return STOP, at, 0
    protocol = read8(buffer, at)
    if protocol & 1:  # compressed to one byte
        at += 1
    else:
        protocol = read16(buffer, at)
        at += 2
    if protocol == 0x21 or protocol == 0x57:
        return IP, at, 0
    if protocol == 0x281:
        return MPLS, at, 0
    return STOP, at, 0


@njit(cache=True, nogil=True)
def read_mpls(buffer: Buffer, at: int, end: int, malformed: Any) -> tuple[int, int]:
    for _ in range(16):
        if at + 5 > end:
            malformed[layout.FRAME_SHORT] += 1
            return STOP, at
        is_bottom = buffer[at + 2] & 1
        at += 4
        if is_bottom:
            nibble = buffer[at] >> 4
            if nibble == 4 or nibble == 6:
                return IP, at
            if nibble == 0:  # pseudo-wire control word
                return ETHERNET, at + 4
            return ETHERNET, at
    malformed[layout.NESTED_TOO_DEEP] += 1
    return STOP, at


@njit(cache=True, nogil=True)
def read_wifi(buffer: Buffer, at: int, end: int, row: Any) -> tuple[int, int, bool]:
    """An 802.11 data frame in clear text; everything else has no IP for us.

    The third result tells whether several frames stand in it (A-MSDU, IEEE 802.11 §9.3.2.2).
    """
    if at + 24 > end:
        return STOP, at, False
    control, flags = read8(buffer, at), read8(buffer, at + 1)
    if control & 0x0C != 0x08 or control & 0x40 or flags & 0x40:
        return STOP, at, False
    to_station, from_station = flags & 2, flags & 1
    row.source_mac = read64(buffer, at + (16 if to_station else 10)) >> _S16
    row.destination_mac = read64(buffer, at + (16 if from_station else 4)) >> _S16
    length = 24 + (6 if to_station and from_station else 0) + (2 if control & 0x80 else 0)
    is_several = False
    if control & 0x80 and at + length <= end:
        is_several = buffer[at + length - 2] & 0x80 != 0
    if flags & 0x80 and control & 0x80:
        length += 4
    return (TYPE if is_several else LLC), at + length, is_several


@njit(cache=True, nogil=True)
def read_subframe(buffer: Buffer, at: int, end: int, row: Any) -> tuple[int, int, int]:
    """Next frame of an A-MSDU: (step, offset of its LLC header, offset of the frame behind it)."""
    if at + 22 > end:
        return STOP, at, end
    row.destination_mac = read64(buffer, at) >> _S16
    row.source_mac = read64(buffer, at + 6) >> _S16
    length = 14 + read16(buffer, at + 12)
    return LLC, at + 14, at + length + (-length & 3)
