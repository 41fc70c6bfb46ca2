"""Remote control: RDP, VNC, SSH, Telnet and the remote-maintenance tools that show their bytes."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from numba import njit

from collector.apps import APP_CODE
from collector.identify.wire import (
    LIKELY,
    NAMED,
    NOTHING,
    SHAPED,
    SURE,
    Bytes,
    each,
    first_bytes,
    on,
    starts,
    u16,
    u32,
    within,
)

TEAMVIEWER = APP_CODE["teamviewer"]
RUSTDESK, RADMIN = APP_CODE["rustdesk"], APP_CODE["radmin"]
ICA, NOMACHINE = APP_CODE["ica"], APP_CODE["nomachine"]
VNC, RDP, SSH, TELNET = APP_CODE["vnc"], APP_CODE["rdp"], APP_CODE["ssh"], APP_CODE["telnet"]


#: SSH, RFB, ICA, CGP, NX, TPKT, Telnet's IAC, TeamViewer's commands, Radmin's kind.
_TCP_FIRST = first_bytes(*each(b"SRN\x7f\x1a\x03\xff\x17\x11\x01"))


@njit(cache=True, nogil=True)
def remote_tcp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    on_rustdesk = within(source_port, destination_port, 21115, 21119)
    if not (_TCP_FIRST[buffer[start]] or on_rustdesk):
        return NOTHING
    if starts(buffer, start, end, b"SSH-2.0-") or starts(buffer, start, end, b"SSH-1."):
        return SSH, SURE
    if end - start == 12 and starts(buffer, start, end, b"RFB 00") and buffer[end - 1] == 10:
        return VNC, SURE
    if is_ica(buffer, start, end):
        return ICA, SURE
    is_nx = starts(buffer, start, end, b"NXSH-") or starts(buffer, start, end, b"NXD-")
    if is_nx and end - start >= 8 and 48 <= buffer[end - 2] <= 57:
        return NOMACHINE, NAMED
    confidence = rdp(buffer, start, end, on(source_port, destination_port, 3389))
    if confidence:
        return RDP, confidence
    confidence = telnet(buffer, start, end, on(source_port, destination_port, 23))
    if confidence:
        return TELNET, confidence
    confidence = teamviewer(buffer, start, end, on(source_port, destination_port, 5938))
    if confidence:
        return TEAMVIEWER, confidence
    if radmin(buffer, start, end):
        return RADMIN, SURE
    if on_rustdesk and rustdesk_tcp(buffer, start, end):
        return RUSTDESK, NAMED
    return NOTHING


@njit(cache=True, nogil=True)
def remote_udp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    size = end - start
    if size > 12 and buffer[start] == 0 and u16(buffer, start + 11) == 0x1724:
        return TEAMVIEWER, SURE if on(source_port, destination_port, 5938) else LIKELY
    # MS-RDPEUDP §2.2.2.1: a SYN acknowledges -1 and is padded to 1232 bytes.
    on_rdp_port = on(source_port, destination_port, 3389)
    is_syn = size >= 1132 and u32(buffer, start) == 0xFFFFFFFF and buffer[start + 7] & 1
    if is_syn and on_rdp_port:
        return RDP, NAMED
    # Later packets: acknowledged number, window of packets, flags with ACK.
    has_header = size >= 12 and 1 <= u16(buffer, start + 4) <= 4096
    if has_header and on_rdp_port and u16(buffer, start + 6) & 0xE004 == 4:
        return RDP, SHAPED
    if on(source_port, destination_port, 21116) and rendezvous(buffer, start, end):
        return RUSTDESK, NAMED
    return NOTHING


@njit(cache=True, nogil=True)
def rdp(buffer: Bytes, start: int, end: int, on_rdp_port: bool) -> int:
    """X.224 connection request or confirm in TPKT (MS-RDPBCGR §2.2.1.1-2).

    S7 and MMS send the same request with parameters 0xc0-0xc2 after it, and are not RDP.
    """
    size = end - start
    if size < 11 or u16(buffer, start) != 0x0300:
        return 0
    length, code = u16(buffer, start + 2), buffer[start + 5]
    if length < 11 or length > 512 or length < size or buffer[start + 4] != length - 5:
        return 0
    if (code != 0xE0 and code != 0xD0) or buffer[start + 10] != 0:
        return 0
    if size == 11:
        return SHAPED if on_rdp_port else 0
    if starts(buffer, start + 11, end, b"Cookie: ") or starts(buffer, start + 11, end, b"tsv://"):
        return SURE
    if size < 19:
        return 0
    kind, is_negotiation = buffer[end - 8], u16(buffer, end - 6) == 0x0800
    if code == 0xE0 and kind == 1 and is_negotiation:
        return SURE
    if code == 0xD0 and size == 19 and kind in (2, 3) and is_negotiation:
        return SURE
    return SHAPED if on_rdp_port else 0


@njit(cache=True, nogil=True)
def is_ica(buffer: Bytes, start: int, end: int) -> bool:
    """Citrix' greeting on 1494, or that of its Common Gateway Protocol on 2598."""
    if starts(buffer, start, end, b"\x7f\x7fICA\0"):
        return True
    return starts(buffer, start, end, b"\x1aCGP/01")


