"""Gateways by ARP: an address of a segment that speaks with the MAC of the plan's gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from collector.sightings import Arp
from detector.hospital import Hospital

_ASKERS: Final = 4
_MOST_CLAIMED: Final = 4096


class Gateways:
    """ARP never leaves its segment: who has an address of it and the gateway's MAC is the gateway.

    Where the plan names several MACs and this one for no other segment, it may be a vendor's router
    or a firewall that answers for the addresses it hands out. Of these the gateway is the one for
    which four machines ask.
    """

    def __init__(self) -> None:
        self._askers: dict[str, set[str]] = {}  # address of a MAC that may answer for others → who

    def observe(self, arps: Iterable[Arp], hospital: Hospital) -> Iterator[str]:
        """Addresses that are a gateway's own, as often as ARP says so."""
        named: dict[str, int] = {}
        for segment in hospital.segments:
            for mac in {mac.lower() for mac in segment.gateway_macs}:
                named[mac] = named.get(mac, 0) + 1
        for arp in arps:
            if arp.operation == 1 and (askers := self._askers.get(arp.target_ip)) is not None:
                if len(askers) < _ASKERS and arp.sender_ip != arp.target_ip:
                    askers.add(arp.sender_ip)
                if len(askers) >= _ASKERS:
                    yield arp.target_ip
            mac = arp.sender_mac.lower()
            if mac not in named:
                continue
            here = hospital.segment_of(arp.sender_ip, arp.vlan)
            if here is None or mac not in {m.lower() for m in here.gateway_macs}:
                continue
            if arp.vlan and arp.vlan != here.vlan:
                continue
            if named[mac] > 1 or len(here.gateway_macs) == 1:
                yield arp.sender_ip
            elif len(self._askers) < _MOST_CLAIMED:
                self._askers.setdefault(arp.sender_ip, set())
