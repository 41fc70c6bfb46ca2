"""DHCPv6 (RFC 8415): who leases IPv6 addresses, and who asks."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.dns_message import read_name
from collector.decoders.wire import ip_list, ip_text, mac_of, readable
from collector.packet import Packet, Pick
from collector.sightings import Dhcpv6, Sighting

_MESSAGES: Final = (
    "", "solicit", "advertise", "request", "confirm", "renew", "rebind", "reply", "release",
    "decline", "reconfigure", "information_request", "relay_forward", "relay_reply",
)  # fmt: skip
_RELAYS: Final = (12, 13)
_MAX_RELAYS: Final = 8


class Dhcpv6Decoder(Decoder):
    """Messages between clients and servers; a relayed one is unwrapped."""

    pick: ClassVar[Pick] = Pick.DHCPV6

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload
        for _ in range(_MAX_RELAYS):
            if data[0] not in _RELAYS:
                break
            data = dict(_options(data, 34)).get(9, b"")
        if len(data) < 4 or not 0 < data[0] < len(_MESSAGES):
            raise Malformed("no DHCPv6 message")
        options = dict(_options(data, 4))
        client, server = options.get(1, b""), options.get(2, b"")
        yield Dhcpv6(
            **seen(packet),
            message=_MESSAGES[data[0]],
            client_id=client[:64].hex(),
            client_mac=_mac(client),
            server_id=server[:64].hex(),
            server_mac=_mac(server),
            addresses=tuple(_leased(options.get(3, b""))),
            dns_servers=ip_list(options.get(23, b""), 16),
            domain=_name(options.get(24, b"")),
            host_name=_name(options.get(39, b"")[1:]),
            vendor_class=readable(options.get(16, b"")[6:]),
        )


def _options(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(data):
        option, length = struct.unpack_from("!HH", data, at)
        yield option, data[at + 4 : at + 4 + length]
        at += 4 + length


def _leased(association: bytes) -> Iterator[str]:
    """Addresses (option 5) inside an IA_NA."""
    for option, value in _options(association, 12):
        if option == 5 and len(value) >= 16:
            yield ip_text(value[:16])


def _mac(duid: bytes) -> str:
    """The MAC in a DUID-LLT (1) or DUID-LL (3) of an Ethernet card."""
    if duid[:4] == b"\0\1\0\1":
        return mac_of(duid[8:])
    return mac_of(duid[4:]) if duid[:4] == b"\0\3\0\1" else ""


def _name(raw: bytes) -> str:
    return read_name(raw + b"\0", 0)[0] if raw else ""
