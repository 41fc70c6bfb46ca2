"""A packet on its way to tshark: what is kept of it until its line comes back."""

from __future__ import annotations

from dataclasses import dataclass

from collector.decoders.decoder import Seen
from collector.told import Ends


@dataclass(frozen=True, slots=True)
class Fed:
    """`magic` is "MZ" where a WRITE starts with a program."""

    seen: Seen
    connection: tuple[tuple[str, int], ...]
    magic: str

    @staticmethod
    def of(sensor: str, ends: Ends, magic: str) -> Fed:
        time_ns, vlan, mac, ip, port, peer_mac, peer_ip, peer_port = ends
        seen: Seen = {
            "time_ns": time_ns,
            "sensor": sensor,
            "vlan": vlan,
            "mac": mac,
            "ip": ip,
            "port": port,
            "peer_mac": peer_mac,
            "peer_ip": peer_ip,
            "peer_port": peer_port,
        }
        both = ((ip, port), (peer_ip, peer_port))
        return Fed(seen, both if both[0] <= both[1] else both[::-1], magic)
