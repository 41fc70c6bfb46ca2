"""A packet on its way to tshark: what is kept of it until its line comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from collector.decoders.decoder import Seen, seen
from collector.packet import Packet

_NBSS: Final = 4  # the length that goes before SMB over TCP
_SMB2: Final = b"\xfeSMB"
_SMB1: Final = b"\xffSMB"
_SEALED: Final = b"\xfdSMB"
_SMB2_BULK: Final = (b"\x08", b"\x09")  # READ, WRITE
_SMB1_BULK: Final = (b"\x2e", b"\x2f")


@dataclass(frozen=True, slots=True)
class Fed:
    """`order` numbers the packets fed; `magic` is "MZ" where a WRITE starts with a program."""

    order: int
    seen: Seen
    connection: tuple[tuple[str, int], ...]
    magic: str

    @staticmethod
    def of(order: int, packet: Packet) -> Fed:
        where = seen(packet)
        ends = ((packet.source, packet.source_port), (packet.destination, packet.destination_port))
        connection = ends if ends[0] <= ends[1] else ends[::-1]
        return Fed(order, where, connection, written_magic(packet.payload))


def written_magic(payload: bytes) -> str:
    """The first two bytes that a WRITE request puts into a file, if they are those of a program."""
    head = payload[_NBSS : _NBSS + 4]
    if head == _SMB2 and payload[16:18] == b"\x09\0" and len(payload) > 72 and not payload[20] & 1:
        at = _NBSS + int.from_bytes(payload[70:72], "little")
    elif head == _SMB1 and payload[8:9] == b"\x2f" and len(payload) > 60:
        at = _NBSS + int.from_bytes(payload[59:61], "little")
    else:
        return ""
    return "MZ" if payload[at : at + 2] == b"MZ" else ""


def is_bulk(payload: bytes, bulk_bytes: int) -> bool:
    """Whether a segment starts a read or write whose other segments the fast lane leaves out.

    tshark would wait for them and tell nothing; given as cut off, the head is read at once.
    """
    length = _NBSS + int.from_bytes(payload[1:4], "big")
    if len(payload) < _NBSS + 12 or length <= max(bulk_bytes, len(payload)):
        return False
    head = payload[_NBSS : _NBSS + 4]
    if head == _SEALED:
        return True
    if head == _SMB2:
        return payload[16:17] in _SMB2_BULK
    return head == _SMB1 and payload[8:9] in _SMB1_BULK
