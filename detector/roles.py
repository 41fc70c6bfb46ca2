"""What a host is, read from what it does: additive evidence, a softmax, and the reasons.

A role in the ledger always wins. Every piece of evidence counts once for a host, however often it
is seen; a role is written when its share of the softmax reaches 80 %.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, Final

import numpy as np

from collector.apps import APPS
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.sightings import (
    Arp,
    Dhcp,
    Dicom,
    Hl7,
    Kerberos,
    Ldap,
    RouterAdvertisement,
    SwitchNeighbor,
)
from detector.asset_kernels import MOST_CLIENTS, enter_all, note_clients
from detector.detection import Window
from detector.gateways import Gateways
from detector.hosts import HostsFull, HostTable
from detector.role_partners import Partners
from detector.window_kernels import SERVED

#: Service answered → what speaks for it: (role, weight, clients needed). What few machines answer
#: outweighs what every server does.
_ANSWERS: Final[dict[str, tuple[tuple[str, float, int], ...]]] = {
    "kerberos": (("domain_controller", 4.0, 1),),
    "ldap": (("domain_controller", 2.0, 1),),
    "dns": (("dns", 3.0, 1), ("domain_controller", 0.5, 1)),
    "dhcp": (("dhcp", 3.0, 1),),
    "smb": (("file_server", 3.0, 5), ("file_server", 2.0, 12)),
    "dicom": (("pacs", 1.5, 1), ("pacs", 2.0, 3)),
    "hl7": (("hl7_engine", 1.5, 1), ("hl7_engine", 3.5, 3)),
    "mssql": (("database", 4.0, 1),),
    "oracle": (("database", 4.0, 1),),
    "postgres": (("database", 4.0, 1),),
    "mysql": (("database", 4.0, 1),),
    "intersystems": (("database", 4.0, 1),),
    "printer": (("printer", 4.0, 1),),
    "http": (("server", 1.5, 3), ("server", 1.5, 8), ("server", 1.5, 16)),
    "tls": (("server", 1.5, 3), ("server", 1.5, 8), ("server", 1.5, 16)),
    "http_proxy": (("server", 3.0, 5),),
    "rdp": (("server", 1.5, 4), ("server", 1.5, 8)),
    "rtsp": (("camera", 3.0, 1),),
    "astm": (),
}
#: What was not told by its bytes: one client, which may be a scanner, does not decide.
_ANSWERS_PORT: Final[dict[int, tuple[tuple[str, float, int], ...]]] = {
    9100: (("printer", 2.0, 1), ("printer", 2.0, 2)),
    515: (("printer", 1.5, 1), ("printer", 1.5, 2)),
    631: (("printer", 1.0, 1), ("printer", 1.0, 2)),
    554: (("camera", 2.0, 1), ("camera", 1.0, 2)),
    8530: (("wsus", 2.0, 1), ("wsus", 6.0, 3)),
    8531: (("wsus", 2.0, 1), ("wsus", 6.0, 3)),
}
#: Service asked → what speaks for the one who asks: (role, weight, servers needed).
_ASKS: Final[dict[str, tuple[tuple[str, float, int], ...]]] = {
    "printer": (("terminal", 1.5, 1),),
    "kerberos": (("terminal", 0.5, 1),),
    "rtsp": (("camera", -6.0, 1), ("server", 1.5, 4), ("server", 1.5, 12)),
    "port 8530": (("terminal", 0.5, 1),),
    "port 8531": (("terminal", 0.5, 1),),
}
_UNKNOWN_WEIGHT: Final = 1.4  # so that one piece of evidence below 3 does not decide
_SERVICES: Final = (*_ANSWERS.items(), *((f"port {p}", m) for p, m in _ANSWERS_PORT.items()))
#: By application: 1 + its place among the services, 0 where it tells nothing.
_BY_APP: Final = np.array(
    [1 + [*_ANSWERS].index(a) if a in _ANSWERS else 0 for a in APPS], np.int64
)
_BY_PORT: Final = np.array(
    [(port, 1 + len(_ANSWERS) + at) for at, port in enumerate(_ANSWERS_PORT)], np.int64
)
#: Every role that behaviour can tell.
INFERRED: Final = frozenset(
    {role for _, meanings in _SERVICES for role, _, _ in meanings}
    | {"gateway", "terminal", "network_device", "modality", "viewer", "analyser"}
)
_MOST_SERVERS: Final = 1_000_000
_MOST_HOSTS: Final = 200_000


class _Partners:
    """Who served or asked what, and with how many others, in the kernels' tables."""

    def __init__(self) -> None:
        self._table = np.zeros((1024, 2), np.int64)
        self._partners = np.zeros((1024, MOST_CLIENTS), np.uint32)
        self._index = np.zeros(4096, np.int32)
        self._count = 0

    def note(self, window: Window, whose: Any, partner: Any) -> list[list[int]]:
        """Rows of (service, whose, partner, how many with it) that are new; ends by number."""
        if self._count >= _MOST_SERVERS:
            return []
        rows = window.flows.rows.view(OUTPUT_DTYPE)
        if self._count + 2 * len(rows) > len(self._table):
            self._grow(self._count + 2 * len(rows))
        news = np.empty((2 * len(rows), 4), np.int64)
        self._count, told = note_clients(
            rows, partner, whose, window.marks, _BY_APP, _BY_PORT,
            self._table, self._partners, self._index, self._count, news,
        )  # fmt: skip
        return sorted(news[:told].tolist())

    def _grow(self, entries: int) -> None:
        size = 1 << (2 * entries).bit_length()
        for name in ("_table", "_partners"):
            old = getattr(self, name)
            grown = np.zeros((size, old.shape[1]), old.dtype)
            grown[: self._count] = old[: self._count]
            setattr(self, name, grown)
        self._index = np.zeros(2 * size, np.int32)
        enter_all(self._table, self._count, self._index)


