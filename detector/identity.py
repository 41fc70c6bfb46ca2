"""Which machine stands at which address: identity by MAC, told by DHCP leases and by steady ARP.

Hosts are remembered by number (`detector.hosts`). When an address comes to another machine, the
machine's number comes to the address, and with it edges, baselines, alerts and the asset's row; a
machine that was never met gets a new number, so that it inherits nothing. What is believed:

- a DHCP ACK of a known server (the plan's; without a plan the first one heard, or one that has
  leased to three machines and is known for a day) moves a machine at once;
- ARP moves one only after an hour in which the address was heard from the new MAC alone, at least
  three times, while the machine was not heard at its own address. Who spoofs ARP speaks for several
  addresses at a time while their owners still speak: that moves nothing.

MACs of routers and virtual routers, and those that speak for more than two addresses, are no
identity. A machine that is heard at its old address after a lease moved it was not moved by its own
doing: it is set back, and leases move it no more for a day. IPv6 addresses are further ones of a
machine (`detector.identity_v6`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from collector.sightings import Arp, Dhcp, Dhcpv6, NeighborAdvertisement, Sighting
from detector.hospital import Hospital
from detector.hosts import HostsFull, HostTable
from detector.identity_v6 import SixAddresses, claims
from detector.lines.leases import allowed_dhcp_servers
from detector.lines.reference import sharing_range
from detector.lines.surroundings import VIRTUAL_ROUTER_MACS, gateway_macs

#: Sightings that tell who stands where.
TELLING: Final = (Dhcp, Arp, NeighborAdvertisement, Dhcpv6)
HOUR_NS: Final = 3_600_000_000_000
DAY_NS: Final = 24 * HOUR_NS
_MOST_MACHINES: Final = 100_000
_MOST_CLAIMS: Final = 20_000
_MOST_RIVALS: Final = 4
_MOST_SERVERS: Final = 2_000
_MOST_STAYS: Final = 16
#: A MAC that speaks for more addresses within a day forwards for others, or lies.
_MOST_ADDRESSES: Final = 2
_TRUSTED_CLIENTS: Final = 3
_STEADY_TIMES: Final = 3
_AFTERWARDS_NS: Final = 60_000_000_000  # what was on its way when the lease changed


@dataclass
class Stay:
    """An address that a machine had, from when until when it was seen there."""

    ip: str
    first_ns: int
    last_ns: int


@dataclass
class Machine:
    """One MAC: its number and the addresses it has had, the present one last."""

    number: int
    stays: list[Stay] = field(default_factory=list)
    is_away: bool = False  # another machine has its last address
    moved_ns: int = 0  # when a lease last moved it
    held_until_ns: int = 0  # until then leases move it no more

    @property
    def ip(self) -> str:
        return self.stays[-1].ip


@dataclass
class Claim:
    """A MAC heard at an address that is another's, or while its own address is another."""

    first_ns: int
    last_ns: int
    times: int = 1


@dataclass
class LeaseGiver:
    """A DHCP server as far as it must be known to be believed."""

    first_ns: int
    clients: set[str] = field(default_factory=set)  # the first few


