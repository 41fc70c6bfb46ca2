"""Read one frame's headers, from the link layer to the payload, through tunnels.

Longer than most files because the layers call one another: one loop, one step per header.
Every read is guarded by `end`, the end of what was captured; lengths that headers claim are
compared with what the frame had on the wire.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.fastlane import layout
from collector.fastlane.wire import Buffer, read8, read16, read32, read64
from collector.packet import Pick

# Steps of the loop.
_STOP, _ETHERNET, _TYPE, _LLC, _IP, _PPP, _MPLS, _WIFI = range(8)
#: Headers below the transport layer that are believed in one frame.
_MAX_STEPS = 24

_ARP, _LLDP, _CDP = int(Pick.ARP), int(Pick.LLDP), int(Pick.CDP)
_V4_MAPPED = np.uint64(0xFFFF_0000_0000)
_MIX_1, _MIX_2, _MIX_3 = (
    np.uint64(0x9E37_79B9_7F4A_7C15),
    np.uint64(0xBF58_476D_1CE4_E5B9),
    np.uint64(0x94D0_49BB_1331_11EB),
)
_S27, _S30, _S31, _S16 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(16)


@njit(cache=True, nogil=True, forceinline=True)
def _mix(value: Any) -> Any:
    """Spread 64 bits (the finaliser of SplitMix64)."""
    value = (value ^ (value >> _S30)) * _MIX_2
    value = (value ^ (value >> _S27)) * _MIX_3
    return value ^ (value >> _S31)


@njit(cache=True, nogil=True, forceinline=True)
def hash_pair(row: Any, seed: Any) -> Any:
    """Hash of a header row's two ends and protocol, the same for both directions."""
    one = _mix(row.source_low * _MIX_1 + row.source_high + (np.uint64(row.source_port) << _S16))
    two = _mix(
        row.destination_low * _MIX_1
        + row.destination_high
        + (np.uint64(row.destination_port) << _S16)
    )
    return _mix(one + two + np.uint64(row.protocol) * _MIX_1 + seed)


@njit(cache=True, nogil=True, forceinline=True)
def decode_frame(
    buffer: Buffer,
    packet: Any,
    rows: Any,
    count: int,
    fragments: Any,
    malformed: Any,
    keep_outer: bool,
    seed: Any,
) -> int:
    """Write the header rows of one packet from rows[count] on; returns the new count.

    rows has room for MAX_LAYERS more. `packet` is an INDEX_DTYPE row, `malformed` (int64, one cell
    per kind of layout.MALFORMED) counts.
    """
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
    step, at, ether_type = _start(buffer, at, end, np.int64(packet.link_type), frame, malformed)
    for _ in range(_MAX_STEPS):
        if step == _STOP:
            return count
        if step == _TYPE and (ether_type == 0x0800 or ether_type == 0x86DD):
            step = _IP
        if step == _IP:
            step, at, ether_type, end, wire_end, written = _read_ip(
                buffer, at, end, wire_end, rows, count, fragments, malformed, keep_outer, seed
            )
            if written and step != _STOP:
                if count - first == layout.MAX_LAYERS - 1:
                    malformed[layout.NESTED_TOO_DEEP] += 1
                    return count + 1
                _inherit(rows[count], rows[count + 1])
            count += written
        elif step == _TYPE:
            step, at, ether_type = _read_type(buffer, at, end, ether_type, rows[count], malformed)
            if rows[count].pick != 0:
                return count + 1
        elif step == _ETHERNET:
            if at + 14 > end:
                malformed[layout.FRAME_SHORT] += 1
                return count
            row = rows[count]
            row.destination_mac = read64(buffer, at) >> _S16 if at + 8 <= end else np.uint64(0)
            row.source_mac = np.uint64(read16(buffer, at + 6) << 32 | read32(buffer, at + 8))
            ether_type = read16(buffer, at + 12)
            at += 14
            step = _TYPE if ether_type >= 1536 else _LLC
        elif step == _LLC:
            step, at, ether_type = _read_llc(buffer, at, end, rows[count])
            if rows[count].pick != 0:
                return count + 1
        elif step == _PPP:
            step, at, ether_type = _read_ppp(buffer, at, end)
        elif step == _MPLS:
            step, at = _read_mpls(buffer, at, end, malformed)
        else:
            step, at = _read_wifi(buffer, at, end, rows[count])
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


