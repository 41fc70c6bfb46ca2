"""Neighbour discovery (RFC 4861) and redirects: who claims to be a router, or an address."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import ip_list, ip_text, mac_of
from collector.packet import Packet, Pick
from collector.sightings import NeighborAdvertisement, Redirect, RouterAdvertisement, Sighting


class NdDecoder(Decoder):
    """Router advertisements, claims of addresses and redirects; ICMP redirects of IPv4 too.

    Of neighbour solicitations only those of duplicate address detection are picked.

    The payload starts at the ICMP type, which the packet has as its source port too.
    """

    pick: ClassVar[Pick] = Pick.ND

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload
        if packet.protocol == 1 and data[0] == 5 and len(data) >= 8 + 20:
            yield Redirect(
                **seen(packet), router_ip=ip_text(data[4:8]), destination_ip=ip_text(data[24:28])
            )
        elif data[0] == 134 and len(data) >= 16:
            yield _router(packet)
        elif data[0] == 136 and len(data) >= 24:
            macs = [value for option, value in _options(data, 24) if option == 2]
            yield NeighborAdvertisement(
                **seen(packet),
                target_ip=ip_text(data[8:24]),
                target_mac=mac_of(macs[0]) if macs else packet.source_mac,
            )
        elif data[0] == 135 and len(data) >= 24:
            yield NeighborAdvertisement(
                **seen(packet),
                target_ip=ip_text(data[8:24]),
                target_mac=packet.source_mac,
                is_tentative=True,
            )
        elif data[0] == 137 and len(data) >= 40:
            yield Redirect(
                **seen(packet), router_ip=ip_text(data[8:24]), destination_ip=ip_text(data[24:40])
            )
        else:
            raise Malformed(f"ICMP type {data[0]} of {len(data)} bytes")


def _router(packet: Packet) -> RouterAdvertisement:
    prefixes: list[str] = []
    servers: list[str] = []
    mac = packet.source_mac
    for option, value in _options(packet.payload, 16):
        if option == 1:
            mac = mac_of(value) or mac
        elif option == 3 and len(value) >= 30:
            prefixes.append(f"{ip_text(value[14:30])}/{value[0]}")
        elif option == 25:
            servers.extend(ip_list(value[6:], 16))
    return RouterAdvertisement(
        **seen(packet),
        router_mac=mac,
        lifetime_s=struct.unpack_from("!H", packet.payload, 6)[0],
        prefixes=tuple(prefixes),
        dns_servers=tuple(servers),
    )


def _options(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Options as (type, what follows the length byte); a length of 0 ends them (§4.6)."""
    while at + 2 <= len(data) and data[at + 1]:
        yield data[at], data[at + 2 : at + data[at + 1] * 8]
        at += data[at + 1] * 8
