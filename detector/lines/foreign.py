"""How foreign an address is to the hospital's plan."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import Final

from detector.hospital import Hospital
from detector.lines.reference import CARRIER_NAT, is_virtual, sharing_range

#: A private address that is neither planned nor of a range that sharing devices use.
OTHER_PRIVATE: Final = 2.0
_BROADCAST = IPv4Address("255.255.255.255")


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
        return 3.0
    return 0.5 if is_virtual(ip) else OTHER_PRIVATE
