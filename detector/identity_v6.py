"""IPv6 addresses of machines: a host has several at a time, and draws new ones every day.

Link-local, SLAAC, privacy (RFC 8981) and DHCPv6 addresses all begin with duplicate address
detection (RFC 4862 §5.4, RFC 8415 §18.2.10.1): a multicast question that bears the host's MAC,
heard in the whole VLAN. It and neighbour advertisements tell which machine an address is.

The first MAC that takes an address has it. Another one is believed once nothing was heard at it for
a day: whoever answers for a neighbour's address meanwhile changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Final

from collector.sightings import Dhcpv6, NeighborAdvertisement, Sighting
from detector.hospital import Hospital

DAY_NS: Final = 86_400_000_000_000
_MOST_ADDRESSES: Final = 200_000
#: A MAC that takes more within a day answers for others, or lies.
_MOST_A_DAY: Final = 32
#: Addresses of a machine that are remembered and shown, the latest.
MOST_OF_ONE: Final = 64
#: DHCPv6 messages in which a host names addresses that it has.
_HELD: Final = frozenset({"renew", "rebind", "confirm", "release"})


@dataclass
class Held:
    """An address, whose it is, and when it was heard there."""

    mac: str
    first_ns: int
    last_ns: int


@dataclass
class SixAddresses:
    """Which MAC has which address; bounded, the longest unheard forgotten first."""

    held: OrderedDict[str, Held] = field(default_factory=OrderedDict)
    by_mac: dict[str, list[str]] = field(default_factory=dict)

    def take(self, mac: str, ip: str, now_ns: int, is_in_use: bool = False) -> str:
        """A MAC was heard at an address; "" if it is believed, else why not."""
        held = self.held.get(ip)
        if held is not None and held.mac == mac:
            held.last_ns = max(held.last_ns, now_ns)
            self.held.move_to_end(ip)
            return ""
        if held is not None and (is_in_use or now_ns - held.last_ns < DAY_NS):
            return "IPv6 address of another machine"
        mine = self.by_mac.setdefault(mac, [])
        lately = [a for a in mine if now_ns - self.held[a].first_ns < DAY_NS]
        if len(lately) >= _MOST_A_DAY:
            return "MAC with many IPv6 addresses"
        if held is not None:
            self._forget(ip)
        elif len(mine) >= MOST_OF_ONE:
            self._forget(mine[0])
        elif len(self.held) >= _MOST_ADDRESSES:
            self._forget(next(iter(self.held)))
        self.held[ip] = Held(mac, now_ns, now_ns)
        self.by_mac.setdefault(mac, []).append(ip)
        return ""

    def of(self, mac: str) -> list[tuple[str, Held]]:
        """All addresses of a machine, in the order in which it took them."""
        return [(ip, self.held[ip]) for ip in self.by_mac.get(mac, ())]

    def _forget(self, ip: str) -> None:
        mac = self.held.pop(ip).mac
        mine = self.by_mac[mac]
        mine.remove(ip)
        if not mine:
            del self.by_mac[mac]


def claims(said: Sighting, hospital: Hospital) -> tuple[str, tuple[str, ...]]:
    """The MAC and the hospital's IPv6 addresses that it says it has; none where it says nothing."""
    if isinstance(said, NeighborAdvertisement):
        return said.target_mac, tuple(ip for ip in (said.target_ip,) if _is_held(ip, hospital))
    if isinstance(said, Dhcpv6) and said.message in _HELD and said.ip.startswith("fe80:"):
        return said.mac, tuple(ip for ip in said.addresses if _is_held(ip, hospital))
    return "", ()


def _is_held(ip: str, hospital: Hospital) -> bool:
    """One of the hospital's own, or a link-local one that a host drew for itself.

    fe80::1 and the like are set by hand, on many VLANs at a time.
    """
    if ":" not in ip:
        return False
    address = IPv6Address(ip)
    if address.is_link_local:
        return int(address) & ((1 << 64) - 1) >= 1 << 32
    return not address.is_multicast and hospital.is_inside(ip)
