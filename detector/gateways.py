"""Gateways by ARP: an address of a segment that speaks with the MAC of the plan's gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from collector.sightings import Arp
from detector.hospital import Hospital


def planned_gateways(arps: Iterable[Arp], hospital: Hospital) -> Iterator[str]:
    """Addresses that are a gateway's own, as often as ARP says so.

    ARP never leaves its segment, so whoever has an address of the segment and the MAC of the
    plan's gateway is the gateway. Not so where the plan names several MACs and this one for no
    other segment: vendors' routers and firewalls answer for the addresses that they hand out.
    """
    named: dict[str, int] = {}
    for segment in hospital.segments:
        for mac in {mac.lower() for mac in segment.gateway_macs}:
            named[mac] = named.get(mac, 0) + 1
    for arp in arps:
        mac = arp.sender_mac.lower()
        if mac not in named:
            continue
        here = hospital.segment_of(arp.sender_ip, arp.vlan)
        if here is None or mac not in {m.lower() for m in here.gateway_macs}:
            continue
        if (not arp.vlan or arp.vlan == here.vlan) and (
            named[mac] > 1 or len(here.gateway_macs) == 1
        ):
            yield arp.sender_ip
