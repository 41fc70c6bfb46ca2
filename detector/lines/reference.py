"""The collector's lists of facts, as the detectors of lines use them."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from collector.data import ModemOui, Reference, RemoteTool, TetherRange, read_reference

#: Carrier-grade NAT is listed with the tether ranges; here it is a case of its own.
CARRIER_NAT: Final = IPv4Network("100.64.0.0/10")

#: Ranges of virtual machines and containers on one PC (VirtualBox, Docker, libvirt, WSL).
_VIRTUAL: Final = tuple(
    ip_network(p)
    for p in ("192.168.56.0/24", "192.168.122.0/24", "192.168.65.0/24", "10.0.2.0/24",
              "172.17.0.0/16", "172.18.0.0/16")
)  # fmt: skip


_folder: list[Path | None] = [None]


def use_lists(folder: Path | None) -> None:
    """Read the lists of this folder before the packaged ones from now on.

    They are facts of the world, the same for all detectors of a process, so one place holds them.
    """
    _folder[0] = folder
    for cached in (
        reference,
        tool_of,
        sharing_ranges,
        sharing_range,
        is_router_default,
        modem_makers,
        _reputation_services,
    ):
        cached.cache_clear()


@lru_cache(maxsize=1)
def reference() -> Reference:
    """The lists, read once."""
    return read_reference(_folder[0])


@lru_cache(maxsize=65_536)  # the same names are asked for all day
def tool_of(name: str) -> RemoteTool | None:
    """The remote tool that a domain name belongs to; None for all other names."""
    return reference().tool_of(name)


@lru_cache(maxsize=1)
def modem_makers() -> dict[int, ModemOui]:
    """Makers of modems and small routers by the first 24 bits of their MACs."""
    return {row.oui: row for row in reference().modem_ouis}


@lru_cache(maxsize=1)
def sharing_ranges() -> tuple[TetherRange, ...]:
    """Ranges that hardly anyone but a sharing phone, stick or PC hands out."""
    listed = reference().tether_ranges
    return tuple(r for r in listed if r.is_strong and r.prefix != CARRIER_NAT)


@lru_cache(maxsize=65536)
def sharing_range(ip: str) -> TetherRange | None:
    """The sharing range that holds an address; None if there is none."""
    try:
        address = ip_address(ip)
    except ValueError:
        return None
    return next((r for r in sharing_ranges() if address.version == 4 and address in r.prefix), None)


def is_sharing_gateway(ip: str) -> bool:
    """True for the address at which a sharing phone, stick or PC itself sits."""
    found = sharing_range(ip)
    return found is not None and str(found.gateway) == ip


@lru_cache(maxsize=65536)
def is_router_default(ip: str) -> bool:
    """True for the address that a listed router has on its LAN side when it is unpacked."""
    return any(str(r.gateway) == ip for r in reference().tether_ranges)


@lru_cache(maxsize=65536)
def is_virtual(ip: str) -> bool:
    """True for ranges that virtual machines and containers use within one PC."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address in n for n in _VIRTUAL)


@lru_cache(maxsize=1)
def _reputation_services() -> frozenset[str]:
    return frozenset(service.suffix for service in reference().reputation_services)


def is_reputation(name: str) -> bool:
    """Is this name a question to a listed reputation service?"""
    labels = name.lower().rstrip(".").split(".")
    known = _reputation_services()
    return any(".".join(labels[-size:]) in known for size in (2, 3, 4))


def carrier_of(domain: str) -> str:
    """The carrier whose name a DHCP domain ends with; empty if none."""
    folded = domain.lower().strip(".")
    for carrier in reference().carriers:
        if any(folded == name or folded.endswith(f".{name}") for name in carrier.names):
            return carrier.carrier
    return ""
