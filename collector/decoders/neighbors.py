"""LLDP (IEEE 802.1AB) and CDP: what a device says of itself and of the port it sits on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import ip_text, mac_of, readable
from collector.packet import Packet, Pick
from collector.sightings import Sighting, SwitchNeighbor

_LLDP_CAPABILITIES: Final = (
    "other", "repeater", "bridge", "wlan_ap", "router", "telephone", "docsis", "station",
    "cvlan", "svlan", "two_port_relay",
)  # fmt: skip
_CDP_CAPABILITIES: Final = (
    "router", "transparent_bridge", "source_route_bridge", "switch", "host", "igmp", "repeater",
    "telephone", "remotely_managed",
)  # fmt: skip
_CDP_SNAP: Final = b"\xaa\xaa\x03\x00\x00\x0c\x20\x00"


class LldpDecoder(Decoder):
    """LLDP frames of switches, phones, access points and servers."""

    pick: ClassVar[Pick] = Pick.LLDP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        values, is_whole = _lldp_values(packet.payload)
        if 1 not in values or 2 not in values:
            raise Malformed("LLDP without chassis or port")
        yield SwitchNeighbor(
            **seen(packet),
            protocol="lldp",
            chassis=_identity(values[1], mac_subtype=4, address_subtype=5),
            port_name=_identity(values[2], mac_subtype=3, address_subtype=4),
            system_name=readable(values.get(5, b"")),
            system_description=readable(values.get(6, b"")),
            capabilities=_flags(values.get(7, b"")[2:4], _LLDP_CAPABILITIES),
            management_ip=_management(values.get(8, b"")),
        )
        if not is_whole:
            raise Malformed("LLDP runs past the end")


class CdpDecoder(Decoder):
    """CDP frames of Cisco devices; the payload starts at the SNAP head or behind it."""

    pick: ClassVar[Pick] = Pick.CDP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload.removeprefix(_CDP_SNAP)
        if len(data) < 8 or data[0] not in (1, 2):
            raise Malformed("no CDP message")
        values: dict[int, bytes] = {}
        at = 4
        while at + 4 <= len(data):
            kind, length = struct.unpack_from("!HH", data, at)
            if length < 4:
                break
            values.setdefault(kind, data[at + 4 : at + length])
            at += length
        yield SwitchNeighbor(
            **seen(packet),
            protocol="cdp",
            chassis=readable(values.get(1, b"")),
            port_name=readable(values.get(3, b"")),
            system_name=readable(values.get(1, b"")),
            system_description=readable(values.get(6, b"")),
            capabilities=_flags(values.get(4, b""), _CDP_CAPABILITIES),
            management_ip=_cdp_address(values.get(0x16) or values.get(2, b"")),
        )


def _lldp_values(data: bytes) -> tuple[dict[int, bytes], bool]:
    values: dict[int, bytes] = {}
    at = 0
    while at + 2 <= len(data):
        kind, length = data[at] >> 1, (data[at] & 1) << 8 | data[at + 1]
        if kind == 0:
            return values, True
        values.setdefault(kind, data[at + 2 : at + 2 + length])
        at += 2 + length
    return values, at <= len(data)


def _identity(value: bytes, mac_subtype: int, address_subtype: int) -> str:
    if value[:1] == bytes([mac_subtype]) and len(value) == 7:
        return mac_of(value[1:])
    if value[:1] == bytes([address_subtype]) and len(value) in (6, 18):
        return ip_text(value[2:])
    return readable(value[1:])


def _management(value: bytes) -> str:
    """§8.5.9: length, family (1 IPv4, 2 IPv6), address."""
    if value[:2] == b"\x05\x01" and len(value) >= 6:
        return ip_text(value[2:6])
    return ip_text(value[2:18]) if value[:2] == b"\x11\x02" and len(value) >= 18 else ""


def _cdp_address(value: bytes) -> str:
    """A count, then protocol type, length and value (0xCC = IP), address length, address."""
    if len(value) < 13 or value[4:7] != b"\x01\x01\xcc" or value[7:9] != b"\0\4":
        return ""
    return ip_text(value[9:13])


def _flags(value: bytes, names: tuple[str, ...]) -> tuple[str, ...]:
    bits = int.from_bytes(value[:4], "big")
    return tuple(name for bit, name in enumerate(names) if bits >> bit & 1)
