"""mDNS (RFC 6762) and LLMNR (RFC 4795): names asked for and claimed by multicast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.dns_message import ANYWHERE, AUTHORITY, read_message, read_name
from collector.packet import Packet, Pick
from collector.sightings import NameAnnouncement, Sighting

_TCP: Final = 6
_PTR: Final = 12


class MdnsDecoder(Decoder):
    """Questions, and answers with the names and addresses that they claim.

    A probe (a question that brings its own records, §8.1) is an announcement already.
    """

    pick: ClassVar[Pick] = Pick.MDNS

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        return _announcements(packet, packet.payload, "mdns")


class LlmnrDecoder(Decoder):
    """Questions of Windows hosts for a name that DNS does not know, and who answers them."""

    pick: ClassVar[Pick] = Pick.LLMNR

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload[2:] if packet.protocol == _TCP else packet.payload
        return _announcements(packet, data, "llmnr")


def _announcements(packet: Packet, data: bytes, protocol: str) -> Iterator[NameAnnouncement]:
    message = read_message(data)
    names = dict.fromkeys(name for name, _ in message.questions)
    for _, name, kind, at, _ in message.records:
        if name:
            names[name] = None
        if kind == _PTR and message.is_response:
            try:
                names[read_name(data, at)[0]] = None
            except (ValueError, IndexError):
                message.is_cut = True
    own = ANYWHERE if message.is_response else (AUTHORITY,)  # where a probe brings its own
    yield NameAnnouncement(
        **seen(packet),
        protocol=protocol,
        operation="response" if message.is_response else "query",
        names=tuple(names),
        addresses=tuple(dict.fromkeys(address for _, address in message.addresses(own))),
    )
    if message.is_cut:
        raise Malformed("a record runs past the end")
