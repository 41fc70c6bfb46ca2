"""How foreign an address is to the hospital's plan."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from typing import Final

from detector.hospital import Hospital
from detector.lines.reference import CARRIER_NAT, is_virtual, sharing_range

#: A private address that is neither planned nor of a range that sharing devices use.
OTHER_PRIVATE: Final = 2.0
#: One that only a carrier hands out: public, or of its address translation.
CARRIERS: Final = 3.0
#: One that nobody would have typed: ten times likelier drawn by a phone than chosen by a person.
DRAWN: Final = 3.0
_BROADCAST = IPv4Address("255.255.255.255")
_GLOBAL_V6: Final = IPv6Network("2000::/3")


def foreign_weight(ip: str, hospital: Hospital) -> float:
    """Log10 likelihood weight of an address on the LAN that is not of the plan; 0 = nothing.

    Sharing ranges weigh 3.5 with or without a plan. With a plan, carrier NAT and public addresses
    weigh 3 and other private ones 2; ranges of virtual machines within a PC hardly anything.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return 0.0
    if address.is_multicast or address.is_link_local or address.is_loopback:
        return 0.0
    if address.is_unspecified or address == _BROADCAST:
        return 0.0
    has_plan = bool(hospital.segments)
    if has_plan and hospital.is_inside(ip):
        return 0.0
    if sharing_range(ip) is not None:
        return 3.5
    if not has_plan:
        return 0.0
    if address.version == 6 and not any(n.version == 6 for n in hospital.inside):
        return 0.0  # nobody planned IPv6, so its absence from the plan says nothing
    if address.is_global or (address.version == 4 and address in CARRIER_NAT):
        return CARRIERS
    return 0.5 if is_virtual(ip) else OTHER_PRIVATE


#: Addresses that a PC makes up for tunnels of its own: Teredo, 6to4.
_MADE_UP_V6: Final = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
_ISATAP: Final = ":0000:5efe:"  # RFC 5214 §6.1


def is_native_v6(ip: str) -> bool:
    """True for global IPv6 unicast that came over a link, none that a PC made up for a tunnel."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if address.version != 6 or address not in _GLOBAL_V6 or _ISATAP in address.exploded:
        return False
    return not any(address in network for network in _MADE_UP_V6)


#: Octets that people choose: small, even tens, twins, powers of two, the ends.
_CHOSEN: Final = frozenset(
    {*range(31), *range(0, 256, 10), *range(100, 106), *range(200, 206), *range(250, 256)}
    | {33, 44, 55, 64, 66, 77, 88, 99, 111, 123, 128, 168, 172, 192, 222}
)
_OF_PHONES: Final = ((IPv4Network("10.0.0.0/8"), 1), (IPv4Network("192.168.0.0/16"), 2))


def is_drawn(ip: str) -> bool:
    """True where two octets or more look drawn by lot.

    Android 11 and later share a /24 drawn from the private ranges (AOSP,
    PrivateAddressCoordinator). A second network card of a console has an address that a person
    typed, again and again the same few. 172.16.0.0/12 is left out: Hyper-V and WSL draw there too.
    """
    try:
        address = IPv4Address(ip)
    except ValueError:
        return False
    free = next((size for network, size in _OF_PHONES if address in network), 4)
    return sum(octet not in _CHOSEN for octet in address.packed[free:]) >= 2
