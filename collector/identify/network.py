"""The network's own services: names, addresses, time, management, mail, voice, flow export."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from numba import njit

from collector.apps import APP_CODE
from collector.identify.windows import der_body
from collector.identify.wire import (
    LIKELY,
    NAMED,
    NOTHING,
    PORT_ONLY,
    SHAPED,
    SURE,
    Bytes,
    each,
    find,
    first_bytes,
    is_text,
    on,
    starts,
    u16,
    u32,
)

DNS, MDNS, LLMNR, NBNS = APP_CODE["dns"], APP_CODE["mdns"], APP_CODE["llmnr"], APP_CODE["nbns"]
SSDP, DHCP, DHCPV6, NTP = APP_CODE["ssdp"], APP_CODE["dhcp"], APP_CODE["dhcpv6"], APP_CODE["ntp"]
SNMP, SYSLOG, RADIUS = APP_CODE["snmp"], APP_CODE["syslog"], APP_CODE["radius"]
SIP, STUN, RTP, TFTP = APP_CODE["sip"], APP_CODE["stun"], APP_CODE["rtp"], APP_CODE["tftp"]
NETFLOW, SFLOW, NAT_PMP = APP_CODE["netflow"], APP_CODE["sflow"], APP_CODE["nat_pmp"]
SMTP, IMAP, POP3, FTP = APP_CODE["smtp"], APP_CODE["imap"], APP_CODE["pop3"], APP_CODE["ftp"]
MQTT, BGP, MSSQL = APP_CODE["mqtt"], APP_CODE["bgp"], APP_CODE["mssql"]
TAILSCALE = APP_CODE["tailscale"]


@njit(cache=True, nogil=True)
def network_udp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    app = _names(buffer, start, end, source_port, destination_port)
    if app:
        return app, SURE
    app = _addresses_and_time(buffer, start, end, source_port, destination_port)
    if app:
        return app, SURE
    app = _management(buffer, start, end, source_port, destination_port)
    if app:
        return app, SURE
    if is_stun(buffer, start, end):
        # Tailscale's relays answer only who says in SOFTWARE that it is one of theirs.
        is_tailnode = starts(buffer, start + 20, end, b"\x80\x22\x00\x08tailnode")
        return (TAILSCALE if is_tailnode else STUN), SURE
    if is_sip(buffer, start, end):
        return SIP, SURE
    if dns(buffer, start, end):
        return DNS, SHAPED
    if snmp(buffer, start, end):
        return SNMP, SHAPED
    if syslog(buffer, start, end):
        return SYSLOG, LIKELY
    if rtp(buffer, start, end, source_port, destination_port):
        return RTP, PORT_ONLY
    return NOTHING


@njit(cache=True, nogil=True)
def _names(buffer: Bytes, start: int, end: int, source_port: int, destination_port: int) -> int:
    """DNS and its relatives share one header and differ by port."""
    if on(source_port, destination_port, 53) and dns(buffer, start, end):
        return DNS
    if on(source_port, destination_port, 5353) and dns(buffer, start, end):
        return MDNS
    if on(source_port, destination_port, 5355) and dns(buffer, start, end):
        return LLMNR
    if on(source_port, destination_port, 137) and end - start >= 46:
        return NBNS if buffer[start + 12] == 0x20 and buffer[start + 45] in (0, 0xC0) else 0
    is_ssdp = starts(buffer, start, end, b"M-SEARCH * HTTP/1.") or starts(
        buffer, start, end, b"NOTIFY * HTTP/1."
    )
    if is_ssdp or (
        on(source_port, destination_port, 1900) and starts(buffer, start, end, b"HTTP/1.1 200")
    ):
        return SSDP
    return 0


@njit(cache=True, nogil=True)
def _addresses_and_time(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> int:
    size = end - start
    if size >= 240 and buffer[start] in (1, 2) and buffer[start + 2] <= 16:
        if u32(buffer, start + 236) == 0x63825363:
            return DHCP
        if on(source_port, destination_port, 67) and buffer[start + 1] == 1:
            return DHCP
    if on(source_port, destination_port, 547) and size >= 8 and 1 <= buffer[start] <= 36:
        is_relayed = buffer[start] in (12, 13)
        option = start + 34 if is_relayed else start + 4
        if option + 4 <= end and u16(buffer, option) <= 150:
            return DHCPV6 if u16(buffer, option + 2) <= end - option - 4 else 0
    if on(source_port, destination_port, 123) and ntp(buffer, start, end):
        return NTP
    if on(source_port, destination_port, 5351) and 2 <= size <= 1100 and buffer[start] <= 2:
        return NAT_PMP
    return 0


@njit(cache=True, nogil=True)
def _management(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> int:
    on_snmp_port = on(source_port, destination_port, 161) or on(source_port, destination_port, 162)
    if on_snmp_port and snmp(buffer, start, end):
        return SNMP
    if on(source_port, destination_port, 514) and syslog(buffer, start, end):
        return SYSLOG
    if radius(buffer, start, end, source_port, destination_port):
        return RADIUS
    if on(source_port, destination_port, 1434) and end - start <= 64 and buffer[start] in (2, 3, 4):
        return MSSQL  # SQL Server's browser, MS-SQLR §2.2
    if on(source_port, destination_port, 69) and is_tftp(buffer, start, end):
        return TFTP
    if is_netflow(buffer, start, end):
        return NETFLOW
    return SFLOW if is_sflow(buffer, start, end) else 0


#: Mail's greetings and words, SIP's methods, BGP's marker, MQTT's CONNECT, syslog's priority.
_TCP_FIRST = first_bytes(*each(b"2*+<\x10\xffABCDEFGHIJKLMNOPQRSTUVWXYZ"))


@njit(cache=True, nogil=True)
def network_tcp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int, is_reply: bool
) -> tuple[int, int]:
    size = end - start
    has_length = size >= 16 and size - 2 <= u16(buffer, start) <= 16384
    if has_length and dns(buffer, start + 2, end):
        return DNS, SURE if on(source_port, destination_port, 53) else SHAPED
    if _TCP_FIRST[buffer[start]] or on(source_port, destination_port, 143):
        app = mail(buffer, start, end, source_port, destination_port, is_reply)
        if app:
            return app, SURE
        if is_sip(buffer, start, end):
            return SIP, SURE
    if size >= 22 and is_stun(buffer, start + 2, end) and u16(buffer, start) <= size - 2:
        return STUN, SURE
    if is_stun(buffer, start, end):
        return STUN, SURE
    if not _TCP_FIRST[buffer[start]]:
        return NOTHING
    if size >= 19 and u32(buffer, start) == 0xFFFFFFFF and u32(buffer, start + 12) == 0xFFFFFFFF:
        is_bgp = 19 <= u16(buffer, start + 16) <= 4096 and 1 <= buffer[start + 18] <= 5
        return (BGP, SURE) if is_bgp else NOTHING
    if size >= 14 and buffer[start] == 0x10:
        if find(buffer, start + 2, start + 12, b"\x00\x04MQTT") > 0:
            return MQTT, SURE
        if find(buffer, start + 2, start + 12, b"\x00\x06MQIsdp") > 0:
            return MQTT, SURE
    if syslog(buffer, start, end) and on(source_port, destination_port, 514):
        return SYSLOG, NAMED
    return NOTHING


@njit(cache=True, nogil=True)
def dns(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 1035 §4.1: header, counts within reason, and a first question that reads to its end."""
    size = end - start
    if size < 12:
        return False
    flags = u16(buffer, start + 2)
    opcode, questions, answers = flags >> 11 & 15, u16(buffer, start + 4), u16(buffer, start + 6)
    authority, additional = u16(buffer, start + 8), u16(buffer, start + 10)
    if opcode == 3 or opcode > 6 or flags & 0x40:
        return False
    if questions + answers + authority + additional > size // 5 + 1 or questions > 32:
        return False
    if questions == 0:
        is_answer = flags & 0x8000 != 0
        return size > 12 and is_answer and answers > 0 and buffer[start + 12] <= 63
    at = start + 12
    while at < end and buffer[at] != 0:
        length = buffer[at]
        if length >= 0xC0:
            at += 1
            break
        if length > 63 or at - start > 267:
            return False
        at += 1 + length
    at += 1
    if at + 4 > end:
        return False
    kind, klass = u16(buffer, at), u16(buffer, at + 2) & 0x7FFF
    known_class = 1 <= klass <= 4 or 254 <= klass <= 255
    return known_class and (1 <= kind <= 65535)


