"""Assets seen: what flows and sightings tell of each inside host."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import mac_text
from collector.sightings import (
    Arp,
    Dhcp,
    Kerberos,
    MonitorEvent,
    NameAnnouncement,
    Ntlm,
    SwitchNeighbor,
)
from detector.alerts import Party
from detector.asset_kernels import see_ends, see_hosts
from detector.care import care_class
from detector.detection import Window
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.identity import Identities

_MOST_NAMES = 8
_ON_A_PORT = frozenset({"new_mac", "mac_moved"})
#: A MAC that carries more addresses than this is a router's, and names no single host.
_ROUTER_ADDRESSES = 4


class AssetLog:
    """Keeps first and last sight, MAC, names and VLAN of every inside host, up to `most`."""

    def __init__(
        self,
        hosts: HostTable,
        hospital: Hospital,
        identities: Identities | None = None,
        most: int = 100_000,
    ) -> None:
        self.identities = identities or Identities()
        self._hosts = hosts
        self._hospital = hospital
        self._most = most
        self._known = 0
        self._stamp = 0
        self._mac_owners: dict[int, set[int]] = {}
        self._ports: dict[str, str] = {}  # MAC → who told it, and the switch port
        self.turned_away = 0

    def __len__(self) -> int:
        return self._known

    def number_of(self, party: Party) -> int:
        """Of the machine that an alert names, which may have left that address meanwhile."""
        mac = ":".join(re.findall("..", party.asset.removeprefix("mac-")))
        machine = self.identities.machines.get(mac)
        return self._hosts.number_of(party.ip) if machine is None else machine.number

    def observe(self, window: Window) -> None:
        """Take in one window."""
        if len(window.flows):
            rows = window.flows.rows.view(OUTPUT_DTYPE)
            traits, seen = self._hosts.traits, self._hosts.seen
            news = np.empty(len(rows), np.int64)
            for numbers, is_source in ((window.source, True), (window.destination, False)):
                count = see_hosts(rows, numbers, is_source, traits, seen, self._next(), news)
                for row in news[:count].tolist():
                    flow, number = rows[row], int(numbers[row])
                    mac = int(flow["source_mac" if is_source else "destination_mac"])
                    self._see(number, int(flow["first_ns"]), mac, int(flow["vlan"]))
                see_ends(rows, numbers, is_source, traits, seen, self._next())
        self._observe_names(window)
        self._observe_ports(window)

    def _observe_ports(self, window: Window) -> None:
        """Switches' records name the port of a MAC; who speaks LLDP or CDP names itself."""
        for event in window.of(MonitorEvent):
            if event.event not in _ON_A_PORT or not event.port_name or not event.mac:
                continue
            if event.mac in self._ports or len(self._ports) < self._most:
                self._ports[event.mac] = f"{event.reporter_ip} {event.port_name}".strip()
        for said in window.of(SwitchNeighbor):
            if said.management_ip:
                name = said.system_name[:64]
                self._name(said.management_ip, name, said.time_ns, said.mac, said.vlan)

    def _next(self) -> int:
        self._stamp += 1
        return self._stamp

    def _see(self, number: int, time_ns: int, mac: int, vlan: int) -> None:
        seen = self._hosts.seen[number]
        if not seen["is_known"]:
            if self._known >= self._most:
                self.turned_away += 1
                return
            self._known += 1
            seen["is_known"], seen["first_ns"] = True, time_ns
        seen["last_ns"] = max(int(seen["last_ns"]), time_ns)
        seen["vlan"] = vlan or seen["vlan"]
        seen["is_changed"] = True
        seen["mac"] = mac or seen["mac"]
        if mac and not mac >> 40 & 1:
            host = self._hosts.get(number)
            owners = self._mac_owners.setdefault(mac, set())
            if len(owners) <= _ROUTER_ADDRESSES:
                owners.add(number)
            if len(owners) <= _ROUTER_ADDRESSES and not host.mac:
                host.mac = mac_text(mac)

    def _observe_names(self, window: Window) -> None:
        for arp in window.of(Arp):
            if arp.sender_ip not in ("", "0.0.0.0"):  # noqa: S104 - RFC 5227 probe
                self._name(arp.sender_ip, "", arp.time_ns, arp.sender_mac, arp.vlan)
        for lease in window.of(Dhcp):
            if lease.message in ("ack", "request"):
                ip = lease.your_ip or lease.requested_ip or lease.client_ip
                self._name(ip, lease.host_name, lease.time_ns, lease.client_mac, lease.vlan)
        for said in window.of(NameAnnouncement):
            if said.operation.endswith("registration") and said.names and not said.group:
                name, _, _ = said.names[0].partition("<")  # CT-PC<20>: the suffix names a service
                self._name(said.ip, name, said.time_ns, "", said.vlan)
        for login in window.of(Ntlm):
            if login.message == "authenticate" and login.workstation:
                self._name(login.ip, login.workstation, login.time_ns, "", login.vlan)
        for ticket in window.of(Kerberos):
            if ticket.message in ("as_req", "tgs_req") and ticket.client.endswith("$"):
                self._name(ticket.ip, ticket.client.rstrip("$"), ticket.time_ns, "", ticket.vlan)

    def _name(self, ip: str, name: str, time_ns: int, mac: str, vlan: int) -> None:
        if not ip or not self._hospital.is_inside(ip):
            return
        number = self._hosts.number_of(ip)
        if self._hosts.is_nobody(number):
            return
        self._see(number, time_ns, 0, vlan)
        if not self._hosts.seen["is_known"][number]:
            return
        host = self._hosts.get(number)
        if mac:
            host.mac = mac
        if name and (name in host.names or len(host.names) < _MOST_NAMES):
            host.names[name] = time_ns

    def take_changed(self) -> list[dict[str, Any]]:
        """Assets that changed since the last call, as plain objects for the store and pages."""
        is_changed = self._hosts.seen["is_changed"]
        changed = np.flatnonzero(is_changed).tolist()
        is_changed[:] = False
        return [self._describe(number) for number in changed]

    def _describe(self, number: int) -> dict[str, Any]:
        host = self._hosts.get(number)
        listed = self._hospital.asset_by_ip.get(host.ip)
        known = self.identities.machine_of(number)
        is_away = self._hosts.is_away(number)
        stays = known[1].stays if known is not None else []
        further = self.identities.six.of(known[0]) if known is not None else []
        return {
            "id": host.asset or f"ip-{host.ip}",
            # Another machine has the address of one that is away.
            "ip": host.asset if is_away else host.ip,
            "last_ip": host.ip,
            "identity": "mac" if known is not None else "address",
            "is_away": is_away,
            "addresses": [
                {"ip": ip, "first_ns": first_ns, "last_ns": last_ns}
                for ip, first_ns, last_ns in (
                    *((stay.ip, stay.first_ns, stay.last_ns) for stay in stays),
                    *((ip, held.first_ns, held.last_ns) for ip, held in further),
                )
            ],
            "mac": host.mac,
            "name": host.name,
            "names": sorted(host.names),
            "role": host.role,
            "role_reason": host.role_reason,
            "care_class": care_class(host.role, listed),
            "department": listed.department if listed else "",
            "is_listed": listed is not None,
            "vlan": host.vlan,
            "port": self._ports.get(host.mac, ""),
            "first_ns": host.first_ns,
            "last_ns": host.last_ns,
        }
