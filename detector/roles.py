"""What a host is, read from what it does: additive evidence, a softmax, and the reasons.

A role in the ledger always wins. Every piece of evidence counts once for a host, however often it
is seen; a role is written when its share of the softmax reaches 80 %.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from collector.apps import APP_CODE
from collector.sightings import (
    Dhcp,
    Dicom,
    Hl7,
    Ldap,
    RouterAdvertisement,
    SwitchNeighbor,
)
from detector.addresses import in_networks
from detector.detection import Window
from detector.hosts import HostTable

#: Service answered → what speaks for it: (role, weight, clients needed).
_ANSWERS: Final[dict[str, tuple[tuple[str, float, int], ...]]] = {
    "kerberos": (("domain_controller", 4.0, 1),),
    "ldap": (("domain_controller", 2.0, 1),),
    "dns": (("dns", 3.0, 1), ("domain_controller", 0.5, 1)),
    "dhcp": (("dhcp", 3.0, 1),),
    "smb": (("file_server", 3.0, 5),),
    "dicom": (("pacs", 1.5, 1), ("pacs", 2.0, 3)),
    "hl7": (("hl7_engine", 1.5, 1), ("hl7_engine", 2.0, 3)),
    "mssql": (("database", 4.0, 1),),
    "oracle": (("database", 4.0, 1),),
    "postgres": (("database", 4.0, 1),),
    "mysql": (("database", 4.0, 1),),
    "intersystems": (("database", 4.0, 1),),
    "printer": (("printer", 4.0, 1),),
    "http": (("server", 3.0, 8),),
    "tls": (("server", 3.0, 8),),
    "rtp": (("camera", 1.0, 1),),
}
_ANSWERS_PORT: Final[dict[int, tuple[tuple[str, float, int], ...]]] = {
    9100: (("printer", 4.0, 1),),
    515: (("printer", 3.0, 1),),
    631: (("printer", 2.0, 1),),
    554: (("camera", 3.0, 1),),
    8530: (("wsus", 4.0, 1),),
    8531: (("wsus", 4.0, 1),),
}
_MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"
_QUERY_RETRIEVE: Final = "1.2.840.10008.5.1.4.1.2"
_UNKNOWN_WEIGHT: Final = 1.4  # so that one piece of evidence below 3 does not decide
_MOST_CLIENTS: Final = 16
_MOST_HOSTS: Final = 200_000


class RoleInference:
    """Collects evidence window by window and writes `Host.role` and `Host.role_reason`."""

    def __init__(self) -> None:
        self._evidence: dict[int, dict[tuple[str, str], float]] = {}
        self._clients: dict[tuple[int, str], set[int]] = {}

    def observe(self, window: Window) -> None:
        """Take in one window's flows and sightings."""
        changed: set[int] = set()
        self._read_flows(window, changed)
        self._read_sightings(window, changed)
        for number in changed:
            self._decide(window.hosts, number)

    def _read_flows(self, window: Window, changed: set[int]) -> None:
        flows = window.flows
        answered = (flows.reply_packets > 0) & ((flows.protocol != 6) | (flows.reply_bytes > 120))
        answered &= in_networks(flows.destination, window.hospital.inside)
        for token, meanings in _ANSWERS.items():
            chosen = answered & (flows.app == APP_CODE[token])
            self._note_clients(window, chosen, token, meanings, changed)
        for port, meanings in _ANSWERS_PORT.items():
            chosen = answered & (flows.protocol == 6) & (flows.destination_port == port)
            self._note_clients(window, chosen, f"port {port}", meanings, changed)

    def _note_clients(
        self,
        window: Window,
        chosen: np.ndarray[tuple[int], np.dtype[np.bool_]],
        service: str,
        meanings: tuple[tuple[str, float, int], ...],
        changed: set[int],
    ) -> None:
        if not chosen.any():
            return
        servers = window.destination[chosen].astype(np.uint64)
        pairs = np.unique(servers << np.uint64(32) | window.source[chosen])
        for pair in pairs.tolist():
            server, client = pair >> 32, pair & 0xFFFF_FFFF
            clients = self._clients.setdefault((server, service), set())
            if len(clients) >= _MOST_CLIENTS or client in clients:
                continue
            clients.add(client)
            for role, weight, needed in meanings:
                if len(clients) == needed:
                    reason = f"answers {service}" + (f" of {needed} clients" if needed > 1 else "")
                    self._note(server, role, reason, weight, changed)

    def _read_sightings(self, window: Window, changed: set[int]) -> None:
        at = window.hosts.number_of

        def note(ip: str, role: str, reason: str, weight: float) -> None:
            if ip and window.hospital.is_inside(ip):
                self._note(at(ip), role, reason, weight, changed)

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
            note(search.ip, "terminal", "searches the directory", 0.5)
        for message in window.of(Hl7):
            note(message.ip, "analyser", "sends HL7", 0.5)
        for image in window.of(Dicom):
            if image.message == "c_store":
                note(image.ip, "modality", "sends images", 2.0)
                note(image.peer_ip, "pacs", "receives images", 2.0)
            elif image.message == "c_find" and image.sop_class.startswith(_MODALITY_WORKLIST):
                note(image.ip, "modality", "asks for the worklist", 3.0)
            elif image.message in ("c_find", "c_move", "c_get") and image.sop_class.startswith(
                _QUERY_RETRIEVE
            ):
                note(image.ip, "viewer", "queries and retrieves images", 2.5)

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
        weights: dict[str, float] = {}
        for (role, _), weight in self._evidence[number].items():
            weights[role] = weights.get(role, 0.0) + weight
        best = max(weights, key=lambda role: weights[role])
        whole = sum(math.exp(w) for w in weights.values()) + math.exp(_UNKNOWN_WEIGHT)
        if math.exp(weights[best]) / whole >= 0.8:
            host.role = best
            reasons = [reason for role, reason in self._evidence[number] if role == best]
            host.role_reason = "; ".join(reasons)
