"""sFlow version 5: sampled headers, and sampled IPv4 or IPv6 data, become flows of one packet."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from collector.exports.headers import ETHERNET, RAW_IP, SampledHeader

_MOST_SAMPLES: Final = 1024
_U32: Final = struct.Struct(">I")
#: header_protocol of a raw header → LINKTYPE.
_LINK_TYPES: Final = {1: ETHERNET, 11: RAW_IP, 12: RAW_IP}


def read_sflow(
    message: memoryview, order: int, time_ns: int
) -> tuple[list[SampledHeader], int, int]:
    """(sampled headers, sequence number, sub-agent) of one datagram; ValueError if malformed.

    sFlow carries no clock but the agent's uptime, so that the time of capture counts.
    """
    at = 8 + (4 if _u32(message, 4) == 1 else 16)
    sub_agent, sequence, count = _u32(message, at), _u32(message, at + 4), _u32(message, at + 12)
    at += 16
    if count > _MOST_SAMPLES:
        raise ValueError("too many samples")
    headers = []
    for _ in range(count):
        kind, length = _u32(message, at), _u32(message, at + 4)
        body = message[at + 8 : at + 8 + length]
        if len(body) < length:
            raise ValueError("sample cut short")
        at += 8 + length
        if kind in (1, 3):
            rate = max(1, _u32(body, 12 if kind == 3 else 8))
            found = _sampled(body, 44 if kind == 3 else 32)
            if found is not None:
                raw, wire, link_type = found
                headers.append(SampledHeader(raw, wire, link_type, rate, order, time_ns, time_ns))
    return headers, sequence, sub_agent


def _u32(message: memoryview, at: int) -> int:
    if at + 4 > len(message):
        raise ValueError("datagram cut short")
    value: int = _U32.unpack_from(message, at)[0]
    return value


def _sampled(body: memoryview, at: int) -> tuple[bytes, int, int] | None:
    """The sampled packet: by its raw header if there is one, else built from its IP data."""
    best: tuple[bytes, int, int] | None = None
    for form, record in _records(body, at):
        if form == 1 and len(record) >= 16 and _u32(record, 0) in _LINK_TYPES:
            raw = bytes(record[16 : 16 + _u32(record, 12)])
            return raw, max(_u32(record, 4), len(raw)), _LINK_TYPES[_u32(record, 0)]
        if form == 3 and len(record) >= 28:
            best = _v4_header(record), _u32(record, 0), RAW_IP
        elif form == 4 and len(record) >= 52:
            best = _v6_header(record), _u32(record, 0), RAW_IP
    return best


def _records(body: memoryview, at: int) -> Iterator[tuple[int, memoryview]]:
    count = _u32(body, at - 4)
    for _ in range(min(count, 64)):
        form, length = _u32(body, at), _u32(body, at + 4)
        if at + 8 + length > len(body):
            raise ValueError("record cut short")
        yield form, body[at + 8 : at + 8 + length]
        at += 8 + (length + 3 & ~3)


def _transport(record: memoryview, at: int) -> bytes:
    """The ports, and the flags where a TCP header has them."""
    ports = bytes((*record[at + 2 : at + 4], *record[at + 6 : at + 8]))
    return ports + bytes(8) + bytes((0x50, record[at + 11])) + bytes(6)


def _v4_header(record: memoryview) -> bytes:
    length = min(_u32(record, 0), 65535).to_bytes(2, "big")
    start = b"\x45\0" + length + bytes(5) + bytes((record[7],)) + b"\0\0"
    return start + bytes(record[8:16]) + _transport(record, 16)


def _v6_header(record: memoryview) -> bytes:
    length = min(max(_u32(record, 0) - 40, 0), 65535).to_bytes(2, "big")
    start = b"\x60\0\0\0" + length + bytes((record[7], 0))
    return start + bytes(record[8:40]) + _transport(record, 40)
