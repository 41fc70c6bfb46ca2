"""Files, directory and administration: SMB, DCE/RPC, Kerberos, LDAP, FTP."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from numba import njit

from collector.apps import APP_CODE
from collector.identify.wire import (
    NOTHING,
    SHAPED,
    SURE,
    Bytes,
    each,
    first_bytes,
    is_zero,
    on,
    starts,
    u16,
    u16_le,
    u24,
    u32,
)

SMB, NETBIOS, DCERPC = APP_CODE["smb"], APP_CODE["netbios"], APP_CODE["dcerpc"]
KERBEROS, LDAP = APP_CODE["kerberos"], APP_CODE["ldap"]


#: SMB and Kerberos behind a length, DCE/RPC, LDAP, the session service.
_TCP_FIRST = first_bytes(*each(b"\x00\x05\x30\x81\x82\x83\x85"))


@njit(cache=True, nogil=True)
def windows_tcp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    size = end - start
    if size < 4 or not _TCP_FIRST[buffer[start]]:
        return NOTHING
    if buffer[start] == 0 and is_smb(buffer, start + 4, end):
        return SMB, SURE
    if on(source_port, destination_port, 139) and is_session_service(buffer, start, end):
        return NETBIOS, SURE
    if dcerpc(buffer, start, end):
        return DCERPC, SURE
    length = u32(buffer, start)
    if length + 4 >= size and length < 1 << 20 and kerberos(buffer, start + 4, end):
        return KERBEROS, SURE
    on_port = on(source_port, destination_port, 389) or on(source_port, destination_port, 3268)
    if ldap(buffer, start, end):
        return LDAP, SURE if on_port else SHAPED
    return NOTHING


@njit(cache=True, nogil=True)
def windows_udp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    if kerberos(buffer, start, end):
        return KERBEROS, SURE
    if ldap(buffer, start, end):
        return LDAP, SURE if on(source_port, destination_port, 389) else SHAPED
    if dcerpc_datagram(buffer, start, end):
        return DCERPC, SURE
    # RFC 1002 §4.4: a datagram's kind, flags, id, source address and port.
    is_datagram = end - start >= 14 and 0x10 <= buffer[start] <= 0x16
    if is_datagram and on(source_port, destination_port, 138):
        return NETBIOS, SURE
    return NOTHING


@njit(cache=True, nogil=True)
def is_smb(buffer: Bytes, at: int, end: int) -> bool:
    """SMB1 (ff), SMB2/3 (fe), encrypted (fd) or compressed (fc) after the session header."""
    return end - at >= 16 and buffer[at] >= 0xFC and starts(buffer, at + 1, end, b"SMB")


@njit(cache=True, nogil=True)
def is_session_service(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 1002 §4.3: session request with two encoded names, or an answer to one."""
    size, kind, length = end - start, buffer[start], u24(buffer, start + 1)
    if kind == 0x81:
        return length == size - 4 and size >= 72 and buffer[start + 4] == 0x20
    if kind == 0x82:
        return length == 0 and size == 4
    if kind == 0x83:
        return length == 1 and size == 5
    return kind == 0x85 and length == 0


@njit(cache=True, nogil=True)
def dcerpc(buffer: Bytes, start: int, end: int) -> bool:
    """C706 §12.6: version 5.0 or 5.1, known packet type, data representation, fragment length."""
    size = end - start
    if size < 16 or buffer[start] != 5 or buffer[start + 1] > 1 or buffer[start + 2] > 19:
        return False
    drep = buffer[start + 4]
    if (drep != 0x10 and drep != 0) or not is_zero(buffer, start + 5, start + 8):
        return False
    length = u16_le(buffer, start + 8) if drep == 0x10 else u16(buffer, start + 8)
    return 16 <= length <= 65535 and (length <= size or size >= 256 or length == size)


@njit(cache=True, nogil=True)
def dcerpc_datagram(buffer: Bytes, start: int, end: int) -> bool:
    """C706 §12.5: version 4, 80-byte header, body length at 74."""
    size = end - start
    if size < 80 or buffer[start] != 4 or buffer[start + 1] > 10 or buffer[start + 2] & 0x81:
        return False
    drep = buffer[start + 4]
    if (drep != 0x10 and drep != 0) or not is_zero(buffer, start + 5, start + 7):
        return False
    length = u16_le(buffer, start + 74) if drep == 0x10 else u16(buffer, start + 74)
    return length == size - 80 and buffer[start + 78] <= 21


@njit(cache=True, nogil=True)
def der_body(buffer: Bytes, at: int, end: int) -> int:
    """Where the body of the DER element at `at` starts, or -1 if its length is malformed."""
    if at + 2 > end:
        return -1
    length = buffer[at + 1]
    if length < 0x80:
        return at + 2
    if length > 0x84 or length == 0x80:
        return -1
    body = at + 2 + (length & 7)
    return body if body < end else -1


@njit(cache=True, nogil=True)
def kerberos(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 4120 §5: an APPLICATION tag, a SEQUENCE, and protocol version 5 as its first field."""
    if end - start < 16 or buffer[start] not in (0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x7E):
        return False
    at = der_body(buffer, start, end)
    if at < 0 or at >= end or buffer[at] != 0x30:
        return False
    at = der_body(buffer, at, end)
    if at < 0 or at + 5 > end or (buffer[at] != 0xA0 and buffer[at] != 0xA1):
        return False
    return starts(buffer, at + 1, end, b"\x03\x02\x01\x05")


@njit(cache=True, nogil=True)
def ldap(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 4511 §4.1.1: SEQUENCE, message id, then an operation's APPLICATION tag."""
    if end - start < 7 or buffer[start] != 0x30:
        return False
    at = der_body(buffer, start, end)
    if at < 0 or at + 3 > end or buffer[at] != 2 or not 1 <= buffer[at + 1] <= 4:
        return False
    at += 2 + buffer[at + 1]
    if at + 2 > end:
        return False
    tag = buffer[at]
    number = tag & 31
    if tag & 0xC0 != 0x40 or number > 25 or (17 <= number <= 18) or number in (20, 21, 22):
        return False
    is_primitive = number in (2, 10, 16)
    return is_primitive == (tag & 0x20 == 0)
