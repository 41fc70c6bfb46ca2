"""Every envelope that the fast lane opens, as a function from an IP packet to a frame."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.collector.fastlane_frames import ethernet, ipv4, ipv6, udp

_A, _B = "192.0.2.1", "192.0.2.2"
_SNAP = b"\xaa\xaa\3\0\0\0\x08\0"


def _gre(kind: int, body: bytes, flags: int = 0, options: bytes = b"") -> bytes:
    return ethernet(ipv4(_A, _B, 47, struct.pack("!HH", flags, kind) + options + body))


def _in_udp(port: int, body: bytes) -> bytes:
    return ethernet(ipv4(_A, _B, 17, udp(50000, port, body)))


def _wifi(packet: bytes) -> bytes:
    return b"\x88\2\0\0" + bytes(18) + b"\0\0\0\0" + _SNAP + packet


def _several(packet: bytes) -> bytes:
    """An A-MSDU of the packet twice."""
    body = _SNAP + packet
    part = bytes(12) + struct.pack("!H", len(body)) + body
    part += bytes(-len(part) & 3)
    return b"\x88\2\0\0" + bytes(18) + b"\0\0\x80\0" + part + part


ENVELOPES: dict[str, Callable[[bytes], bytes]] = {
    "802.1Q": lambda ip: ethernet(ip, vlan=7),
    "QinQ": lambda ip: ethernet(struct.pack("!HHHH", 5, 0x8100, 7, 0x0800) + ip, 0x88A8),
    "MPLS": lambda ip: ethernet(b"\0\1\x01\x40" + ip, 0x8847),
    "MPLS pseudo-wire": lambda ip: ethernet(b"\0\1\x01\x40" + bytes(4) + ethernet(ip), 0x8847),
    "PPPoE": lambda ip: ethernet(
        b"\x11\0\0\1" + struct.pack("!H", len(ip) + 2) + b"\0\x21" + ip, 0x8864
    ),
    "802.1ah": lambda ip: ethernet(bytes(4) + ethernet(ip), 0x88E7),
    "FabricPath": lambda ip: ethernet(b"\x12\x34" + ethernet(ip), 0x8903),
    "MetaData": lambda ip: ethernet(b"\1\1\0\1\0\x21\x08\0" + ip, 0x8909),
    "VN-Tag": lambda ip: ethernet(b"\0\0\0\1\x08\0" + ip, 0x8926),
    "HSR": lambda ip: ethernet(b"\0\x50\0\1\x08\0" + ip, 0x892F),
    "TRILL": lambda ip: ethernet(b"\0\x05\0\1\0\2" + ethernet(ip), 0x22F3),
    "NSH": lambda ip: ethernet(b"\0\2\1\1\0\0\1\xff" + ip, 0x894F),
    "GRE": lambda ip: _gre(0x0800, ip),
    "GRE with key": lambda ip: _gre(0x0800, ip, 0x2000, b"\0\0\0\7"),
    "GRETAP": lambda ip: _gre(0x6558, ethernet(ip)),
    "PPTP": lambda ip: _gre(0x880B, b"\xff\3\0\x21" + ip, 0x2001, b"\0\x40\0\1"),
    "ERSPAN I": lambda ip: _gre(0x88BE, ethernet(ip)),
    "ERSPAN II": lambda ip: _gre(0x88BE, b"\x10\1\0\0" + bytes(4) + ethernet(ip), 0x1000, bytes(4)),
    "ERSPAN III": lambda ip: _gre(0x22EB, b"\x20\1" + bytes(10) + ethernet(ip), 0x1000, bytes(4)),
    "ERSPAN III with platform": lambda ip: _gre(
        0x22EB, b"\x20\1" + bytes(9) + b"\1" + bytes(8) + ethernet(ip), 0x1000, bytes(4)
    ),
    "Aruba": lambda ip: _gre(0x8200, _wifi(ip)),
    "Aruba, several": lambda ip: _gre(0x8240, _several(ip)),
    "IP in IP": lambda ip: ethernet(ipv4(_A, _B, 4, ip)),
    "4in6": lambda ip: ethernet(ipv6("fd00::1", "fd00::2", 4, ip), 0x86DD),
    "EtherIP": lambda ip: ethernet(ipv4(_A, _B, 97, b"\x30\0" + ethernet(ip))),
    "MPLS in IP": lambda ip: ethernet(ipv4(_A, _B, 137, b"\0\1\x01\x40" + ip)),
    "MPLS in UDP": lambda ip: _in_udp(6635, b"\0\1\x01\x40" + ip),
    "VXLAN": lambda ip: _in_udp(4789, b"\x08\0\0\0\0\0\1\0" + ethernet(ip)),
    "VXLAN-GPE": lambda ip: _in_udp(4790, b"\x0c\0\0\1\0\0\1\0" + ip),
    "GENEVE": lambda ip: _in_udp(6081, b"\1\0\x65\x58\0\0\1\0" + bytes(4) + ethernet(ip)),
    "GTP-U": lambda ip: _in_udp(2152, b"\x30\xff" + struct.pack("!HI", len(ip), 1) + ip),
    "L2TP": lambda ip: _in_udp(
        1701, b"\x40\2" + struct.pack("!HHH", len(ip) + 12, 1, 2) + b"\xff\3\0\x21" + ip
    ),
    "Teredo": lambda ip: _in_udp(3544, ipv6("2001:0:1::1", "2001:0:1::2", 4, ip)),
}
