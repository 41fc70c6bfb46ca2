"""SSDP (UPnP device architecture §1) and WS-Discovery: devices that announce themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final
from urllib.parse import urlsplit

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import header_fields, readable
from collector.packet import Packet, Pick
from collector.sightings import NameAnnouncement, Sighting, Ssdp

_WSD_PORT: Final = 3702
#: WS-Discovery 1.1 §4-5: who is there says at which addresses; who only asks has none to tell.
_XADDRS: Final = re.compile(rb"[:<]XAddrs[^>]{0,200}>([^<]{1,2048})<")
_MOST_ADDRESSES: Final = 16


class SsdpDecoder(Decoder):
    """NOTIFY, M-SEARCH, and answers (method "200"); WS-Discovery's Hello and matches."""

    pick: ClassVar[Pick] = Pick.SSDP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        if _WSD_PORT in (packet.source_port, packet.destination_port):
            yield from _present(packet)
            return
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


def _present(packet: Packet) -> Iterator[Sighting]:
    """The transport addresses that a device or PC gives for itself."""
    found = _XADDRS.search(packet.payload)
    if found is None:
        return
    hosts: dict[str, None] = {}
    for url in found[1].split()[:_MOST_ADDRESSES]:
        try:
            host = urlsplit(readable(url)).hostname
        except ValueError:
            continue
        if host:
            hosts[host.partition("%")[0]] = None
    yield NameAnnouncement(
        **seen(packet), protocol="wsd", operation="present", addresses=tuple(hosts)
    )
