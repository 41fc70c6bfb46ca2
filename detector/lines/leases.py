"""Who leases addresses and advertises prefixes, VLAN by VLAN, and which of them is the odd one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from collector.sightings import Dhcp, RouterAdvertisement
from detector.hospital import Hospital
from detector.lines.surroundings import network_of

MAX_SERVERS: Final = 2_000
MAX_CLIENTS: Final = 5_000
_SAME_TRANSACTION_NS: Final = 60_000_000_000


@dataclass
class LeaseServer:
    """What one DHCP server has handed out on one VLAN."""

    ip: str
    first_ns: int
    leases: int = 0
    routers: dict[str, tuple[str, ...]] = field(default_factory=dict)  # leased network → routers
    dns_servers: tuple[str, ...] = ()


@dataclass
class Leases:
    """DHCP servers by VLAN and relay, and the last offer to each client."""

    servers: dict[tuple[int, str], dict[str, LeaseServer]] = field(default_factory=dict)
    offers: dict[str, tuple[int, str]] = field(default_factory=dict)  # client MAC → time, server

    def odd_one(self, dhcp: Dhcp) -> str:
        """Why this OFFER or ACK contradicts what another server hands out here; empty if not.

        Two servers that hand out the same network with the same router are a failover pair, and
        different networks behind different relays are different VLANs.
        """
        server_ip = dhcp.server_id or dhcp.ip
        here = self.servers.setdefault((dhcp.vlan, dhcp.relay_ip), {})
        known = here.get(server_ip)
        if known is None:
            if len(here) >= MAX_SERVERS:
                return ""
            known = here[server_ip] = LeaseServer(server_ip, dhcp.time_ns)
        network = network_of(dhcp.your_ip) if dhcp.your_ip else ""
        known.leases += 1
        if network and dhcp.routers and len(known.routers) < 64:
            known.routers[network] = dhcp.routers
        known.dns_servers = dhcp.dns_servers or known.dns_servers
        rival = self._rival(dhcp, server_ip, here)
        if dhcp.message == "offer":
            self.offers.pop(dhcp.client_mac, None)
            self.offers[dhcp.client_mac] = (dhcp.time_ns, server_ip)
            if len(self.offers) > MAX_CLIENTS:
                self.offers.pop(next(iter(self.offers)))
        return self._contradiction(known, rival, network, dhcp) if rival else ""

    def _rival(
        self, dhcp: Dhcp, server_ip: str, here: dict[str, LeaseServer]
    ) -> LeaseServer | None:
        """An older server that answered the same client just now, or leases the same network."""
        before_ns, before = self.offers.get(dhcp.client_mac, (0, ""))
        if before != server_ip and dhcp.time_ns - before_ns < _SAME_TRANSACTION_NS:
            return here.get(before)
        network = network_of(dhcp.your_ip) if dhcp.your_ip else ""
        mine = here[server_ip]
        for other in here.values():
            if other.ip != server_ip and network in other.routers:
                return other if other.leases >= mine.leases else None
        return None

    def _contradiction(
        self, mine: LeaseServer, rival: LeaseServer, network: str, dhcp: Dhcp
    ) -> str:
        if mine.first_ns < rival.first_ns and mine.leases >= rival.leases:
            return ""  # the newcomer is the other one
        theirs = rival.routers.get(network)
        if dhcp.routers and theirs is not None and set(theirs) != set(dhcp.routers):
            return f"router {', '.join(dhcp.routers)} ≠ {', '.join(theirs)} ({rival.ip})"
        if network and theirs is None and rival.routers:
            return f"network {network} ≠ {', '.join(rival.routers)} ({rival.ip})"
        both_name_dns = dhcp.dns_servers and rival.dns_servers
        if both_name_dns and not set(dhcp.dns_servers) & set(rival.dns_servers):
            ours, others = ", ".join(dhcp.dns_servers), ", ".join(rival.dns_servers)
            return f"DNS {ours} ≠ {others} ({rival.ip})"
        return ""


@dataclass
class Advertisers:
    """Routers that advertise prefixes, by VLAN: the first ones seen are taken for proper."""

    prefixes: dict[int, dict[str, set[str]]] = field(default_factory=dict)  # VLAN → MAC → prefixes

    def odd_one(self, said: RouterAdvertisement) -> str:
        """Why this router contradicts the older ones of its VLAN; empty if it does not."""
        here = self.prefixes.setdefault(said.vlan, {})
        is_new = said.router_mac not in here
        others = {p for mac, ps in here.items() if mac != said.router_mac for p in ps}
        if len(here) < MAX_SERVERS:
            here.setdefault(said.router_mac, set()).update(said.prefixes[:8])
        strange = [p for p in said.prefixes if p not in others]
        if is_new and others and strange and said.lifetime_s > 0:
            return f"prefix {', '.join(strange[:3])} ≠ {', '.join(sorted(others)[:3])}"
        return ""


def allowed_dhcp_servers(hospital: Hospital) -> frozenset[str]:
    """All servers that the plan lets lease; empty where nobody has said."""
    return frozenset(s for segment in hospital.segments for s in segment.dhcp_servers)


def allowed_routers_v6(hospital: Hospital, vlan: int) -> frozenset[str] | None:
    """MACs that may advertise on a VLAN; None where nobody has said for any VLAN like it.

    Where no IPv6 router is named at all, the gateways of the VLAN may: a core that routes both
    does so from one MAC, and a mobile router or a PC that shares its line never has it.
    """
    named = [s for s in hospital.segments if s.routers_v6]
    if not named:
        gateways = {m.lower() for s in hospital.segments if s.vlan == vlan for m in s.gateway_macs}
        return frozenset(gateways) or None
    return frozenset(m.lower() for s in named if s.vlan in (0, vlan) for m in s.routers_v6)