@njit(cache=True, nogil=True, forceinline=True)
def _start(
    buffer: Buffer, at: int, end: int, link_type: int, row: Any, malformed: Any
) -> tuple[int, int, int]:
    """First step, offset and EtherType of a frame, by its LINKTYPE."""
    row.pick = 0
    if link_type == 1:
        return _ETHERNET, at, 0
    if link_type == 101 or link_type == 12 or link_type == 14:
        return _IP, at, 0
    if link_type == 228 or link_type == 229:
        return _IP, at, 0
    if link_type == 0 or link_type == 108:
        return _IP, at + 4, 0
    if link_type == 113 and at + 16 <= end:
        if read16(buffer, at + 4) == 6:
            row.source_mac = read64(buffer, at + 6) >> _S16
        ether_type = read16(buffer, at + 14)
        return (_TYPE if ether_type >= 1536 else _LLC), at + 16, ether_type
    if link_type == 276 and at + 20 <= end:
        if buffer[at + 11] == 6:
            row.source_mac = read64(buffer, at + 12) >> _S16
        ether_type = read16(buffer, at)
        return (_TYPE if ether_type >= 1536 else _LLC), at + 20, ether_type
    if link_type == 9 or link_type == 50:
        return _PPP, at, 0
    if link_type == 104 and at + 4 <= end:
        if buffer[at] == 0xFF:
            return _PPP, at, 0
        return _TYPE, at + 4, read16(buffer, at + 2)
    if link_type == 105:
        return _WIFI, at, 0
    if link_type == 127 and at + 4 <= end:
        return _WIFI, at + (read8(buffer, at + 2) | read8(buffer, at + 3) << 8), 0
    if link_type in (113, 276, 104, 127):
        malformed[layout.FRAME_SHORT] += 1
    else:
        malformed[layout.LINK_UNKNOWN] += 1
    return _STOP, at, 0


@njit(cache=True, nogil=True)
def _read_type(
    buffer: Buffer, at: int, end: int, ether_type: int, row: Any, malformed: Any
) -> tuple[int, int, int]:
    """One step from an EtherType that is not IP."""
    if ether_type in (0x8100, 0x88A8, 0x9100, 0x9200):
        if at + 4 > end:
            malformed[layout.FRAME_SHORT] += 1
            return _STOP, at, 0
        row.vlan = read16(buffer, at) & 0xFFF
        ether_type = read16(buffer, at + 2)
        return (_TYPE if ether_type >= 1536 else _LLC), at + 4, ether_type
    if ether_type == 0x0806:
        _note_frame(row, _ARP, at, end)
        return _STOP, at, 0
    if ether_type == 0x88CC:
        _note_frame(row, _LLDP, at, end)
        return _STOP, at, 0
    if ether_type == 0x8847 or ether_type == 0x8848:
        return _MPLS, at, 0
    if ether_type == 0x8864:  # PPPoE session: 6 bytes, then PPP without address and control
        return _PPP, at + 6, 0
    if ether_type == 0x88E7:  # provider backbone: 4 bytes, then the customer's frame
        return _ETHERNET, at + 4, 0
    if ether_type == 0x6558:
        return _ETHERNET, at, 0
    if ether_type == 0x8926 and at + 6 <= end:  # VN-Tag
        return _TYPE, at + 6, read16(buffer, at + 4)
    return _STOP, at, 0


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
def _read_llc(buffer: Buffer, at: int, end: int, row: Any) -> tuple[int, int, int]:
    if at + 8 > end or read16(buffer, at) != 0xAAAA:
        return _STOP, at, 0
    organisation = read32(buffer, at + 2) & 0xFFFFFF
    kind = read16(buffer, at + 6)
    if organisation == 0x00000C and kind == 0x2000:
        _note_frame(row, _CDP, at + 8, end)
        return _STOP, at, 0
    if organisation == 0 or organisation == 0x0000F8:
        return _TYPE, at + 8, kind
    return _STOP, at, 0


