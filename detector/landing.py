"""Where vendors land: the register's landing hosts and pools, and what each line may reach."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from detector.hospital import RegisteredLine

Network = IPv4Network | IPv6Network


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


def networks_of(texts: tuple[str, ...]) -> list[Network]:
    """Addresses and prefixes as networks; names are left out, they are matched elsewhere."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text.strip(), strict=False))
        except ValueError:
            continue
    return networks


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
