"""Numbers for hosts, and what traffic has told of each: MAC, names, roles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collector.flows import address_number, address_text
from collector.numbering import empty_index, number_addresses
from detector.hospital import NEVER_CONTROLLERS, Hospital


@dataclass
class Host:
    """What has been seen of one address."""

    ip: str
    number: int
    is_inside: bool
    mac: str = ""
    names: dict[str, int] = field(default_factory=dict)  # name → last seen, ns
    role: str = "unknown"
    role_reason: str = ""
    first_ns: int = 0
    last_ns: int = 0
    vlan: int = 0

    @property
    def name(self) -> str:
        return max(self.names, key=lambda n: self.names[n]) if self.names else ""

    @property
    def is_never_controller(self) -> bool:
        return self.role in NEVER_CONTROLLERS


class HostTable:
    """Numbers addresses in order of first sight and keeps what is known of the inside ones."""

    def __init__(self, hospital: Hospital, capacity: int = 1 << 20) -> None:
        self._hospital = hospital
        self._capacity = capacity
        self._addresses = np.zeros((1024, 2), np.uint64)
        self._index = empty_index(4096)
        self._inside = np.zeros(1024, bool)
        self._plan = [
            (address_number(str(p.network_address)), p.prefixlen + (96 if p.version == 4 else 0))
            for p in hospital.inside
        ]
        self._count = 0
        self._hosts: dict[int, Host] = {}
        self._by_ip: dict[str, int] = {}

    def __len__(self) -> int:
        return self._count

    def number(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Number (n, 2) addresses, new ones included."""
        while self._count + len(addresses) > len(self._addresses) // 2:
            grown = np.zeros((len(self._addresses) * 2, 2), np.uint64)
            grown[: self._count] = self._addresses[: self._count]
            self._addresses = grown
            self._inside = np.concatenate([self._inside, np.zeros_like(self._inside)])
            self._index = empty_index(len(grown) * 2)
            number_addresses(self._addresses[: self._count].copy(), self._addresses, 0, self._index)
        before = self._count
        numbers: NDArray[np.uint32]
        numbers, self._count = number_addresses(
            np.ascontiguousarray(addresses), self._addresses, self._count, self._index
        )
        fresh = slice(before, self._count)
        self._inside[fresh] = _is_in(self._addresses[fresh], self._plan)
        return numbers

    def inside(self, numbers: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Mask of the numbers that are the hospital's own addresses."""
        mask: NDArray[np.bool_] = self._inside[numbers]
        return mask

    def number_of(self, ip: str) -> int:
        """The number of one address given as text."""
        if ip not in self._by_ip:
            pair = np.array([address_number(ip)], np.uint64)
            self._by_ip[ip] = int(self.number(pair)[0])
        return self._by_ip[ip]

    def ip(self, number: int) -> str:
        high, low = self._addresses[number]
        return address_text(int(high), int(low))

    def addresses(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """(n, 2) addresses of these numbers."""
        chosen: NDArray[np.uint64] = self._addresses[numbers]
        return chosen

    def get(self, number: int) -> Host:
        """What is known of a host; made on first use."""
        host = self._hosts.get(number)
        if host is None:
            ip = self.ip(number)
            host = Host(ip=ip, number=number, is_inside=bool(self._inside[number]))
            listed = self._hospital.asset_by_ip.get(ip)
            if listed is not None:
                host.role, host.mac = listed.role, listed.mac
                host.role_reason = "ledger"
                if listed.name:
                    host.names[listed.name] = 0
            self._hosts[number] = host
        return host

    def name_of(self, text: str) -> str:
        """The name of a host that has been met under this address; "" for any other text."""
        number = self._by_ip.get(text)
        host = self._hosts.get(number) if number is not None else None
        if host is None:
            listed = self._hospital.asset_by_ip.get(text)
            return listed.name if listed else ""
        return host.name

    def at(self, ip: str) -> Host:
        """What is known of an address given as text."""
        return self.get(self.number_of(ip))


def _is_in(
    addresses: NDArray[np.uint64], plan: list[tuple[tuple[int, int], int]]
) -> NDArray[np.bool_]:
    """Which of the (n, 2) addresses lie in one of the prefixes ((high, low), length of 128)."""
    found = np.zeros(len(addresses), bool)
    for (high, low), length in plan:
        high_mask = np.uint64((1 << 64) - (1 << max(0, 64 - length)))
        low_mask = np.uint64((1 << 64) - (1 << min(64, 128 - length)))
        found |= ((addresses[:, 0] & high_mask) == np.uint64(high) & high_mask) & (
            (addresses[:, 1] & low_mask) == np.uint64(low) & low_mask
        )
    return found
