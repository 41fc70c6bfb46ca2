"""What EX-1's families share: kinds of addresses, whose MAC is whose, who leases and routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.fastlane.layout import OUTPUT_DTYPE
from collector.sightings import Arp, Dhcp, RouterAdvertisement
from detector.detection import Window
from detector.hospital import Asset, Hospital
from detector.lines.addresses import INSIDE, SHARING, SPECIAL
from detector.lines.foreign import CARRIERS, OTHER_PRIVATE, foreign_weight, is_native_v6
from detector.lines.reference import sharing_range
from detector.lines.speaker_kernels import meet_macs

MAX_MACS: Final = 100_000
_ADVERTISED_WITHIN_NS: Final = 1_800_000_000_000  # RFC 4861 §6.2.1: 30 minutes at most
#: A MAC that speaks for more addresses than this forwards for others.
ROUTER_ADDRESSES: Final = 4
VIRTUAL_ROUTER_MACS: Final = ("00:00:5e:00:", "00:00:0c:07:ac:", "00:00:0c:9f:f", "00:05:73:a0:")


@dataclass
class Surroundings:
    """Learned from the windows so far."""

    bits: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    #: By host number: the MAC it first spoke from, 0 if none was seen.
    first_mac: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    #: By MAC: its ordinary address, as ARP and DHCP tell it.
    home: dict[str, str] = field(default_factory=dict)
    #: By (VLAN, /24): the unlisted router that leases or shares it.
    shared_by: dict[tuple[int, str], str] = field(default_factory=dict)
    #: By network that is not of the plan: the host that showed it first.
    first_shown: dict[str, str] = field(default_factory=dict)
    #: (VLAN, /64) that a router advertised; an empty network where it named none.
    advertised: dict[tuple[int, str], None] = field(default_factory=dict)
    since_ns: int = 0

    def observe(self, window: Window) -> None:
        """Take in one window, before the families look at it."""
        self.bits = window.hosts.kinds
        self.since_ns = self.since_ns or window.start_ns
        grown = len(self.bits) - len(self.first_mac)
        if grown > 0:
            self.first_mac = np.concatenate([self.first_mac, np.zeros(grown, np.uint64)])
        if len(window.flows):
            meet_macs(window.flows.rows.view(OUTPUT_DTYPE), window.source, self.first_mac)
        for arp in window.of(Arp):
            self._learn_home(arp.sender_mac, arp.sender_ip, window.hospital)
        for dhcp in window.of(Dhcp):
            if dhcp.message == "ack":
                self._learn_home(dhcp.client_mac, dhcp.your_ip or dhcp.client_ip, window.hospital)
        for said in window.of(RouterAdvertisement):
            for prefix in said.prefixes or ("",):
                self.advertised[said.vlan, network_of(prefix.partition("/")[0])] = None
            if len(self.advertised) > MAX_MACS:
                del self.advertised[next(iter(self.advertised))]

    def foreignness(self, ip: str, vlan: int, window: Window) -> float:
        """`foreign_weight`, and what a global IPv6 address says where nobody planned IPv6.

        Without a router that advertises its network here it comes from another link. In a closed
        segment that is told at once, elsewhere once an advertisement would have been heard.
        """
        if ":" not in ip or any(n.version == 6 for n in window.hospital.inside):
            return foreign_weight(ip, window.hospital)
        if not window.hospital.segments or not is_native_v6(ip):
            return 0.0
        if {(vlan, network_of(ip)), (vlan, "")} & self.advertised.keys():
            return 0.0
        if any(s.closed for s in window.hospital.segments if s.vlan == vlan):
            return CARRIERS
        return OTHER_PRIVATE if window.end_ns - self.since_ns > _ADVERTISED_WITHIN_NS else 0.0

    def home_of(self, mac: str, window: Window) -> str:
        """The ordinary address of a MAC, as seen or else as the ledger says.

        Empty if none is known, or if it is a router's.
        """
        if not mac:
            return ""
        numbers = self.addresses_behind(mac)
        if len(numbers) > ROUTER_ADDRESSES:
            return ""
        if mac in self.home:
            return self.home[mac]
        ordinary = [n for n in numbers if self.bits[n] & INSIDE and not self.bits[n] & SHARING]
        if ordinary:
            return window.hosts.ip(int(ordinary[0]))
        return window.hospital.ip_by_mac.get(mac, "")

    def is_only(self, host: str, ip: str) -> bool:
        """True while no host but this one has shown an address of that foreign network."""
        network = network_of(ip)
        if network not in self.first_shown and len(self.first_shown) >= MAX_MACS:
            self.first_shown.pop(next(iter(self.first_shown)))
        return self.first_shown.setdefault(network, host) == host

    def addresses_behind(self, mac: str) -> NDArray[np.int64]:
        """Numbers of hosts that first spoke from a MAC."""
        behind: NDArray[np.int64] = np.flatnonzero(
            self.first_mac == np.uint64(int(mac.replace(":", ""), 16))
        )
        return behind

    def is_router(self, mac: str, hospital: Hospital) -> bool:
        """True for MACs that forward for others: planned, virtual routers, or as seen."""
        if not mac or mac in gateway_macs(hospital) or mac.startswith(VIRTUAL_ROUTER_MACS):
            return True
        return len(self.addresses_behind(mac)) > ROUTER_ADDRESSES

    def _learn_home(self, mac: str, ip: str, hospital: Hospital) -> None:
        if not mac or not hospital.is_inside(ip) or sharing_range(ip) or mac in self.home:
            return
        self.home[mac] = ip
        if len(self.home) > MAX_MACS:
            self.home.pop(next(iter(self.home)))


def gateway_macs(hospital: Hospital) -> frozenset[str]:
    """All MACs that the plan lets route."""
    return frozenset(m.lower() for s in hospital.segments for m in s.gateway_macs)


def network_of(ip: str) -> str:
    """The /24 (IPv6: /64) around an address, as text; what is no address stays as it is."""
    try:
        return str(ip_network(f"{ip}/{64 if ':' in ip else 24}", strict=False))
    except ValueError:
        return ip


def is_known_second_nic(ip: str, mac: str, home: str, hospital: Hospital) -> bool:
    """True where the ledger lists the address or MAC as a second network card."""
    asset: Asset | None = hospital.asset_by_ip.get(home)
    return asset is not None and bool({ip, mac} & set(asset.private_nics))


def is_foreign(bits: int, hospital: Hospital) -> bool:
    """True for an address that no host on this LAN should have.

    With an address plan, whatever is outside it; without one, only the ranges that phones,
    sticks and PCs hand out when they share their line.
    """
    if bits & SPECIAL:
        return False
    return bool(bits & SHARING) or (bool(hospital.segments) and not bits & INSIDE)