@njit(cache=True, nogil=True)
def _read_ppp(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    if at + 4 <= end and read16(buffer, at) == 0xFF03:
        at += 2
    if at + 2 > end:
        return _STOP, at, 0
    protocol = read8(buffer, at)
    if protocol & 1:  # compressed to one byte
        at += 1
    else:
        protocol = read16(buffer, at)
        at += 2
    if protocol == 0x21 or protocol == 0x57:
        return _IP, at, 0
    if protocol == 0x281:
        return _MPLS, at, 0
    return _STOP, at, 0


@njit(cache=True, nogil=True)
def _read_mpls(buffer: Buffer, at: int, end: int, malformed: Any) -> tuple[int, int]:
    for _ in range(16):
        if at + 5 > end:
            malformed[layout.FRAME_SHORT] += 1
            return _STOP, at
        is_bottom = buffer[at + 2] & 1
        at += 4
        if is_bottom:
            nibble = buffer[at] >> 4
            if nibble == 4 or nibble == 6:
                return _IP, at
            if nibble == 0:  # pseudo-wire control word
                return _ETHERNET, at + 4
            return _ETHERNET, at
    malformed[layout.NESTED_TOO_DEEP] += 1
    return _STOP, at


@njit(cache=True, nogil=True)
def _read_wifi(buffer: Buffer, at: int, end: int, row: Any) -> tuple[int, int]:
    """An 802.11 data frame in clear text; everything else has no IP for us."""
    if at + 24 > end:
        return _STOP, at
    control, flags = read8(buffer, at), read8(buffer, at + 1)
    if control & 0x0C != 0x08 or control & 0x40 or flags & 0x40:
        return _STOP, at
    to_station, from_station = flags & 2, flags & 1
    row.source_mac = read64(buffer, at + (16 if to_station else 10)) >> _S16
    row.destination_mac = read64(buffer, at + (16 if from_station else 4)) >> _S16
    length = 24 + (6 if to_station and from_station else 0) + (2 if control & 0x80 else 0)
    if flags & 0x80 and control & 0x80:
        length += 4
    return _LLC, at + length


@njit(cache=True, nogil=True, forceinline=True)
def _read_ip(
    buffer: Buffer,
    at: int,
    end: int,
    wire_end: int,
    rows: Any,
    count: int,
    fragments: Any,
    malformed: Any,
    keep_outer: bool,
    seed: Any,
) -> tuple[int, int, int, int, int, int]:
    """Read an IP header and what follows it.

    Returns (next step, offset, EtherType, end, wire_end, rows written: 0 or 1).
    """
    row = rows[count]
    row.pick = 0
    row.is_part = 0
    row.one_way = 0
    identity = np.int64(-1)
    has_more = False
    if at + 20 > end:
        malformed[layout.IP_SHORT] += 1
        return _STOP, at, 0, end, wire_end, 0
    version = buffer[at] >> 4
    if version == 4:
        header = (read8(buffer, at) & 15) * 4
        total = read16(buffer, at + 2)
        if total == 0:  # segmentation offload: the card writes the length after the capture
            total = wire_end - at
        if header < 20 or total < header:
            malformed[layout.IP_HEADER_BAD] += 1
            return _STOP, at, 0, end, wire_end, 0
        if at + header > end:
            malformed[layout.IP_SHORT] += 1
            return _STOP, at, 0, end, wire_end, 0
        row.family = 4
        row.source_high = 0
        row.source_low = _V4_MAPPED | np.uint64(read32(buffer, at + 12))
        row.destination_high = 0
        row.destination_low = _V4_MAPPED | np.uint64(read32(buffer, at + 16))
        row.ttl = buffer[at + 8]
        protocol = read8(buffer, at + 9)
        fragment = read16(buffer, at + 6)
        if fragment & 0x3FFF:
            identity = read16(buffer, at + 4)
            has_more = True
            row.is_part = 1 if fragment & 0x1FFF else 0
        next_at = at + header
    elif version == 6:
        if at + 40 > end:
            malformed[layout.IP_SHORT] += 1
            return _STOP, at, 0, end, wire_end, 0
        total = 40 + read16(buffer, at + 4)
        if total == 40 and buffer[at + 6] != 59:
            total = wire_end - at
        row.family = 6
        row.source_high = read64(buffer, at + 8)
        row.source_low = read64(buffer, at + 16)
        row.destination_high = read64(buffer, at + 24)
        row.destination_low = read64(buffer, at + 32)
        row.ttl = buffer[at + 7]
        protocol = read8(buffer, at + 6)
        next_at, protocol, identity, fragment = _skip_extensions(
            buffer, at + 40, min(end, at + total), protocol
        )
        if next_at < 0:
            malformed[layout.EXTENSION_BAD] += 1
            return _STOP, at, 0, end, wire_end, 0
        if identity >= 0:
            has_more = True
            row.is_part = 1 if fragment >> 3 else 0
    else:
        malformed[layout.IP_HEADER_BAD] += 1
        return _STOP, at, 0, end, wire_end, 0
    if total > wire_end - at:
        malformed[layout.IP_LENGTH_BAD] += 1
    wire_end = at + total
    end = min(end, wire_end)
    row.ip_bytes = total
    row.protocol = protocol
    row.flags = 0
    row.options = 0
    row.sequence = 0
    row.acknowledged = 0
    row.window = 0
    row.source_port = 0
    row.destination_port = 0
    row.transport_at = next_at
    row.payload_at = end
    row.payload_end = end
    row.payload_wire = 0
    if row.is_part:
        row.ip_bytes = total - (next_at - at)  # its datagram's header was counted already
        if not _find_fragment(row, identity, fragments):
            malformed[layout.FRAGMENT_ORPHAN] += 1
            return _STOP, at, 0, end, wire_end, 0
        row.hash = hash_pair(row, seed)
        return _STOP, at, 0, end, wire_end, 1
    if protocol == 4 or protocol == 41:
        if keep_outer:
            row.hash = hash_pair(row, seed)
        return _IP, next_at, 0, end, wire_end, (1 if keep_outer else 0)
    if protocol == 47:
        step, inner_at, ether_type = _read_gre(buffer, next_at, end)
        is_kept = keep_outer or step in (_STOP, _PPP)
        if is_kept:
            row.hash = hash_pair(row, seed)
        return step, inner_at, ether_type, end, wire_end, (1 if is_kept else 0)
    _read_transport(buffer, next_at, end, wire_end, row, malformed)
    row.hash = hash_pair(row, seed)
    if has_more:
        _keep_fragment(row, identity, fragments)
    if protocol == 17:
        step, inner_at, ether_type = _enter_udp(buffer, row)
        return step, inner_at, ether_type, end, wire_end, 1
    return _STOP, at, 0, end, wire_end, 1


@njit(cache=True, nogil=True)
def _skip_extensions(buffer: Buffer, at: int, end: int, protocol: int) -> tuple[int, int, int, int]:
    """Walk IPv6 extension headers.

    Returns (transport offset or -1, protocol, fragment id or -1, fragment offset and flags).
    """
    identity, fragment = np.int64(-1), np.int64(0)
    for _ in range(16):
        if protocol == 0 or protocol == 43 or protocol == 60 or protocol == 135:
            if at + 8 > end:
                return -1, protocol, identity, fragment
            protocol, length = read8(buffer, at), (read8(buffer, at + 1) + 1) * 8
            at += length
            if at > end:
                return -1, protocol, identity, fragment
        elif protocol == 44:
            if at + 8 > end:
                return -1, protocol, identity, fragment
            protocol, word = read8(buffer, at), read16(buffer, at + 2)
            if word & 0xFFF9:  # an atomic fragment is a whole packet
                identity, fragment = read32(buffer, at + 4), word
            at += 8
            if word >> 3:
                return at, protocol, identity, fragment
        else:
            return at, protocol, identity, fragment
    return -1, protocol, identity, fragment


@njit(cache=True, nogil=True, forceinline=True)
def _read_transport(
    buffer: Buffer, at: int, end: int, wire_end: int, row: Any, malformed: Any
) -> None:
    """Ports, flags and payload of TCP, UDP, SCTP and ICMP."""
    protocol = row.protocol
    if protocol == 6:
        header = 20
    elif protocol == 17 or protocol == 1 or protocol == 58:
        header = 8
    elif protocol == 132:
        header = 12
    else:
        row.payload_at = min(at, end)
        row.payload_wire = max(0, wire_end - at)
        return
    if at + header > end:
        malformed[layout.TRANSPORT_SHORT] += 1
    if at + 4 > end:
        return
    if protocol == 1 or protocol == 58:
        kind, code = read8(buffer, at), read8(buffer, at + 1)
        pair = icmp_counterpart(kind, protocol == 58)
        row.source_port = kind
        row.destination_port = code if pair < 0 else pair
        row.one_way = 1 if pair < 0 else 0
    else:
        row.source_port = read16(buffer, at)
        row.destination_port = read16(buffer, at + 2)
    if at + header > end:
        return
    if protocol == 6:
        row.sequence = read32(buffer, at + 4)
        row.acknowledged = read32(buffer, at + 8)
        row.flags = buffer[at + 13]
        row.window = read16(buffer, at + 14)
        header = (read8(buffer, at + 12) >> 4) * 4
        if header < 20 or at + header > wire_end:
            malformed[layout.TCP_HEADER_BAD] += 1
            return
        row.options = max(0, min(end, at + header) - (at + 20))
    elif protocol == 17:
        length = read16(buffer, at + 4)
        if length >= 8:
            wire_end = min(wire_end, at + length)
            end = min(end, wire_end)
    row.payload_at = min(at + header, end)
    row.payload_end = end
    row.payload_wire = max(0, wire_end - (at + header))


@njit(cache=True, nogil=True)
def icmp_counterpart(kind: int, is_v6: bool) -> int:
    """The message type that answers (or asks for) this one; -1 if it stands alone."""
    if is_v6:
        if kind == 128 or kind == 129:
            return 257 - kind
        if kind == 133 or kind == 134:
            return 267 - kind
        if kind == 135 or kind == 136:
            return 271 - kind
        if kind == 130 or kind == 131:
            return 261 - kind
        if kind == 139 or kind == 140:
            return 279 - kind
        if kind == 144 or kind == 145:
            return 289 - kind
        return -1
    if kind == 8 or kind == 0:
        return 8 - kind
    if kind == 13 or kind == 14:
        return 27 - kind
    if kind == 15 or kind == 16:
        return 31 - kind
    if kind == 17 or kind == 18:
        return 35 - kind
    if kind == 9 or kind == 10:
        return 19 - kind
    return -1


@njit(cache=True, nogil=True)
def _read_gre(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    """Step into GRE (RFC 2784, 2890, 2637) and ERSPAN; _STOP where its inside is not ours."""
    if at + 4 > end:
        return _STOP, at, 0
    flags, kind = read16(buffer, at), read16(buffer, at + 2)
    at += 4
    if flags & 0x4000 or flags & 7 > 1:  # source routing was never used
        return _STOP, at, 0
    at += 4 if flags & 0x8000 else 0
    at += 4 if flags & 0x2000 else 0
    at += 4 if flags & 0x1000 else 0
    if flags & 7 == 1:
        at += 4 if flags & 0x80 else 0
        return (_PPP if kind == 0x880B else _STOP), at, 0
    if kind == 0x88BE:
        return _ETHERNET, at + (8 if flags & 0x1000 else 0), 0
    if kind == 0x22EB:
        if at + 12 > end:
            return _STOP, at, 0
        return _ETHERNET, at + (20 if buffer[at + 11] & 1 else 12), 0
    if kind in (0x0800, 0x86DD, 0x6558, 0x8847, 0x8848, 0x8100, 0x88A8):
        return _TYPE, at, kind
    return _STOP, at, 0


@njit(cache=True, nogil=True)
def _enter_udp(buffer: Buffer, row: Any) -> tuple[int, int, int]:
    """Step into VXLAN, GENEVE, GTP-U, AYIYA and Teredo, by port and by the header's fixed bits."""
    at, end = row.payload_at, row.payload_end
    source, destination = row.source_port, row.destination_port
    if at + 8 > end:
        return _STOP, at, 0
    if destination == 4789 or destination == 8472:
        if buffer[at] & 0x08 and read32(buffer, at) & 0x00FFFFFF == 0:
            return _ETHERNET, at + 8, 0
    elif destination == 6081:
        if buffer[at] & 0xC0 == 0:
            kind = read16(buffer, at + 2)
            at += 8 + (read8(buffer, at) & 0x3F) * 4
            if kind in (0x0800, 0x86DD, 0x6558):
                return _TYPE, at, kind
    elif destination == 5072:
        return _enter_ayiya(buffer, at, end)
    elif destination == 2152 or source == 2152:
        return _enter_gtp(buffer, at, end)
    elif (
        (destination == 3544 or source == 3544)
        and at + 40 <= end
        and buffer[at] >> 4 == 6
        and read16(buffer, at + 4) + 40 == row.payload_wire
    ):
        return _IP, at, 0
    return _STOP, at, 0


@njit(cache=True, nogil=True)
def _enter_ayiya(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    """Anything in Anything (an IPv6 broker's tunnel): identity and signature, then the packet."""
    identity, signature = read8(buffer, at) >> 4, read8(buffer, at + 1) >> 4
    is_forward, kind = buffer[at + 2] & 15 == 1, buffer[at + 3]
    at += 8 + (1 << identity) + signature * 4
    if is_forward and (kind == 41 or kind == 4) and at < end:
        return _IP, at, 0
    return _STOP, at, 0


@njit(cache=True, nogil=True)
def _enter_gtp(buffer: Buffer, at: int, end: int) -> tuple[int, int, int]:
    flags = read8(buffer, at)
    if flags & 0xF0 != 0x30 or buffer[at + 1] != 0xFF:
        return _STOP, at, 0
    at += 8
    if flags & 0x07:
        at += 4
        if at > end:
            return _STOP, at, 0
        following = read8(buffer, at - 1) if flags & 0x04 else 0
        for _ in range(8):
            if following == 0:
                break
            if at >= end:
                return _STOP, at, 0
            at += max(1, read8(buffer, at)) * 4
            if at > end:
                return _STOP, at, 0
            following = read8(buffer, at - 1)
    if at < end and (buffer[at] >> 4 == 4 or buffer[at] >> 4 == 6):
        return _IP, at, 0
    return _STOP, at, 0


@njit(cache=True, nogil=True)
def _fragment_key(row: Any, identity: int) -> Any:
    return _mix(
        _mix(row.source_low + row.source_high * _MIX_2)
        + row.destination_low * _MIX_3
        + row.destination_high
        + (np.uint64(identity) << np.uint64(8) | np.uint64(row.protocol)) * _MIX_1
    )


@njit(cache=True, nogil=True)
def _keep_fragment(row: Any, identity: int, fragments: Any) -> None:
    key = _fragment_key(row, identity)
    slot = fragments[np.int64(key % np.uint64(len(fragments)))]
    slot.key = key
    slot.check = row.source_low ^ row.destination_low
    slot.time_ns = row.time_ns
    slot.source_port = row.source_port
    slot.destination_port = row.destination_port
    slot.one_way = row.one_way


@njit(cache=True, nogil=True)
def _find_fragment(row: Any, identity: int, fragments: Any) -> bool:
    key = _fragment_key(row, identity)
    slot = fragments[np.int64(key % np.uint64(len(fragments)))]
    if slot.key != key or slot.check != row.source_low ^ row.destination_low:
        return False
    if abs(row.time_ns - slot.time_ns) > 60_000_000_000:  # RFC 791: reassembly within a minute
        return False
    row.source_port = slot.source_port
    row.destination_port = slot.destination_port
    row.one_way = slot.one_way
    return True
