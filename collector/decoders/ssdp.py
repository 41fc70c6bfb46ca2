"""SSDP (UPnP device architecture §1): devices that announce themselves and who looks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import header_fields, readable
from collector.packet import Packet, Pick
from collector.sightings import Sighting, Ssdp


class SsdpDecoder(Decoder):
    """NOTIFY, M-SEARCH, and answers (method "200")."""

    pick: ClassVar[Pick] = Pick.SSDP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        first, fields = header_fields(packet.payload)
        words = first.split(b" ", 2)
        if b"HTTP/1." not in first or len(words) < 3:
            raise Malformed("no SSDP message")
        yield Ssdp(
            **seen(packet),
            method=readable(words[1] if words[0].startswith(b"HTTP/") else words[0], 16),
            search_target=fields.get("st") or fields.get("nt", ""),
            location=fields.get("location", ""),
            server=fields.get("server", ""),
        )