class Identities:
    """Machines by MAC; `observe` moves their numbers to the addresses where they are now."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self.moved: Counter[str] = Counter()  # by evidence, for the health page
        self.refused: Counter[str] = Counter()  # by cause
        self.six = SixAddresses()
        self._by_number: dict[int, str] = {}
        self._claims: dict[str, dict[str, Claim]] = {}  # address → MAC → claim
        self._servers: dict[str, LeaseGiver] = {}
        self._spoken: dict[str, dict[str, int]] = {}  # MAC → addresses ARP heard it speak for

    def observe(self, heard: Sequence[Sighting], hosts: HostTable, hospital: Hospital) -> bool:
        """Take in what one window heard, before its flows are numbered; true if a number moved.

        Kinds that tell nothing of who stands where are passed over (`TELLING` are read).
        """
        if not heard:
            return False
        moves = hosts.moves
        routers = gateway_macs(hospital)
        allowed = allowed_dhcp_servers(hospital)
        for said in sorted(heard, key=lambda s: s.time_ns):
            try:
                if isinstance(said, Dhcp):
                    self._lease(said, hosts, hospital, routers, allowed)
                elif isinstance(said, Arp):
                    self._arp(said, hosts, hospital, routers)
                else:
                    self._six(said, hosts, hospital, routers)
            except HostsFull:
                self.refused["no number left"] += 1
        return hosts.moves != moves

    def machine_of(self, number: int) -> tuple[str, Machine] | None:
        """The MAC and the machine that has this number; None where the address is the identity."""
        mac = self._by_number.get(number)
        return (mac, self.machines[mac]) if mac is not None else None

    def restore(self, hosts: HostTable) -> None:
        """After a restart: tell the hosts, whose numbers are as before, which machines they are."""
        users = Counter(ip for m in self.machines.values() for ip in {stay.ip for stay in m.stays})
        for mac, machine in self.machines.items():
            if machine.number >= len(hosts):
                continue
            if machine.is_away:
                hosts.restore_away(machine.number, machine.ip)
            is_single = len(machine.stays) == 1 and users[machine.ip] == 1
            hosts.get(machine.number).has_moved = machine.is_away or not is_single
            hosts.know(machine.number, mac)
            self._join(mac, machine, hosts)

    def _six(
        self, said: Sighting, hosts: HostTable, hospital: Hospital, routers: frozenset[str]
    ) -> None:
        """A machine said that it has IPv6 addresses: they are further ones of the same host."""
        mac, addresses = claims(said, hospital)
        if not addresses or not _is_machine(mac, routers):
            return
        for ip in addresses:
            why_not = self.six.take(mac, ip, said.time_ns, hosts.is_in_use(ip))
            if why_not:
                self.refused[why_not] += 1
                continue
            is_new = mac not in self.machines and not ip.startswith("fe80:")
            if is_new and self._by_number.get(hosts.own_number_of(ip)) is None:
                self._settle(mac, ip, said.time_ns, hosts)  # until it is heard by IPv4
        machine = self.machines.get(mac)
        if machine is not None:
            self._join(mac, machine, hosts)

    def _join(self, mac: str, machine: Machine, hosts: HostTable) -> None:
        for ip, _ in self.six.of(mac):
            at = self._by_number.get(hosts.place_of(ip))
            if at is None or at == mac:  # else another machine is known by it alone
                hosts.join(ip, machine.number)

    def _lease(
        self, said: Dhcp, hosts: HostTable, hospital: Hospital, routers: frozenset[str],
        allowed: frozenset[str],
    ) -> None:  # fmt: skip
        if said.message != "ack" or not _is_machine(said.client_mac, routers):
            return
        if not _is_held(said.your_ip, hospital):
            return
        if not self._believes(said, allowed):
            self.refused["lease of an unknown DHCP server"] += 1
            return
        machine = self.machines.get(said.client_mac)
        if machine is not None and said.time_ns < machine.held_until_ns:
            self.refused["lease of a machine that is held"] += 1
            return
        if machine is not None and machine.ip != said.your_ip and _is_restless(machine, said):
            machine.held_until_ns = said.time_ns + DAY_NS
            self.refused["machine with several leases at a time"] += 1
            return
        if self._settle(said.client_mac, said.your_ip, said.time_ns, hosts):
            self.moved["dhcp"] += 1
            self.machines[said.client_mac].moved_ns = said.time_ns

    def _believes(self, said: Dhcp, allowed: frozenset[str]) -> bool:
        """Is the server one that leases here by right, as far as can be told."""
        name = said.server_id or said.ip
        if allowed:
            return name in allowed
        giver = self._servers.get(name)
        if giver is None:
            if len(self._servers) >= _MOST_SERVERS:
                return False
            giver = self._servers[name] = LeaseGiver(said.time_ns)
        if len(giver.clients) < _TRUSTED_CLIENTS:
            giver.clients.add(said.client_mac)
        if next(iter(self._servers)) == name:
            return True
        is_old = said.time_ns - giver.first_ns >= DAY_NS
        return is_old and len(giver.clients) >= _TRUSTED_CLIENTS

    def _arp(
        self, said: Arp, hosts: HostTable, hospital: Hospital, routers: frozenset[str]
    ) -> None:
        mac, ip, now_ns = said.sender_mac, said.sender_ip, said.time_ns
        machine = self.machines.get(mac)
        if machine is not None and not machine.is_away and machine.ip == ip:
            machine.stays[-1].last_ns = max(machine.stays[-1].last_ns, now_ns)
            self._claims.pop(ip, None)  # its owner still speaks: whoever else did so is no owner
            if now_ns - self._spoken.get(mac, {}).get(ip, 0) > HOUR_NS:
                self._speaks(mac, ip, now_ns)
            return
        if not _is_machine(mac, routers) or not _is_held(ip, hospital):
            return
        if self._speaks(mac, ip, now_ns) > _MOST_ADDRESSES:
            return
        if machine is not None and self._was_moved_wrongly(machine, ip, now_ns):
            machine.held_until_ns = now_ns + DAY_NS
            self.refused["lease that the machine did not follow"] += 1
            self._settle(mac, ip, now_ns, hosts)
            return
        is_new = machine is None or ":" in machine.ip
        if is_new and self._by_number.get(hosts.own_number_of(ip)) is None:
            self._settle(mac, ip, now_ns, hosts)
        elif self._is_steady(mac, machine, ip, now_ns, hosts) and self._settle(
            mac, ip, now_ns, hosts
        ):
            self.moved["arp"] += 1

    def _speaks(self, mac: str, ip: str, now_ns: int) -> int:
        """For how many addresses the MAC spoke within a day, this one included."""
        spoken = self._spoken.pop(mac, {})
        self._spoken[mac] = spoken
        if len(self._spoken) > _MOST_MACHINES:
            self._spoken.pop(next(iter(self._spoken)))
        spoken.pop(ip, None)
        spoken[ip] = now_ns
        for old, at_ns in list(spoken.items()):
            if now_ns - at_ns > DAY_NS or len(spoken) > 2 * _MOST_ADDRESSES:
                del spoken[old]
        return len(spoken)

    @staticmethod
    def _was_moved_wrongly(machine: Machine, ip: str, now_ns: int) -> bool:
        since_ns = now_ns - machine.moved_ns
        before = machine.stays[-2].ip if len(machine.stays) > 1 else ""
        return ip == before and _AFTERWARDS_NS < since_ns < HOUR_NS

    def _is_steady(
        self, mac: str, machine: Machine | None, ip: str, now_ns: int, hosts: HostTable
    ) -> bool:
        """Has the MAC alone spoken for the address long enough, and at no other place."""
        rivals = self._claims.setdefault(ip, {})
        if len(self._claims) > _MOST_CLAIMS:
            self._claims.pop(next(iter(self._claims)))
        for other in [m for m, c in rivals.items() if now_ns - c.last_ns > DAY_NS]:
            del rivals[other]  # who fell silent speaks against nobody
        claim = rivals.get(mac)
        at_home_ns = 0
        if machine is not None and not machine.is_away:
            by_flows_ns = int(hosts.seen["last_ns"][machine.number])
            at_home_ns = max(machine.stays[-1].last_ns, by_flows_ns)
        if claim is None or at_home_ns > claim.first_ns:
            if len(rivals) < _MOST_RIVALS:
                rivals[mac] = Claim(now_ns, now_ns)
            return False
        claim.last_ns, claim.times = now_ns, claim.times + 1
        if len(rivals) > 1 or claim.times < _STEADY_TIMES or now_ns - claim.first_ns < HOUR_NS:
            return False
        return now_ns - at_home_ns > HOUR_NS

    def _settle(self, mac: str, ip: str, now_ns: int, hosts: HostTable) -> bool:
        """The machine is at this address from now on; true if a number had to move for it."""
        number = hosts.own_number_of(ip)
        holder = self._by_number.get(number)
        machine = self.machines.get(mac)
        if machine is not None:  # the order is that of the last lease or move
            self.machines[mac] = self.machines.pop(mac)
        if holder == mac and machine is not None:
            machine.stays[-1].last_ns = max(machine.stays[-1].last_ns, now_ns)
            return False
        if machine is not None and holder is None and ":" in machine.ip:
            self._by_number.pop(machine.number)  # it was known by IPv6 alone
            machine.number, machine.stays = number, [Stay(ip, now_ns, now_ns)]
            self._by_number[number] = mac
            hosts.know(number, mac)
            self._join(mac, machine, hosts)
            return False
        if machine is None and not self._has_room(now_ns):
            self.refused["machine, too many are known"] += 1
            return False
        must_move = machine is not None or holder is not None
        for left in (machine, self.machines[holder] if holder is not None else None):
            if left is not None and not left.is_away:
                seen_ns = int(hosts.seen["last_ns"][left.number])
                left.stays[-1].last_ns = max(left.stays[-1].last_ns, min(seen_ns, now_ns))
        if must_move:
            number = hosts.give(ip, machine.number if machine is not None else None)
        if holder is not None:
            self.machines[holder].is_away = True
        if machine is None:
            machine = self.machines[mac] = Machine(number)
            self._by_number[number] = mac
        machine.is_away = False
        machine.stays = [*machine.stays[1 - _MOST_STAYS :], Stay(ip, now_ns, now_ns)]
        self._claims.pop(ip, None)
        hosts.know(number, mac)
        self._join(mac, machine, hosts)
        hosts.seen["is_changed"][number] |= hosts.seen["is_known"][number]
        if holder is not None:
            away = self.machines[holder].number
            hosts.seen["is_changed"][away] |= hosts.seen["is_known"][away]
        return must_move

    def _has_room(self, now_ns: int) -> bool:
        """Room for one machine more, which one unheard for a month makes if need be."""
        if len(self.machines) < _MOST_MACHINES:
            return True
        oldest = next(iter(self.machines))
        if now_ns - self.machines[oldest].stays[-1].last_ns < 30 * DAY_NS:
            return False
        self._by_number.pop(self.machines.pop(oldest).number, None)
        return True


def _is_restless(machine: Machine, said: Dhcp) -> bool:
    """Moved thrice within the day: a machine with one lease a VLAN is no single place's."""
    return len(machine.stays) > 3 and said.time_ns - machine.stays[-3].first_ns < DAY_NS


def _is_machine(mac: str, routers: frozenset[str]) -> bool:
    """Can this MAC tell one machine: a unicast one that is not all zeros nor a router's."""
    if len(mac) != 17 or mac == "00:00:00:00:00:00" or int(mac[:2], 16) & 1:
        return False
    return mac not in routers and not mac.startswith(VIRTUAL_ROUTER_MACS)


def _is_held(ip: str, hospital: Hospital) -> bool:
    """An IPv4 address of the hospital's own, and not one that a sharing phone hands out."""
    return bool(ip) and ":" not in ip and hospital.is_inside(ip) and sharing_range(ip) is None
