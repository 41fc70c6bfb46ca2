"""Which addresses of a window are the hospital's own, and which are one host's: by column."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import address_number
from detector.window_kernels import OURS, THEIRS

if TYPE_CHECKING:
    from detector.detection import Window

Network = IPv4Network | IPv6Network

#: Addresses that never leave their own link, inside by nature (RFC 3927, RFC 4291 §2.5.6).
LINK_LOCAL: Final = (ip_network("169.254.0.0/16"), ip_network("fe80::/10"))
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
NOT_ONE_HOST: Final = (
    ip_network("224.0.0.0/4"),
    ip_network("255.255.255.255/32"),
    ip_network("0.0.0.0/8"),
    ip_network("ff00::/8"),
    ip_network("::/128"),
)


def in_networks(addresses: NDArray[np.uint64], networks: tuple[Network, ...]) -> NDArray[np.bool_]:
    """True for each of (n, 2) addresses that lies in one of the networks."""
    found = np.zeros(len(addresses), bool)
    for high, high_mask, low, low_mask in _masks(networks):
        found |= ((addresses[:, 0] & high_mask) == high) & ((addresses[:, 1] & low_mask) == low)
    return found


def is_one_host(addresses: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True for unicast addresses of real hosts: no multicast, broadcast, loopback or 'any'.

    A directed broadcast (x.x.x.255) cannot be told without the prefix and is left out as well.
    """
    v4 = (addresses[:, 0] == 0) & (addresses[:, 1] >> np.uint64(32) == np.uint64(0xFFFF))
    directed = v4 & (addresses[:, 1] & np.uint64(255) == np.uint64(255))
    one: NDArray[np.bool_] = ~in_networks(addresses, NOT_ONE_HOST + LOOPBACK) & ~directed
    return one


def inside_flags(window: Window) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each flow: is its source ours, is its destination ours.

    Without an address plan a site may use public addresses inside. The originator of a
    conversation between two public addresses is then taken for ours.
    """
    return (window.marks & OURS) != 0, (window.marks & THEIRS) != 0


@lru_cache(maxsize=1024)
def _masks(
    networks: tuple[Network, ...],
) -> tuple[tuple[np.uint64, np.uint64, np.uint64, np.uint64], ...]:
    """(high, its mask, low, its mask) of each network as the columns hold addresses."""
    masks = []
    for network in networks:
        high, low = address_number(str(network.network_address))
        bits = network.prefixlen + (96 if network.version == 4 else 0)
        ends = (np.uint64(high), _mask(min(bits, 64)), np.uint64(low), _mask(max(bits - 64, 0)))
        masks.append(ends)
    return tuple(masks)


def _mask(bits: int) -> np.uint64:
    return np.uint64(((1 << bits) - 1) << (64 - bits))
