"""Choose the packets that the sighting and deep lanes get to see, within budgets.

What is chosen depends on the packet's bytes, its ports and its place in the flow; how much, on a
budget per kind and second of event time, so that the same capture always yields the same picks.
"""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from collector.apps import APP_CODE
from collector.fastlane.units import LONGEST_UNIT, holds_unit, starts_http
from collector.fastlane.wire import Buffer, read16, read32
from collector.packet import Pick

# Bits of a flow row's `marks`.
IS_TLS, IS_DEEP, IS_TLS_OPEN, IS_TLS_HIDDEN = 1, 2, 4, 8
#: Segments of a request for a remote shell that may still come: two bits, a number up to three.
_BODY_LEFT, _ONE_OF_BODY = 48, 16

#: Rows of the budget table are Pick kinds; these are its columns.
LIMIT, USED, SHED = range(3)

_ARP, _DHCP, _DHCPV6, _ND = int(Pick.ARP), int(Pick.DHCP), int(Pick.DHCPV6), int(Pick.ND)
_DNS, _MDNS, _LLMNR, _NBNS = int(Pick.DNS), int(Pick.MDNS), int(Pick.LLMNR), int(Pick.NBNS)
_SSDP, _TLS, _HTTP, _SSH = int(Pick.SSDP), int(Pick.TLS), int(Pick.HTTP), int(Pick.SSH)
_RDP, _QUIC, _DEEP, _EXPORT = int(Pick.RDP), int(Pick.QUIC), int(Pick.DEEP), int(Pick.EXPORT)
_MARKED = int(Pick.MARKED)
_UNKNOWN, _HTTP_APP = APP_CODE["unknown"], APP_CODE["http"]

_DEEP_APPS = tuple(
    APP_CODE[name] for name in ("smb", "dcerpc", "kerberos", "ldap", "winrm", "dicom", "hl7")
)
_MINUTE_NS = 60_000_000_000
#: Payload packets of each direction in which a hello or a certificate may still come.
_HELLO_PACKETS = 4
#: Requests and answers picked of one HTTP connection.
_HTTP_MESSAGES = 16


@njit(cache=True, nogil=True, forceinline=True)
def choose_udp(buffer: Buffer, head: Any, row: Any, nth: int) -> int:
    """Pick of a UDP datagram with payload; `nth` counts the payloads of its direction from 1."""
    source, destination = np.int64(head.source_port), np.int64(head.destination_port)
    low, high = min(source, destination), max(source, destination)
    if source == 53 or destination == 53:
        return _DNS
    if source == 5353 or destination == 5353:
        return _MDNS
    if low == 67 or low == 68:
        return _DHCP
    if low == 546 or low == 547:
        return _DHCPV6
    if low == 137 or low == 138:  # 138: datagrams whose head names the sender's own address
        return _NBNS
    if source == 5355 or destination == 5355:
        return _LLMNR
    if source == 1900 or destination == 1900 or source == 3702 or destination == 3702:
        return _SSDP  # 3702: WS-Discovery, in the same group
    if (low == 88 or low == 389) and high >= 88:
        row.marks |= IS_DEEP
        return 0
    at, end = head.payload_at, head.payload_end
    if nth <= 3 and end - at >= 1000 and buffer[at] & 0xC0 == 0xC0:
        version = read32(buffer, at + 1)
        if (version == 1 and buffer[at] & 0x30 == 0) or (
            version == 0x6B3343CF and buffer[at] & 0x30 == 0x10
        ):
            return _QUIC
    if end - at >= 20 and is_export(buffer, at, end):
        return _EXPORT
    return 0


@njit(cache=True, nogil=True)
def is_export(buffer: Buffer, at: int, end: int) -> bool:
    """Is this NetFlow v5 or v9, IPFIX or sFlow v5, by what their headers must agree with?"""
    version, size = read16(buffer, at), end - at
    if version == 5:
        count = read16(buffer, at + 2)
        return 1 <= count <= 30 and size == 24 + 48 * count
    if version == 9:
        if size < 28:
            return False
        flow_set, length = read16(buffer, at + 20), read16(buffer, at + 22)
        is_known = flow_set <= 1 or flow_set >= 256
        count = read16(buffer, at + 2)
        return is_known and 4 <= length <= size - 20 and 1 <= count <= 400
    if version == 10:
        flow_set, length = read16(buffer, at + 16), read16(buffer, at + 18)
        is_known = flow_set == 2 or flow_set == 3 or flow_set >= 256
        return read16(buffer, at + 2) == size and is_known and 4 <= length <= size - 16
    if version == 0 and size >= 28 and read16(buffer, at + 2) == 5:
        family = read32(buffer, at + 4)
        samples = read32(buffer, at + (24 if family == 1 else 36)) if size >= 40 else 0
        return 1 <= family <= 2 and samples <= 1000
    return False


@njit(cache=True, nogil=True)
def choose_icmp(head: Any) -> int:
    kind = head.source_port
    if head.protocol == 58:
        # A question from no address is duplicate address detection: who takes an address.
        is_taking = kind == 135 and head.source_high == 0 and head.source_low == 0
        return _ND if kind == 134 or kind == 136 or kind == 137 or is_taking else 0
    return _ND if kind == 5 else 0


