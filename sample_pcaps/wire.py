"""Frames as a SPAN port on the core switch sees them, and the capture file they end in."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random

from sample_pcaps.hospital import CORE_MAC, FIREWALL, Host, vlan_of

SECOND = 1_000_000_000
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"


@dataclass(frozen=True)
class Stack:
    """How an operating system starts its packets: TTL, and the SYN's window and options."""

    ttl: int
    window: int
    syn_options: bytes
    timestamps: bool = False


_MSS = struct.pack("!BBH", 2, 4, 1460)
STACKS = {
    "windows": Stack(128, 64240, _MSS + b"\x01\x03\x03\x08\x01\x01\x04\x02"),
    "windows7": Stack(128, 8192, _MSS + b"\x01\x03\x03\x08\x01\x01\x04\x02"),
    "linux": Stack(64, 64240, _MSS + b"\x04\x02\x08\x0a{ts}\x01\x03\x03\x07", timestamps=True),
    "device": Stack(64, 5840, _MSS),
    "switch": Stack(255, 4128, _MSS),
}


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def ip_bytes(ip: str) -> bytes:
    return ip_address(ip).packed


class Span:
    """A mirror port: takes every packet once, as it enters the core switch, tagged.

    So a routed packet carries its sender's VLAN, its sender's MAC and, as next hop, the core's.
    What comes from outside enters through the firewall with the hops it has made.
    """

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self._frames: list[tuple[int, bytes, int]] = []
        self._ids: dict[str, int] = {}
        self._ports: dict[str, int] = {}

    def ethernet(
        self, at: int, source: str, destination: str, kind: int, payload: bytes, vlan: int
    ) -> None:
        """One frame; `vlan` 0 leaves the tag off (LLDP and the like)."""
        tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
        head = mac_bytes(destination) + mac_bytes(source) + tag + struct.pack("!H", kind)
        data = (head + payload).ljust(60, b"\0")
        self._frames.append((at, data, len(data)))

    def ip(
        self,
        at: int,
        source: Host,
        destination: Host,
        protocol: int,
        payload: bytes,
        *,
        cut: int = 0,
        from_ip: str = "",
        next_hop: str = "",
    ) -> None:
        """One IPv4 packet. `cut` keeps so many bytes of the payload and counts the rest as sent.

        `from_ip` speaks from another address than the host's own; `next_hop` is a MAC to send to.
        """
        stack = STACKS[source.system]
        vlan = vlan_of(source)
        ttl = stack.ttl - source.hops
        if protocol == 17 and ip_address(destination.ip).is_multicast:
            ttl = 1
        number = self._ids.get(source.name, self.random.randrange(65536)) + 1 & 0xFFFF
        self._ids[source.name] = number
        length = 20 + len(payload)
        head = struct.pack("!BBHHHBBH", 0x45, 0, length, number, 0x4000, ttl, protocol, 0)
        head += ip_bytes(from_ip or source.ip) + ip_bytes(destination.ip)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        next_hop = next_hop or self._next_hop(destination, vlan)
        source_mac = source.mac or FIREWALL.mac
        ethernet = mac_bytes(next_hop) + mac_bytes(source_mac)
        ethernet += struct.pack("!HHH", 0x8100, vlan, 0x0800)
        kept = payload[:cut] if cut else payload
        wire_length = max(60, len(ethernet) + length)
        data = ethernet + head + kept
        if not cut or cut >= len(payload):
            data = data.ljust(60, b"\0")
        self._frames.append((at, data, wire_length))

    def udp(
        self,
        at: int,
        source: Host,
        source_port: int,
        destination: Host,
        port: int,
        payload: bytes,
        *,
        from_ip: str = "",
        next_hop: str = "",
    ) -> None:
        head = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0)
        total = checksum(pseudo_header(source, destination, 17, head + payload, from_ip))
        head = head[:6] + struct.pack("!H", total or 0xFFFF)
        self.ip(at, source, destination, 17, head + payload, from_ip=from_ip, next_hop=next_hop)

    def ephemeral(self, host: Host) -> int:
        """The host's next free client port."""
        first = 32768 if STACKS[host.system].timestamps else 49152
        port = self._ports.get(host.name, first + self.random.randrange(8000)) + 1
        self._ports[host.name] = port if port < 65000 else first
        return port

    def pcap(self) -> bytes:
        """The capture, in time order, as a classic little-endian pcap with microseconds."""
        out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
        for at, data, wire_length in sorted(self._frames, key=lambda f: f[0]):
            micro = at // 1000
            seconds, rest = divmod(micro, 1_000_000)
            out.append(struct.pack("<IIII", seconds, rest, len(data), wire_length))
            out.append(data)
        return b"".join(out)

    @staticmethod
    def _next_hop(destination: Host, vlan: int) -> str:
        if destination.mac and vlan_of(destination) == vlan:
            return destination.mac
        address = ip_address(destination.ip)
        if address.is_multicast:
            low = int(address) & 0x7FFFFF
            return "01:00:5e:" + ":".join(f"{low >> s & 255:02x}" for s in (16, 8, 0))
        if destination.ip.endswith(".255"):
            return BROADCAST_MAC
        return CORE_MAC


def pseudo_header(
    source: Host, destination: Host, protocol: int, segment: bytes, from_ip: str = ""
) -> bytes:
    """The bytes a UDP or TCP checksum runs over."""
    head = ip_bytes(from_ip or source.ip) + ip_bytes(destination.ip)
    return head + struct.pack("!BBH", 0, protocol, len(segment)) + segment
