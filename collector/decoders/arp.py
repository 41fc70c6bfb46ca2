"""ARP (RFC 826): who has which address on the segment."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import ip_text
from collector.packet import Packet, Pick
from collector.sightings import Arp, Sighting

_HEAD = struct.Struct("!HHBBH")


class ArpDecoder(Decoder):
    """Asks and answers of ARP over Ethernet and IPv4."""

    pick: ClassVar[Pick] = Pick.ARP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload
        _, protocol, mac_length, ip_length, operation = _HEAD.unpack_from(data)
        if protocol != 0x0800 or mac_length != 6 or ip_length != 4 or len(data) < 28:
            raise Malformed(f"ARP for protocol {protocol:#06x}, {len(data)} bytes")
        where = seen(packet)
        where["ip"] = ip_text(data[14:18])
        where["peer_ip"] = ip_text(data[24:28])
        yield Arp(
            **where,
            operation=operation,
            sender_mac=data[8:14].hex(":"),
            sender_ip=where["ip"],
            target_mac=data[18:24].hex(":"),
            target_ip=where["peer_ip"],
        )
