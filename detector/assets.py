"""Assets seen: what flows and sightings tell of each inside host."""

from __future__ import annotations

from typing import Any

import numpy as np

from collector.flows import mac_text
from collector.sightings import Arp, Dhcp, Kerberos, NameAnnouncement, Ntlm
from detector.care import care_class
from detector.detection import Window
from detector.hospital import Hospital
from detector.hosts import HostTable

_MOST_NAMES = 8
#: A MAC that carries more addresses than this is a router's, and names no single host.
_ROUTER_ADDRESSES = 4


class AssetLog:
    """Keeps first and last sight, MAC, names and VLAN of every inside host, up to `most`."""

    def __init__(self, hosts: HostTable, hospital: Hospital, most: int = 100_000) -> None:
        self._hosts = hosts
        self._hospital = hospital
        self._most = most
        self._changed: set[int] = set()
        self._known: set[int] = set()
        self._mac_owners: dict[int, set[int]] = {}
        self.turned_away = 0

    def observe(self, window: Window) -> None:
        """Take in one window."""
        flows = window.flows
        sides = (
            (window.source, flows.source_mac, True),
            (window.destination, flows.destination_mac, False),
        )
        for numbers, macs, is_source in sides:
            # Who answered exists; who was only asked may not.
            speaks = np.ones(len(flows), bool) if is_source else flows.reply_packets > 0
            chosen = np.flatnonzero(speaks & self._hosts.inside(numbers))
            _, firsts = np.unique(numbers[chosen], return_index=True)
            for row in chosen[firsts]:
                self._see(
                    int(numbers[row]),
                    int(flows.first_ns[row]),
                    int(macs[row]),
                    int(flows.vlan[row]),
                )
            lasts = chosen[len(chosen) - 1 - np.unique(numbers[chosen][::-1], return_index=True)[1]]
            for row in lasts:
                number = int(numbers[row])
                if number in self._known:
                    host = self._hosts.get(number)
                    host.last_ns = max(host.last_ns, int(flows.last_ns[row]))
        self._observe_names(window)

    def _see(self, number: int, time_ns: int, mac: int, vlan: int) -> None:
        if number not in self._known:
            if len(self._known) >= self._most:
                self.turned_away += 1
                return
            self._known.add(number)
            host = self._hosts.get(number)
            host.first_ns = time_ns
        host = self._hosts.get(number)
        host.last_ns = max(host.last_ns, time_ns)
        host.vlan = vlan or host.vlan
        self._changed.add(number)
        if mac and not mac >> 40 & 1:
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
                self._name(said.ip, said.names[0], said.time_ns, "", said.vlan)
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
        self._see(number, time_ns, 0, vlan)
        if number not in self._known:
            return
        host = self._hosts.get(number)
        if mac:
            host.mac = mac
        if name and (name in host.names or len(host.names) < _MOST_NAMES):
            host.names[name] = time_ns

    def take_changed(self) -> list[dict[str, Any]]:
        """Assets that changed since the last call, as plain objects for the store and pages."""
        changed, self._changed = sorted(self._changed), set()
        return [self._describe(number) for number in changed]

    def _describe(self, number: int) -> dict[str, Any]:
        host = self._hosts.get(number)
        listed = self._hospital.asset_by_ip.get(host.ip)
        return {
            "ip": host.ip,
            "mac": host.mac,
            "name": host.name,
            "names": sorted(host.names),
            "role": host.role,
            "role_reason": host.role_reason,
            "care_class": care_class(host.role, listed),
            "department": listed.department if listed else "",
            "is_listed": listed is not None,
            "vlan": host.vlan,
            "first_ns": host.first_ns,
            "last_ns": host.last_ns,
        }