@njit(cache=True, nogil=True)
def telnet(buffer: Bytes, start: int, end: int, on_telnet_port: bool) -> int:
    """RFC 854 options: IAC, then WILL, WON'T, DO or DON'T, then a known option; twice off port."""
    at, options = start, 0
    while at + 3 <= end and buffer[at] == 0xFF and 0xFB <= buffer[at + 1] <= 0xFE:
        if buffer[at + 2] > 50:
            return 0
        options += 1
        at += 3
    if options == 0:
        return 0
    if on_telnet_port:
        return SURE
    is_negotiation = at == end or buffer[at] in (0xFF, 13, 10) or options >= 3
    return SHAPED if options >= 2 and is_negotiation else 0


@njit(cache=True, nogil=True)
def teamviewer(buffer: Bytes, start: int, end: int, on_own_port: bool) -> int:
    """Commands start with 17 24 (now) or 11 30 (file transfer and meetings)."""
    if end - start < 5:
        return 0
    mark = u16(buffer, start)
    if on_own_port:
        return SURE if mark in (0x1724, 0x1130) else 0
    # Off its port: the length at 4 has to agree, little-endian, with what came.
    if mark == 0x1724 and end - start >= 9 and buffer[start + 2] != 0:
        return (
            LIKELY if buffer[start + 4] + 9 >= end - start - 256 and _is_low(buffer, start) else 0
        )
    return 0


@njit(cache=True, nogil=True)
def _is_low(buffer: Bytes, start: int) -> bool:
    return buffer[start + 2] < 0x60 and buffer[start + 3] in (0, 0x20, 0x40)


@njit(cache=True, nogil=True)
def radmin(buffer: Bytes, start: int, end: int) -> bool:
    """A kind, the body's length, and the body's sum as little-endian words of four bytes."""
    size = end - start
    if not 10 <= size <= 64 or buffer[start] != 1 or u32(buffer, start + 1) != size - 9:
        return False
    total = 0
    for i in range(start + 9, end):
        total += buffer[i] << (8 * ((i - start - 9) % 4))
    return total != 0 and total & 0xFFFFFFFF == u32(buffer, start + 5)


@njit(cache=True, nogil=True)
def rustdesk_tcp(buffer: Bytes, start: int, end: int) -> bool:
    """A little-endian length whose low two bits say how many bytes it takes, then protobuf."""
    if end - start < 3:
        return False
    extra = buffer[start] & 3
    length = buffer[start] >> 2
    if extra == 1:
        length = (buffer[start + 1] << 8 | buffer[start]) >> 2
    if extra > 1 or length != end - start - 1 - extra:
        return False
    return rendezvous(buffer, start + 1 + extra, end)


@njit(cache=True, nogil=True)
def rendezvous(buffer: Bytes, start: int, end: int) -> bool:
    """One protobuf field, 6 to 27, of type bytes, that fills the rest exactly."""
    if end - start < 2 or buffer[start] & 7 != 2:
        return False
    field, at = buffer[start] >> 3 & 15, start + 1
    if buffer[start] & 0x80:
        field, at = field | buffer[at] << 4, at + 1
    if at >= end or not 6 <= field <= 27:
        return False
    length, at = buffer[at] & 0x7F, at + 1
    if buffer[at - 1] & 0x80:
        if at >= end:
            return False
        length, at = length | buffer[at] << 7, at + 1
    return length == end - at
