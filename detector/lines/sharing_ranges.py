"""Default ranges of phones, dongles and PCs that share their own line with a LAN."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Final


@dataclass(frozen=True)
class SharingRange:
    """A range, its usual gateway, and who hands it out."""

    prefix: IPv4Network
    gateway: IPv4Address
    what: str


def _range(prefix: str, gateway: str, what: str) -> SharingRange:
    return SharingRange(IPv4Network(prefix), IPv4Address(gateway), what)


# Ranges that ordinary LANs also like (192.168.0, .1, .2, .8, .11 …) are left out on purpose: alone
# they prove nothing. Sources: AOSP tethering defaults, Microsoft ICS, Apple Personal Hotspot.
SHARING_RANGES: Final = (
    _range("192.168.137.0/24", "192.168.137.1", "Windows インターネット接続の共有 (ICS)"),
    _range("192.168.42.0/24", "192.168.42.129", "Android USB"),
    _range("192.168.43.0/24", "192.168.43.1", "Android Wi-Fi"),
    _range("192.168.44.0/24", "192.168.44.1", "Android Bluetooth"),
    _range("192.168.49.0/24", "192.168.49.1", "Android Wi-Fi Direct"),
    _range("172.20.10.0/28", "172.20.10.1", "iPhone / iPad"),
    _range("172.16.42.0/24", "172.16.42.1", "Wi-Fi Pineapple"),
    _range("192.168.179.0/24", "192.168.179.1", "Aterm mobile router"),
)


def sharing_range(ip: str) -> SharingRange | None:
    """The sharing range that holds an address; None if there is none."""
    try:
        address = ip_address(ip)
    except ValueError:
        return None
    if address.version != 4:
        return None
    return next((r for r in SHARING_RANGES if address in r.prefix), None)


def is_sharing_gateway(ip: str) -> bool:
    """True for the address at which a sharing phone, dongle or PC itself sits."""
    found = sharing_range(ip)
    return found is not None and str(found.gateway) == ip
