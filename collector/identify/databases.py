"""Databases: SQL Server, Oracle, PostgreSQL, MySQL."""

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
    find,
    first_bytes,
    is_text,
    on,
    starts,
    u16,
    u16_le,
    u32,
)

MSSQL, ORACLE = APP_CODE["mssql"], APP_CODE["oracle"]
POSTGRES, MYSQL = APP_CODE["postgres"], APP_CODE["mysql"]


#: TDS' kinds; a PostgreSQL length, or its types R E Q P.
_FIRST = first_bytes(*each(b"\x00\x01\x03\x04\x06\x07\x0e\x10\x11\x12REQP"))


@njit(cache=True, nogil=True)
def database_tcp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int, is_reply: bool
) -> tuple[int, int]:
    size, first = end - start, buffer[start]
    # TNS starts with its length's upper byte, MySQL with the lower one of its body's.
    if size < 8 or not (_FIRST[first] or first == size >> 8 or first == size - 4 & 0xFF):
        return NOTHING
    confidence = tds(buffer, start, end, on(source_port, destination_port, 1433))
    if confidence:
        return MSSQL, confidence
    confidence = tns(buffer, start, end, on(source_port, destination_port, 1521))
    if confidence:
        return ORACLE, confidence
    confidence = postgres(buffer, start, end, on(source_port, destination_port, 5432))
    if confidence:
        return POSTGRES, confidence
    confidence = mysql(buffer, start, end, on(source_port, destination_port, 3306))
    if confidence:
        return MYSQL, confidence
    return NOTHING


@njit(cache=True, nogil=True)
def tds(buffer: Bytes, start: int, end: int, on_own_port: bool) -> int:
    """MS-TDS §2.2.3.1: type, status, length, process id, packet id, window 0."""
    size = end - start
    if u16(buffer, start + 2) != size or buffer[start + 7] != 0 or buffer[start + 1] > 31:
        return 0
    kind = buffer[start]
    if kind == 0x12 and size >= 20:  # PRELOGIN: the first option is VERSION, 6 bytes long
        is_version_first = buffer[start + 8] == 0 and u16(buffer, start + 11) == 6
        is_tls_inside = starts(buffer, start + 8, end, b"\x16\x03")
        return SURE if is_version_first or is_tls_inside else 0
    if kind == 0x10 and size >= 44:  # LOGIN7 repeats its length, little-endian
        return SURE if u16_le(buffer, start + 8) == size - 8 else 0
    return SHAPED if on_own_port and kind in (1, 3, 4, 6, 7, 14, 17, 18) else 0


@njit(cache=True, nogil=True)
def tns(buffer: Bytes, start: int, end: int, on_own_port: bool) -> int:
    """Oracle's TNS header: length, checksum 0, type, reserved, header checksum 0."""
    size, kind = end - start, buffer[start + 4]
    if u16(buffer, start) != size or u16(buffer, start + 2) != 0 or u16(buffer, start + 6) != 0:
        return 0
    if buffer[start + 5] & 0xC3 or not 1 <= kind <= 15:
        return 0
    if kind == 1 and find(buffer, start + 8, end, b"(") > 0:
        return SURE if find(buffer, start + 8, end, b"(CONNECT_DATA=") > 0 else LIKELY
    if kind == 4 and find(buffer, start + 8, end, b"(DESCRIPTION=") > 0:
        return SURE
    return SHAPED if on_own_port else 0


@njit(cache=True, nogil=True)
def postgres(buffer: Bytes, start: int, end: int, on_own_port: bool) -> int:
    """Start-up, TLS, GSS or cancel request; none of them carries a type byte."""
    size, length, code = end - start, u32(buffer, start), u32(buffer, start + 4)
    if length == size == 8 and (code == 80877103 or code == 80877104):
        return SURE
    if length == size == 16 and code == 80877102:
        return SURE
    if length == size and (code == 0x30000 or code == 0x30002) and size >= 14:
        is_parameter = is_text(buffer, start + 8, start + 12)
        return SURE if is_parameter and buffer[end - 1] == 0 else 0
    if on_own_port and buffer[start] in (0x52, 0x45, 0x51, 0x50):  # R E Q P
        return SHAPED if 4 <= u32(buffer, start + 1) <= max(size, 4096) else 0
    return 0


@njit(cache=True, nogil=True)
def mysql(buffer: Bytes, start: int, end: int, on_own_port: bool) -> int:
    """The server greets first: protocol 10, its version as text, and the thread's salt."""
    size = end - start
    length = u16_le(buffer, start) | buffer[start + 2] << 16
    if length != size - 4:
        return 0
    if buffer[start + 3] == 0 and buffer[start + 4] == 10 and size >= 40:
        has_version = 48 <= buffer[start + 5] <= 57 and buffer[start + 6] == 46
        return SURE if has_version else 0
    if buffer[start + 3] == 0 and starts(buffer, start + 4, end, b"\xff") and size > 9:
        is_refusal = u16_le(buffer, start + 5) in (1040, 1129, 1130)
        return NAMED if is_refusal else 0
    return SHAPED if on_own_port and buffer[start + 3] <= 2 else 0