@njit(cache=True, nogil=True)
def ntp(buffer: Bytes, start: int, end: int) -> bool:
    size, first = end - start, buffer[start]
    version, mode = first >> 3 & 7, first & 7
    if not 1 <= version <= 4:
        return False
    if mode == 6:
        return size >= 12
    if mode == 7:
        return size >= 8
    return mode >= 1 and size >= 48


@njit(cache=True, nogil=True)
def snmp(buffer: Bytes, start: int, end: int) -> bool:
    """SEQUENCE, version 0, 1 or 3, then a community (v1, v2c) or a header (v3)."""
    if end - start < 16 or buffer[start] != 0x30:
        return False
    at = der_body(buffer, start, end)
    if at < 0 or at + 4 > end or buffer[at] != 2 or buffer[at + 1] != 1:
        return False
    version, tag = buffer[at + 2], buffer[at + 3]
    return (version <= 1 and tag == 4) or (version == 3 and tag == 0x30)


@njit(cache=True, nogil=True)
def syslog(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 3164 §4.1.1: `<`, a priority up to 191, `>`, and text."""
    at, value = start + 1, 0
    if end - start < 5 or buffer[start] != 60:
        return False
    while at < end and at - start <= 3 and 48 <= buffer[at] <= 57:
        value = value * 10 + buffer[at] - 48
        at += 1
    is_priority = at > start + 1 and at < end and buffer[at] == 62 and value <= 191
    return is_priority and is_text(buffer, at + 1, min(end, at + 9))


@njit(cache=True, nogil=True)
def radius(buffer: Bytes, start: int, end: int, source_port: int, destination_port: int) -> bool:
    """RFC 2865 §3, on its registered ports only: its 20 bytes have no other mark."""
    size = end - start
    if size < 20 or not 20 <= u16(buffer, start + 2) <= size:
        return False
    on_port = (
        1812 <= destination_port <= 1813
        or 1812 <= source_port <= 1813
        or 1645 <= destination_port <= 1646
        or 1645 <= source_port <= 1646
        or on(source_port, destination_port, 3799)
    )
    return on_port and (1 <= buffer[start] <= 13 or 40 <= buffer[start] <= 45)


@njit(cache=True, nogil=True)
def is_tftp(buffer: Bytes, start: int, end: int) -> bool:
    if end - start < 8 or buffer[start] != 0 or not 1 <= buffer[start + 1] <= 2:
        return False
    return (
        find(buffer, start, end, b"\x00octet") > 0 or find(buffer, start, end, b"\x00netascii") > 0
    )


@njit(cache=True, nogil=True)
def is_netflow(buffer: Bytes, start: int, end: int) -> bool:
    """NetFlow v5 by its exact length, v9 by its first set, IPFIX by length and first set."""
    size = end - start
    if size < 20:
        return False
    version, count = u16(buffer, start), u16(buffer, start + 2)
    if version == 5:
        return 1 <= count <= 30 and size == 24 + 48 * count
    if version == 9 and size >= 28:
        set_id = u16(buffer, start + 20)
        fits = 4 <= u16(buffer, start + 22) <= size - 20
        return count >= 1 and fits and (set_id <= 1 or set_id >= 256)
    if version == 10 and count == size and size >= 20:
        set_id = u16(buffer, start + 16)
        return 4 <= u16(buffer, start + 18) <= size - 16 and (set_id in (2, 3) or set_id >= 256)
    return False


@njit(cache=True, nogil=True)
def is_sflow(buffer: Bytes, start: int, end: int) -> bool:
    """sFlow version 5 §5: version, kind of agent address, sub-agent, sequence, samples."""
    if end - start < 28 or u32(buffer, start) != 5:
        return False
    kind = u32(buffer, start + 4)
    count_at = start + (24 if kind == 1 else 36)
    if kind not in (1, 2) or count_at + 4 > end:
        return False
    return u32(buffer, count_at) <= 64


@njit(cache=True, nogil=True)
def is_stun(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 8489 §5: two zero bits, a length in fours, and the magic cookie."""
    if end - start < 20 or buffer[start] & 0xC0:
        return False
    length = u16(buffer, start + 2)
    return u32(buffer, start + 4) == 0x2112A442 and length % 4 == 0 and length + 20 <= end - start


@njit(cache=True, nogil=True)
def is_sip(buffer: Bytes, start: int, end: int) -> bool:
    if starts(buffer, start, end, b"SIP/2.0 "):
        return True
    if end - start < 16 or not 65 <= buffer[start] <= 90:
        return False
    at = find(buffer, start, min(end, start + 12), b" ")
    return at > 0 and (
        starts(buffer, at + 1, end, b"sip:")
        or starts(buffer, at + 1, end, b"sips:")
        or starts(buffer, at + 1, end, b"tel:")
    )


@njit(cache=True, nogil=True)
def rtp(buffer: Bytes, start: int, end: int, source_port: int, destination_port: int) -> bool:
    """RFC 3550 §5.1: only a shape, so that it says little more than a port would."""
    if end - start < 24 or buffer[start] != 0x80 or min(source_port, destination_port) < 1024:
        return False
    kind = buffer[start + 1] & 0x7F
    is_known = kind in (0, 3, 4, 8, 9, 18, 26, 31, 34) or 96 <= kind <= 127
    has_stream = u32(buffer, start + 8) != 0 and u32(buffer, start + 4) != 0
    return is_known and has_stream and source_port % 2 == 0 and destination_port % 2 == 0


@njit(cache=True, nogil=True)
def mail(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int, is_reply: bool
) -> int:
    """SMTP, POP3, IMAP and FTP greet alike; the words and the port tell them apart."""
    if end - start < 5:
        return 0
    if buffer[start] == 50 and starts(buffer, start, end, b"220"):
        return _greeting(buffer, start, end, source_port, destination_port)
    if starts(buffer, start, end, b"EHLO ") or starts(buffer, start, end, b"HELO "):
        return SMTP
    if starts(buffer, start, end, b"* OK") or starts(buffer, start, end, b"* PREAUTH"):
        return IMAP
    if starts(buffer, start, end, b"+OK "):
        return POP3
    is_login = starts(buffer, start, end, b"USER ") or starts(buffer, start, end, b"AUTH TLS")
    if is_login and find(buffer, start, end, b"\r\n") == end - 2:
        return POP3 if on(source_port, destination_port, 110) else FTP
    on_imap = on(source_port, destination_port, 143)
    if on_imap and not is_reply and find(buffer, start, end, b" CAPABILITY\r\n") > 0:
        return IMAP
    return 0


@njit(cache=True, nogil=True)
def _greeting(buffer: Bytes, start: int, end: int, source_port: int, destination_port: int) -> int:
    if buffer[start + 3] != 32 and buffer[start + 3] != 45:
        return 0
    if find(buffer, start, end, b"SMTP") > 0 or on(source_port, destination_port, 25):
        return SMTP
    if on(source_port, destination_port, 587):
        return SMTP
    if find(buffer, start, end, b"FTP") > 0 or on(source_port, destination_port, 21):
        return FTP
    return FTP if is_text(buffer, start, end) and buffer[end - 1] == 10 else 0