class RoleInference:
    """Collects evidence window by window and writes `Host.role` and `Host.role_reason`."""

    def __init__(self) -> None:
        self._evidence: dict[int, dict[tuple[str, str], float]] = {}
        self._served = _Partners()
        self._asked = _Partners()
        self._partners = Partners()
        self._gateways = Gateways()

    def observe(self, window: Window) -> None:
        """Take in one window's flows and sightings."""
        changed: set[int] = set()
        self._read_flows(window, changed)
        self._read_sightings(window, changed)
        for number in changed:
            self._decide(window.hosts, number)

    def decide_again(self, hosts: HostTable) -> None:
        """Tell the hosts what was inferred of them, after a restart."""
        for number in self._evidence:
            self._decide(hosts, number)

    def _read_flows(self, window: Window, changed: set[int]) -> None:
        if not window.every_mark & SERVED:
            return

        def note(number: int, role: str, reason: str, weight: float) -> None:
            self._note(number, role, reason, weight, changed)

        self._partners.draw(window, note)
        for service, server, client, known in self._served.note(
            window, window.destination, window.source
        ):
            name, meanings = _SERVICES[service - 1]
            if name == "astm":
                self._partners.speak_astm(server, client, note)
            for role, weight, needed in meanings:
                if known == needed:
                    reason = f"answers {name}" + (f" of {needed} clients" if needed > 1 else "")
                    self._note(server, role, reason, weight, changed)
        for service, client, server, known in self._asked.note(
            window, window.source, window.destination
        ):
            name = _SERVICES[service - 1][0]
            if name == "astm":
                self._partners.speak_astm(server, client, note)
            for role, weight, needed in _ASKS.get(name, ()):
                if known == needed and window.hosts.get(client).is_inside:
                    reason = f"asks for {name}" + (f" of {needed} servers" if needed > 1 else "")
                    self._note(client, role, reason, weight, changed)

    def _read_sightings(self, window: Window, changed: set[int]) -> None:
        at = window.hosts.number_of

        def note(ip: str, role: str, reason: str, weight: float) -> None:
            if ip and window.hospital.is_inside(ip):
                with suppress(HostsFull):  # the engine counts what has no number
                    self._note(at(ip), role, reason, weight, changed)

        for ip in self._gateways.observe(window.of(Arp), window.hospital):
            note(ip, "gateway", "has the MAC of the plan's gateway", 5.0)
        for lease in window.of(Dhcp):
            if lease.message in ("offer", "ack"):
                note(lease.server_id or lease.ip, "dhcp", "leases addresses", 3.0)
                for router in lease.routers:
                    note(router, "gateway", "is the router that DHCP hands out", 5.0)
            elif "MSFT" in lease.vendor_class:
                note(lease.requested_ip or lease.client_ip, "terminal", "leases as Windows", 2.0)
        for advertisement in window.of(RouterAdvertisement):
            note(advertisement.ip, "gateway", "advertises a prefix", 5.0)
        for neighbour in window.of(SwitchNeighbor):
            if {"bridge", "router", "switch"} & {c.lower() for c in neighbour.capabilities}:
                note(neighbour.management_ip or neighbour.ip, "network_device", "is a bridge", 5.0)
        for search in window.of(Ldap):
            if search.operation == "search":
                note(search.ip, "terminal", "searches the directory", 0.5)
        for ticket in window.of(Kerberos):
            if ticket.message == "as_req" and not ticket.client.endswith("$"):
                note(ticket.ip, "terminal", "somebody logs on", 1.0)
        self._read_clinical(window, changed)

    def _read_clinical(self, window: Window, changed: set[int]) -> None:
        def note(number: int, role: str, reason: str, weight: float) -> None:
            self._note(number, role, reason, weight, changed)

        clinical: tuple[Hl7 | Dicom, ...] = (*window.of(Hl7), *window.of(Dicom))
        for said in clinical:
            with suppress(HostsFull):
                sender, peer = (
                    window.hosts.number_of(ip) if ip and window.hospital.is_inside(ip) else -1
                    for ip in (said.ip, said.peer_ip)
                )
                if sender < 0:
                    continue
                if isinstance(said, Hl7):
                    self._partners.hear(said, sender, note)
                else:
                    self._partners.exchange(said, sender, peer, note)

    def _note(self, number: int, role: str, reason: str, weight: float, changed: set[int]) -> None:
        if number not in self._evidence and len(self._evidence) >= _MOST_HOSTS:
            return
        evidence = self._evidence.setdefault(number, {})
        if (role, reason) not in evidence:
            evidence[(role, reason)] = weight
            changed.add(number)

    def _decide(self, hosts: HostTable, number: int) -> None:
        host = hosts.get(number)
        if host.role_reason == "ledger" and host.role != "unknown":
            return
        best = self._best(number)
        if best:
            host.role = best
            reasons = [reason for role, reason in self._evidence[number] if role == best]
            host.role_reason = "; ".join(reasons)

    def inferred(self) -> dict[int, str]:
        """What behaviour alone says of each host, by number; whatever the ledger says."""
        told = {number: self._best(number) for number in self._evidence}
        return {number: role for number, role in told.items() if role}

    def _best(self, number: int) -> str:
        """The role with four fifths of the softmax; "" where none has."""
        weights: dict[str, float] = {}
        for (role, _), weight in self._evidence[number].items():
            weights[role] = weights.get(role, 0.0) + weight
        best = max(weights, key=lambda role: weights[role])
        whole = sum(math.exp(w) for w in weights.values()) + math.exp(_UNKNOWN_WEIGHT)
        return best if math.exp(weights[best]) / whole >= 0.8 else ""
