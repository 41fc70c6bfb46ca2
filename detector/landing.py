"""Where vendors land: the register's landing hosts and pools, and what each line may reach."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from detector.addresses import in_networks
from detector.hospital import RegisteredLine

if TYPE_CHECKING:
    from detector.detection import Window

Network = IPv4Network | IPv6Network

#: What any machine needs of the hospital's own infrastructure.
_INFRASTRUCTURE: Final = frozenset({"dns", "dhcp", "domain_controller", "gateway", "wsus"})
_INFRASTRUCTURE_PORTS: Final = (53, 67, 88, 123, 135, 389, 445, 464, 636, 3268, 3269, 8530, 8531)


@lru_cache(maxsize=64)
def landing_networks(lines: tuple[RegisteredLine, ...]) -> tuple[Network, ...]:
    """All landing hosts and pools of the register, and the line devices themselves."""
    return tuple(n for line in lines for n in line_networks(line))


@lru_cache(maxsize=4096)
def line_networks(line: RegisteredLine) -> tuple[Network, ...]:
    """Where this line's sessions land inside: hosts, pools and its own device."""
    return tuple(networks_of((*line.landing, *([line.device_ip] if line.device_ip else []))))


@lru_cache(maxsize=4096)
def allowed_targets(line: RegisteredLine) -> tuple[tuple[Network, int], ...]:
    """(prefix, port) pairs that the contract allows; port 0 = any."""
    allowed: list[tuple[Network, int]] = []
    for text in line.allowed_targets:
        where, port = _split_port(text)
        allowed.extend((network, port) for network in networks_of((where,)))
    return tuple(allowed)


@lru_cache(maxsize=4096)
def vendor_networks(line: RegisteredLine) -> tuple[Network, ...]:
    """Where nobody but the vendor speaks: the line's device, and pools of more than one address."""
    device = networks_of((line.device_ip,)) if line.device_ip else []
    return tuple(device) + tuple(n for n in networks_of(line.landing) if n.num_addresses > 1)


def allowed_rows(window: Window, line: RegisteredLine) -> NDArray[np.bool_]:
    """Which flows of a window go where the line's contract, or any machine's needs, allow."""
    flows = window.flows
    allowed = np.zeros(len(flows), bool)
    for network, port in allowed_targets(line):
        there = in_networks(flows.destination, (network,))
        allowed |= there if port == 0 else there & (flows.destination_port == port)
    needed = np.flatnonzero(np.isin(flows.destination_port, _INFRASTRUCTURE_PORTS))
    for row in needed.tolist():
        if window.hosts.get(int(window.destination[row])).role in _INFRASTRUCTURE:
            allowed[row] = True
    return allowed


def networks_of(texts: tuple[str, ...]) -> list[Network]:
    """Addresses and prefixes as networks; names are left out, they are matched elsewhere."""
    return list(_networks(texts))


@lru_cache(maxsize=16_384)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip(), strict=False))
        except ValueError:
            continue
    return tuple(networks)


def is_endpoint(ip: str, name: str, line: RegisteredLine) -> bool:
    """True where an address or name is one of the line's outside ends."""
    patterns = [o.lower() for o in line.outside]
    if name and any(fnmatchcase(name, p) or name == p for p in patterns):
        return True
    return bool(ip) and is_one_of(ip, line.outside)


@lru_cache(maxsize=65536)
def is_one_of(ip: str, texts: tuple[str, ...]) -> bool:
    """True where an address is one of these addresses or in one of these prefixes."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address.version == n.version and address in n for n in networks_of(texts))


def _split_port(text: str) -> tuple[str, int]:
    """'10.1.2.3:104' → ('10.1.2.3', 104); IPv6 with a port is written '[::1]:104'."""
    text = text.strip()
    if text.startswith("["):
        where, _, port = text[1:].partition("]:")
        return where.rstrip("]"), int(port) if port.isdigit() else 0
    where, _, port = text.rpartition(":")
    if where and ":" not in where and port.isdigit():
        return where, int(port)
    return text, 0
