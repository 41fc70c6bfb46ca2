"""What kind of address each numbered host has: inside, public, or of a phone's sharing range."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.addresses import in_networks
from detector.hospital import Hospital
from detector.lines.reference import sharing_ranges
from detector.window_kernels import INSIDE, LOOPBACK, PUBLIC, SHARING, SPECIAL

__all__ = [
    "INSIDE", "LOOPBACK", "PUBLIC", "SHARING", "SPECIAL", "address_kinds", "is_public",
]  # fmt: skip

#: Where machines that have no address now stand: RFC 6666's discard prefix, in no traffic.
AWAY: Final = ip_network("100::/64")

_SPECIAL: Final = tuple(
    ip_network(p)
    for p in ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
)
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_NOT_PUBLIC: Final = tuple(
    ip_network(p)
    for p in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7",
        "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32",
    )
)  # fmt: skip
_DOCUMENTATION: Final = tuple(
    ip_network(p) for p in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def address_kinds(addresses: NDArray[np.uint64], hospital: Hospital) -> NDArray[np.uint8]:
    """Kinds of (n, 2) addresses as bits."""
    loopback = in_networks(addresses, _LOOPBACK)
    special = in_networks(addresses, _SPECIAL) & ~loopback
    # Machines that are away now come back to addresses inside, with the number they have.
    inside = in_networks(addresses, (*hospital.inside, AWAY)) & ~special
    # Documentation ranges stand for the Internet in drills and samples.
    private = in_networks(addresses, _NOT_PUBLIC) & ~in_networks(addresses, _DOCUMENTATION)
    public = ~(inside | special | loopback | private)
    sharing = in_networks(addresses, tuple(r.prefix for r in sharing_ranges()))
    bits = inside * INSIDE + public * PUBLIC + sharing * SHARING
    bits = bits + special * SPECIAL + loopback * LOOPBACK
    kinds: NDArray[np.uint8] = bits.astype(np.uint8)
    return kinds


def is_public(text: str, hospital: Hospital) -> bool:
    """Is this text an address on the Internet, and none of the hospital's own?"""
    return _is_of_internet(text) and not hospital.is_inside(text)


@lru_cache(maxsize=65_536)  # a window's DNS answers name the same few over and over
def _is_of_internet(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    is_outside = address.is_global or any(
        address.version == n.version and address in n for n in _DOCUMENTATION
    )
    return is_outside and not address.is_multicast
