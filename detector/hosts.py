"""Numbers for hosts, and what traffic has told of each: MAC, names, roles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import address_number, address_text
from collector.numbering import NO_NUMBER, empty_index, number_addresses
from detector.addresses import LINK_LOCAL, in_networks, is_one_host
from detector.hospital import NEVER_CONTROLLERS, Hospital
from detector.landing import landing_networks
from detector.window_kernels import IN_PLAN, LANDING, NEAR, ONE_HOST

#: Addresses that sightings and people name may still get a number when flows get none.
_SPARE: Final = 65_536


class HostsFull(ValueError):
    """So many addresses are known that there is no number for another one."""


#: What flows tell of each inside host, by number.
SEEN_DTYPE: Final = np.dtype(
    [
        ("first_ns", "i8"),
        ("last_ns", "i8"),
        ("mac", "u8"),  # that it last spoke from, as looked at
        ("stamp", "i8"),  # the kernels' own
        ("vlan", "u2"),
        ("is_known", "?"),
        ("is_changed", "?"),
    ],
    align=True,
)


@dataclass
class Host:
    """What has been seen of one address; what every flow changes stands in the table's columns."""

    ip: str
    number: int
    is_inside: bool
    table: HostTable = field(repr=False, compare=False)
    mac: str = ""
    names: dict[str, int] = field(default_factory=dict)  # name → last seen, ns
    role: str = "unknown"
    role_reason: str = ""

    @property
    def first_ns(self) -> int:
        return int(self.table.seen["first_ns"][self.number])

    @property
    def last_ns(self) -> int:
        return int(self.table.seen["last_ns"][self.number])

    @property
    def vlan(self) -> int:
        return int(self.table.seen["vlan"][self.number])

    @property
    def name(self) -> str:
        return max(self.names, key=lambda n: self.names[n]) if self.names else ""

    @property
    def is_never_controller(self) -> bool:
        return self.role in NEVER_CONTROLLERS


class HostTable:
    """Numbers addresses in order of first sight and keeps what is known of the inside ones.

    It is bounded: once `most` addresses are known, flows of new ones have no number.
    """

    def __init__(self, hospital: Hospital, most: int = 2_000_000) -> None:
        self._hospital = hospital
        self._most = most
        self._addresses = np.zeros((1024, 2), np.uint64)
        self._index = empty_index(4096)
        self._traits = np.zeros(1024, np.uint8)
        self.seen = np.zeros(1024, SEEN_DTYPE)
        self._count = 0
        self._hosts: dict[int, Host] = {}
        self._by_ip: dict[str, int] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        return self._count >= self._most

    @property
    def traits(self) -> NDArray[np.uint8]:
        """By host number: IN_PLAN, NEAR, ONE_HOST and LANDING bits (`window_kernels`)."""
        return self._traits

    def number(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Number (n, 2) addresses, new ones included; NO_NUMBER where there is no more room."""
        return self._number(addresses, self._most)

    def _number(self, addresses: NDArray[np.uint64], most: int) -> NDArray[np.uint32]:
        while self._count + len(addresses) > len(self._addresses) // 2 and (
            len(self._addresses) < 2 * (self._most + _SPARE)
        ):
            self._grow()
        before = self._count
        numbers: NDArray[np.uint32]
        numbers, self._count = number_addresses(
            np.ascontiguousarray(addresses), self._addresses, self._count, self._index, most
        )
        if self._count > before:
            self._learn(slice(before, self._count))
        return numbers

    def _grow(self) -> None:
        grown = np.zeros((len(self._addresses) * 2, 2), np.uint64)
        grown[: self._count] = self._addresses[: self._count]
        self._addresses = grown
        self._traits = np.concatenate([self._traits, np.zeros_like(self._traits)])
        self.seen = np.concatenate([self.seen, np.zeros_like(self.seen)])
        self._index = empty_index(len(grown) * 2)
        known = self._addresses[: self._count].copy()
        number_addresses(known, self._addresses, 0, self._index, len(known))

    def _learn(self, fresh: slice) -> None:
        addresses = self._addresses[fresh]
        is_planned = in_networks(addresses, self._hospital.inside)
        is_near = is_planned | in_networks(addresses, LINK_LOCAL)
        lands = in_networks(addresses, landing_networks(self._hospital.lines))
        self._traits[fresh] = (
            is_planned * IN_PLAN
            | is_near * NEAR
            | is_one_host(addresses) * ONE_HOST
            | lands * LANDING
        )

    def table(self) -> NDArray[np.uint64]:
        """(n, 2) addresses of all hosts, by number."""
        addresses: NDArray[np.uint64] = self._addresses[: self._count].copy()
        return addresses

    def begin(self, addresses: NDArray[np.uint64]) -> bool:
        """Give an empty table these numbers again; false if it is not empty or they do not fit."""
        if self._count or len(addresses) > self._most + _SPARE:
            return False
        numbers = self._number(addresses, self._most + _SPARE)
        return bool((numbers == np.arange(len(addresses))).all())

    def inside(self, numbers: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Mask of the numbers that are the hospital's own addresses."""
        mask: NDArray[np.bool_] = (self._traits[numbers] & IN_PLAN) != 0
        return mask

    def number_of(self, ip: str) -> int:
        """The number of one address given as text."""
        number = self._by_ip.get(ip)
        if number is None:
            if len(self._by_ip) > self._most:
                self._by_ip.clear()
            pair = np.array([address_number(ip)], np.uint64)
            number = self._by_ip[ip] = int(self._number(pair, self._most + _SPARE)[0])
            if number == NO_NUMBER:
                raise HostsFull(
                    f"more than {self._most:,} addresses; raise detector.engine.most_hosts"
                )
        return number

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
            is_inside = bool(self._traits[number] & IN_PLAN)
            host = Host(ip=ip, number=number, is_inside=is_inside, table=self)
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
