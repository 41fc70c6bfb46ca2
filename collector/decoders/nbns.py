"""NetBIOS names (RFC 1002): registrations, questions and answers on port 137, datagrams on 138."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import ip_text, readable
from collector.packet import Packet, Pick
from collector.sightings import NameAnnouncement, Sighting

_OPERATIONS: Final = {
    0: "query", 5: "registration", 6: "release", 7: "wack", 8: "refresh", 9: "refresh",
    15: "multihomed_registration",
}  # fmt: skip
_NB, _NBSTAT = 0x20, 0x21
_DATAGRAM_PORT: Final = 138
_MAX_ENTRIES: Final = 32


class NbnsDecoder(Decoder):
    """Names are written NAME<suffix>, e.g. `CT-CONSOLE<20>`, as Windows shows them.

    A registration's address is the one that the host claims, which on a host with two networks
    need not be the one it sends from.
    """

    pick: ClassVar[Pick] = Pick.NBNS

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        if packet.destination_port == _DATAGRAM_PORT:
            yield _datagram(packet)
        else:
            yield _name_service(packet)


def _name_service(packet: Packet) -> NameAnnouncement:
    data = packet.payload
    flags, questions, *counts = struct.unpack_from("!HHHHH", data, 2)
    names: list[str] = []
    addresses: list[str] = []
    is_group = False
    at = 12
    for _ in range(min(questions, _MAX_ENTRIES)):
        name, at = _read_name(data, at)
        names.append(name)
        at += 4
    for _ in range(min(sum(counts), _MAX_ENTRIES)):
        name, at = _read_name(data, at)
        kind, _, _, length = struct.unpack_from("!HHIH", data, at)
        value = data[at + 10 : at + 10 + length]
        at += 10 + length
        names.append(name)
        if kind == _NB:
            for entry in range(0, min(len(value) - 5, 6 * _MAX_ENTRIES), 6):
                is_group = is_group or bool(value[entry] & 0x80)
                addresses.append(ip_text(value[entry + 2 : entry + 6]))
        elif kind == _NBSTAT and value:
            names.extend(_status_names(value))
    operation = _OPERATIONS.get(flags >> 11 & 15, f"opcode{flags >> 11 & 15}")
    if flags & 0x8000:
        operation = "response" if operation == "query" else f"{operation}_response"
    return NameAnnouncement(
        **seen(packet),
        protocol="nbns",
        operation=operation,
        names=tuple(dict.fromkeys(names)),
        addresses=tuple(dict.fromkeys(addresses)),
        group=is_group,
    )


def _datagram(packet: Packet) -> NameAnnouncement:
    """§4.4.1: the source address in the head is the sender's own view of itself."""
    data = packet.payload
    if len(data) < 14 or not 0x10 <= data[0] <= 0x12:
        raise Malformed("no NetBIOS datagram with names")
    source, at = _read_name(data, 14)
    destination, _ = _read_name(data, at)
    return NameAnnouncement(
        **seen(packet),
        protocol="nbns",
        operation="datagram",
        names=(source, destination),
        addresses=(ip_text(data[4:8]),),
    )


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    """First-level decoding (RFC 1001 §14.1): 32 letters A-P hold 16 bytes; a scope may follow."""
    if data[at] >= 192:
        to = (data[at] & 63) << 8 | data[at + 1]
        if to >= at or data[to] >= 192:
            raise Malformed("a NetBIOS name points nowhere")
        return _read_name(data, to)[0], at + 2
    if data[at] != 32 or at + 33 > len(data):
        raise Malformed(f"a NetBIOS name of {data[at]} letters")
    pairs = data[at + 1 : at + 33]
    if any(not 65 <= letter <= 80 for letter in pairs):
        raise Malformed("a NetBIOS name with letters outside A-P")
    raw = bytes(pairs[i] - 65 << 4 | pairs[i + 1] - 65 for i in range(0, 32, 2))
    at += 33
    while data[at]:
        if data[at] >= 64:
            raise Malformed("a NetBIOS scope with a pointer")
        at += 1 + data[at]
    return _shown(raw), at + 1


def _status_names(value: bytes) -> Iterator[str]:
    """The names a host answers to (NBSTAT): 15 bytes, a suffix, two bytes of flags each."""
    for entry in range(1, 1 + 18 * min(value[0], _MAX_ENTRIES), 18):
        if entry + 16 <= len(value):
            yield _shown(value[entry : entry + 16])


def _shown(raw: bytes) -> str:
    return f"{readable(raw[:15].rstrip(b' ').rstrip(bytes(1)))}<{raw[15]:02x}>"
