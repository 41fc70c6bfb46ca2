"""The hospital's own: DICOM, HL7, analysers, printers, cameras, building automation, Modbus."""

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
    is_text,
    on,
    starts,
    u16,
    u32,
)

DICOM, HL7, PRINTER = APP_CODE["dicom"], APP_CODE["hl7"], APP_CODE["printer"]
BACNET, MODBUS = APP_CODE["bacnet"], APP_CODE["modbus"]
ASTM, RTSP = APP_CODE["astm"], APP_CODE["rtsp"]


#: HL7's frame or header, DICOM's kinds, printers' languages and commands, analysers' and cameras'.
_TCP_FIRST = first_bytes(*each(b"\x01\x02\x03\x04\x05\x06\x07\x0bMFB\x1b@%HRODS"))


@njit(cache=True, nogil=True)
def hospital_tcp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    on_modbus = on(source_port, destination_port, 502)
    if not (_TCP_FIRST[buffer[start]] or on_modbus):
        return NOTHING
    confidence = hl7(buffer, start, end)
    if confidence:
        return HL7, confidence
    on_port = on(source_port, destination_port, 104) or on(source_port, destination_port, 11112)
    confidence = dicom(buffer, start, end, on_port)
    if confidence:
        return DICOM, confidence
    if on_modbus and modbus(buffer, start, end):
        return MODBUS, NAMED
    confidence = printer(buffer, start, end, source_port, destination_port)
    if confidence:
        return PRINTER, confidence
    if astm(buffer, start, end):
        return ASTM, SURE
    if rtsp(buffer, start, end):
        return RTSP, SURE
    return NOTHING


@njit(cache=True, nogil=True)
def astm(buffer: Bytes, start: int, end: int) -> bool:
    """LIS1-A and LIS2-A2: the header record, bare or in the first frame (STX, number)."""
    at = start
    if at < end and buffer[at] == 5:  # asks for the line, and does not wait
        at += 1
    if end - at > 2 and buffer[at] == 2 and 48 <= buffer[at + 1] <= 55:
        at += 2
    return starts(buffer, at, end, b"H|\\^") and is_text(buffer, at, min(end, at + 40))


@njit(cache=True, nogil=True)
def rtsp(buffer: Bytes, start: int, end: int) -> bool:
    """RFC 2326, RFC 7826: an answer, or one of the requests with which a client begins."""
    return (
        starts(buffer, start, end, b"RTSP/1.0 ")
        or starts(buffer, start, end, b"RTSP/2.0 ")
        or starts(buffer, start, end, b"OPTIONS rtsp")
        or starts(buffer, start, end, b"DESCRIBE rtsp")
        or starts(buffer, start, end, b"SETUP rtsp")
    )


@njit(cache=True, nogil=True)
def hl7(buffer: Bytes, start: int, end: int) -> int:
    """MLLP frames a message in VT … FS CR; the first segment names its own separators."""
    at = start + 1 if end > start and buffer[start] == 0x0B else start
    is_header = (
        starts(buffer, at, end, b"MSH|")
        or starts(buffer, at, end, b"FHS|")
        or starts(buffer, at, end, b"BHS|")
    )
    if not is_header:
        return 0
    return SURE if at > start else NAMED


@njit(cache=True, nogil=True)
def dicom(buffer: Bytes, start: int, end: int, on_own_port: bool) -> int:
    """PS3.8 §9.3: associate request or accept; an open association only on a known port."""
    size = end - start
    if size < 10 or buffer[start + 1] != 0:
        return 0
    kind, length = buffer[start], u32(buffer, start + 2)
    if kind in (1, 2) and size >= 74 and length >= 68 and length + 6 >= size:
        is_version_1 = u16(buffer, start + 6) & 1 == 1 and u16(buffer, start + 8) == 0
        return SURE if is_version_1 and is_text(buffer, start + 10, start + 42) else 0
    if kind == 3 and size == 10 and length == 4 and buffer[start + 6] == 0:
        return NAMED if 1 <= buffer[start + 7] <= 2 and 1 <= buffer[start + 8] <= 3 else 0
    if kind == 4 and on_own_port and size >= 12:
        item = u32(buffer, start + 6)
        return SHAPED if item + 4 <= length and buffer[start + 10] & 1 else 0
    if kind in (5, 6, 7) and on_own_port:
        return LIKELY if size == 10 and length == 4 else 0
    return 0


@njit(cache=True, nogil=True)
def modbus(buffer: Bytes, start: int, end: int) -> bool:
    """Modbus/TCP: protocol 0, a length that fits, a function code."""
    size = end - start
    if size < 8 or u16(buffer, start + 2) != 0:
        return False
    length = u16(buffer, start + 4)
    return 2 <= length <= 254 and length + 6 <= size and buffer[start + 7] & 0x7F != 0


@njit(cache=True, nogil=True)
def printer(buffer: Bytes, start: int, end: int, source_port: int, destination_port: int) -> int:
    """PJL, raw PostScript or PCL on 9100, and RFC 1179 commands on 515."""
    if starts(buffer, start, end, b"\x1b%-12345X") or starts(buffer, start, end, b"@PJL"):
        return SURE
    is_raw = starts(buffer, start, end, b"%!PS") or starts(buffer, start, end, b"\x1bE")
    if is_raw and on(source_port, destination_port, 9100):
        return SURE
    if on(source_port, destination_port, 515) and end - start >= 3:
        is_command = 1 <= buffer[start] <= 5 and buffer[end - 1] == 10
        return SURE if is_command and is_text(buffer, start + 1, end) else 0
    return 0


@njit(cache=True, nogil=True)
def bacnet(buffer: Bytes, start: int, end: int) -> bool:
    """Annex J: BVLC type 0x81, function, length; an NPDU starts with version 1."""
    size = end - start
    if size < 4 or buffer[start] != 0x81 or u16(buffer, start + 2) != size:
        return False
    function = buffer[start + 1]
    if function in (0x0A, 0x0B, 0x09):
        return size >= 6 and buffer[start + 4] == 1
    if function == 4:
        return size >= 12 and buffer[start + 10] == 1
    return function <= 8


@njit(cache=True, nogil=True)
def hospital_udp(
    buffer: Bytes, start: int, end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    if bacnet(buffer, start, end):
        on_port = 47808 <= source_port <= 47823 or 47808 <= destination_port <= 47823
        return BACNET, SURE if on_port else SHAPED
    return NOTHING