@njit(cache=True, nogil=True, forceinline=True)
def choose_tcp(buffer: Buffer, head: Any, row: Any, is_reply: bool, nth: int) -> int:
    """Pick of a TCP segment with payload; marks the flow where it turns out to be TLS or deep."""
    source, destination = np.int64(head.source_port), np.int64(head.destination_port)
    if source == 53 or destination == 53:
        return _DNS
    if nth <= _HELLO_PACKETS and not row.marks & IS_DEEP:
        by_app = row.app_confidence >= 80 and _is_deep_app(row.app)
        if by_app or _is_deep_port(source) or _is_deep_port(destination):
            row.marks |= IS_DEEP
    at, size = head.payload_at, head.payload_end - head.payload_at
    if size < 4:
        return 0
    word = read32(buffer, at)
    if row.marks & IS_TLS:
        if buffer[at] == 0x18 and buffer[at + 1] == 3 and size >= 8:  # a heartbeat (RFC 6520)
            return _MARKED
        return _TLS if _tells_tls(buffer, at, size, row, is_reply, nth) else 0
    if nth <= _HELLO_PACKETS:
        if word >> 8 in (0x160300, 0x160301, 0x160302, 0x160303) and size >= 6:
            if buffer[at + 5] == 1 or buffer[at + 5] == 2:
                row.marks |= IS_TLS
                if 5 + read16(buffer, at + 3) > size:
                    row.marks |= IS_TLS_OPEN
                return _TLS
        elif word == 0x5353482D and nth <= 2:  # SSH-
            return _SSH
        elif word >> 16 == 0x0300 and size >= 7 and _starts_rdp(buffer, at, size, nth):
            return _RDP
        elif not row.marks & IS_DEEP and _starts_deep(buffer, at, size, word):
            row.marks |= IS_DEEP
    if starts_http(word):
        row.marks &= ~np.uint8(_BODY_LEFT)
        if row.http_messages < _HTTP_MESSAGES:
            row.http_messages += 1
            if _asks_for_shell(buffer, at, size, word):
                row.marks |= _BODY_LEFT
            return _HTTP
    elif row.marks & _BODY_LEFT and not is_reply:
        row.marks -= _ONE_OF_BODY
        return _HTTP
    if row.marks & IS_DEEP:
        return _MARKED if size >= 20 and read32(buffer, at + 4) == 0xFC534D42 else 0
    if row.app == _HTTP_APP or (row.app == _UNKNOWN and nth <= _HELLO_PACKETS):
        return _MARKED if _is_marked(buffer, at, size, word, row.app == _UNKNOWN) else 0
    return 0


@njit(cache=True, nogil=True)
def _asks_for_shell(buffer: Buffer, at: int, size: int, word: int) -> bool:
    """A POST to /wsman or /PowerShell, whose body often follows in segments of its own."""
    if word != 0x504F5354 or size < 16:
        return False
    path = read32(buffer, at + 5) | 0x00202020  # in lower case
    return path == 0x2F77736D or path == 0x2F706F77


@njit(cache=True, nogil=True)
def _starts_rdp(buffer: Buffer, at: int, size: int, nth: int) -> bool:
    """X.224's request or confirm, or its data with MCS' Connect-Initial, which names channels."""
    if buffer[at + 5] == 0xE0 or buffer[at + 5] == 0xD0:
        return nth <= 2
    return size >= 12 and buffer[at + 5] == 0xF0 and read16(buffer, at + 7) == 0x7F65  # T.125 §7


