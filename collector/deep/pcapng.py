"""The three pcapng blocks that tshark is fed with: section, interface, packet."""

from __future__ import annotations

import struct
from typing import Final

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_TIME_RESOLUTION: Final = struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HH", 0, 0)  # ns
_PACKET_HEAD: Final = struct.Struct("<IIIIIII")
_LENGTH: Final = struct.Struct("<I")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


def section() -> bytes:
    return _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1))


def interface(link_type: int) -> bytes:
    return _block(_INTERFACE, struct.pack("<HHI", link_type, 0, 0) + _TIME_RESOLUTION)


def packet(number: int, time_ns: int, frame: bytes | memoryview, wire_length: int) -> bytes:
    """A packet of interface `number`; `frame` may be shorter than it was on the wire."""
    padding = _PADDING[len(frame) & 3]
    length = 32 + len(frame) + len(padding)
    head = _PACKET_HEAD.pack(
        _PACKET, length, number, time_ns >> 32 & 0xFFFFFFFF, time_ns & 0xFFFFFFFF,
        len(frame), max(wire_length, len(frame)),
    )  # fmt: skip
    return b"".join((head, frame, padding, _LENGTH.pack(length)))


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