@njit(cache=True, nogil=True)
def _is_marked(buffer: Buffer, at: int, size: int, word: int, is_raw: bool) -> bool:
    """Does this begin like a program or, on a connection of no known kind, a shell or code?"""
    if (word >> 16 == 0x4D5A or word == 0x7F454C46) and size >= 64:
        return True
    if not is_raw:
        return False
    if size >= 72:
        ahead = read32(buffer, at + 4)
        if ahead >> 16 == 0x4D5A or ahead == 0x7F454C46 or ahead >> 16 == 0xFCE8:
            return True
    if word >> 16 in (0xFCE8, 0x9090, 0xFC48, 0x0D0A, 0xD9EB, 0x7B22, 0x2321):  # … {" #!
        return True
    if word >> 8 & 0xFFFF == 0x3A5C or word == 0xF9BEB4D9:  # a drive, Bitcoin's magic
        return True
    return word in (  # Micr, uid=, Linu, PS C, bash, /bin, sh: , Wind, PS D
        0x4D696372, 0x7569643D, 0x4C696E75, 0x50532043, 0x62617368, 0x2F62696E, 0x73683A20,
        0x57696E64, 0x50532044,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _tells_tls(buffer: Buffer, at: int, size: int, row: Any, is_reply: bool, nth: int) -> bool:
    """Is there something to read in this segment of a TLS connection?

    The rest of a hello that one segment did not hold; the server's hello and certificate up to
    TLS 1.2. From TLS 1.3 on the certificate is encrypted, and the server's hello names nobody.
    """
    kind = buffer[at]
    if buffer[at + 1] == 3 and (kind == 0x14 or kind == 0x15 or kind == 0x17):
        return False
    if not is_reply:
        return nth <= 2 and row.marks & IS_TLS_OPEN != 0
    if row.marks & IS_TLS_HIDDEN or nth > _HELLO_PACKETS:
        return False
    if kind == 0x16 and size >= 6 and buffer[at + 5] == 2 and _chose_tls13(buffer, at, size):
        row.marks |= IS_TLS_HIDDEN
        return False
    return True


@njit(cache=True, nogil=True)
def _chose_tls13(buffer: Buffer, at: int, size: int) -> bool:
    """Does this ServerHello hold supported_versions with 0x0304 (RFC 8446 §4.2.1)?"""
    for place in range(at + 40, at + min(size, 200) - 6):
        is_versions = buffer[place] == 0 and buffer[place + 1] == 0x2B and buffer[place + 3] == 2
        if is_versions and read16(buffer, place + 4) == 0x0304:
            return True
    return False


@njit(cache=True, nogil=True)
def _is_deep_port(port: int) -> bool:
    return port in (445, 139, 135, 88, 389, 3268, 5985, 47001, 104, 11112)


@njit(cache=True, nogil=True)
def _is_deep_app(app: int) -> bool:
    for deep in _DEEP_APPS:  # noqa: SIM110 (numba knows no generators)
        if app == deep:
            return True
    return False


@njit(cache=True, nogil=True)
def _starts_deep(buffer: Buffer, at: int, size: int, word: int) -> bool:
    """DCERPC, SMB, DICOM association or HL7 by their first bytes, on any port."""
    if word >> 16 == 0x0500 or word >> 16 == 0x0501:  # DCERPC: a type, first and last fragment
        return size >= 16 and (word >> 8 & 0xFF) <= 20 and word & 0xFC == 0
    if size >= 8 and word >> 24 == 0 and read32(buffer, at + 4) & 0x00FFFFFF == 0x534D42:
        return buffer[at + 4] >= 0xFD
    if word >> 16 == 0x0100 and size >= 6:  # of some senders the head is a segment of its own
        is_asked = 68 <= read32(buffer, at + 2) < 0x100000
        return is_asked and (size == 6 or (size >= 10 and read16(buffer, at + 6) == 1))
    if word >> 16 == 0x0400 and size >= 12:  # DICOM data, of a connection older than the capture
        length, item = read32(buffer, at + 2), read32(buffer, at + 6)
        is_data = item >= 2 and item + 4 <= length < LONGEST_UNIT
        return is_data and buffer[at + 10] & 1 == 1 and buffer[at + 11] <= 3
    return word == 0x0B4D5348  # vertical tab, MSH


@njit(cache=True, nogil=True)
def take_deep(
    buffer: Buffer, head: Any, row: Any, is_reply: bool, bulk_bytes: int, flow_bytes: int
) -> int:
    """Does this payload packet of a deep flow go to dissection?

    1 yes, 0 no because it is inside bulk data, -1 no because the flow's budget of this minute is
    spent.
    """
    if row.protocol == 6 and not holds_unit(buffer, head, row, is_reply, bulk_bytes):
        return 0
    minute = np.uint32(head.time_ns // _MINUTE_NS)
    if minute != row.deep_minute:
        row.deep_minute = minute
        row.deep_bytes = 0
        row.reply_deep_bytes = 0
    used = row.reply_deep_bytes if is_reply else row.deep_bytes
    used = np.int64(used) + np.int64(head.frame_captured)
    if used > flow_bytes:
        return -1
    if is_reply:
        row.reply_deep_bytes = used
    else:
        row.deep_bytes = used
    return 1


@njit(cache=True, nogil=True, forceinline=True)
def write_pick(head: Any, kind: int, budget: Any, picks: Any, count: int) -> int:
    """Write the pick if its kind's budget allows; returns the new count."""
    if budget[kind, USED] >= budget[kind, LIMIT]:
        budget[kind, SHED] += 1
        return count
    budget[kind, USED] += 1
    pick = picks[count]
    pick.time_ns = head.time_ns
    pick.kind = kind
    pick.link_type = head.link_type
    pick.frame_offset = head.frame_at
    pick.frame_length = head.frame_captured
    pick.wire_length = head.frame_wire
    pick.payload_offset = head.payload_at
    pick.payload_length = max(0, head.payload_end - head.payload_at)
    pick.vlan = head.vlan
    pick.protocol = head.protocol
    pick.ttl = head.ttl
    pick.source_mac = head.source_mac
    pick.destination_mac = head.destination_mac
    pick.source_high = head.source_high
    pick.source_low = head.source_low
    pick.destination_high = head.destination_high
    pick.destination_low = head.destination_low
    pick.source_port = head.source_port
    pick.destination_port = head.destination_port
    return count + 1
