"""Numbers for hosts, and what traffic has told of each: MAC, names, roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import address_number, address_text
from collector.numbering import NO_NUMBER
from detector.addresses import LINK_LOCAL, in_networks, is_one_host
from detector.hospital import Asset, Hospital
from detector.host import Host
from detector.host_numbers import UNUSED, HostNumbers
from detector.landing import landing_networks
from detector.lines.addresses import AWAY, address_kinds
from detector.outside_names import OutsideNames
from detector.window_kernels import IN_PLAN, LANDING, NEAR, ONE_HOST

#: Addresses that sightings and people name may still get a number when flows get none.
_SPARE: Final = 65_536


class HostsFull(ValueError):
    """So many addresses are known that there is no number for another machine."""


_AWAY: Final = int(AWAY.network_address) >> 64
#: Addresses kept as text; beyond, all are written anew.
_TEXTS_KEPT: Final = 262_144


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


class HostTable:
    """Numbers addresses in order of first sight and keeps what is known of the inside ones.

    It is bounded: once `most` addresses are known, flows of new ones have no number, and names
    that sightings bring share one that is nobody's; those who are known go on. Numbers of hosts
    that were long not met are given back (`give_back`).
    """

    def __init__(self, hospital: Hospital, most: int = 2_000_000) -> None:
        self._hospital = hospital
        self._most = most
        self._numbers = HostNumbers()
        self._traits = np.zeros(1024, np.uint8)
        self._kinds = np.zeros(1024, np.uint8)
        self.seen = np.zeros(1024, SEEN_DTYPE)
        self._hosts: dict[int, Host] = {}
        self._by_ip: dict[str, int] = {}
        self._ip_of: dict[int, str] = {}
        self.outside_names = OutsideNames()
        self.moves = 0  # how often a number has come to another address
        self._places = 0  # discard addresses that were given out
        self.turned_away = 0  # questions for the number of a host for which there is none

    def __len__(self) -> int:
        return self._numbers.count

    @property
    def is_full(self) -> bool:
        return len(self) >= self._most

    @property
    def traits(self) -> NDArray[np.uint8]:
        """By host number: IN_PLAN, NEAR, ONE_HOST and LANDING bits (`window_kernels`)."""
        return self._traits

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """By host number: what its address is, as bits of `detector.lines.addresses`."""
        return self._kinds

    def number(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Number (n, 2) addresses, new ones included; NO_NUMBER where there is no more room."""
        return self._number(addresses, self._most)

    def _number(self, addresses: NDArray[np.uint64], most: int) -> NDArray[np.uint32]:
        while len(self) + len(addresses) > len(self._numbers.addresses) // 2 and (
            len(self._numbers.addresses) < 2 * (self._most + _SPARE + 1)
        ):
            self._grow()
        moved = self._numbers.count
        numbers, fresh = self._numbers.number(addresses, most)
        if len(fresh):
            self._learn(fresh)
            if int(fresh.min()) < moved:  # what is kept by number speaks of somebody else
                self.moves += 1
                self._by_ip, self._ip_of = {}, {}
        return numbers

    def _grow(self) -> None:
        self._numbers.grow()
        self._traits = np.concatenate([self._traits, np.zeros_like(self._traits)])
        self._kinds = np.concatenate([self._kinds, np.zeros_like(self._kinds)])
        self.seen = np.concatenate([self.seen, np.zeros_like(self.seen)])

    def _learn(self, fresh: NDArray[np.uint32]) -> None:
        addresses = self._numbers.addresses[fresh]
        is_somebody = addresses[:, 0] != UNUSED
        self._traits[fresh] = self._traits_of(addresses) * is_somebody
        self._kinds[fresh] = address_kinds(addresses, self._hospital) * is_somebody

    def _traits_of(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint8]:
        is_planned = in_networks(addresses, self._hospital.inside)
        is_near = is_planned | in_networks(addresses, LINK_LOCAL)
        lands = in_networks(addresses, landing_networks(self._hospital.lines))
        traits: NDArray[np.uint8] = (
            is_planned * IN_PLAN
            | is_near * NEAR
            | is_one_host(addresses) * ONE_HOST
            | lands * LANDING
        ).astype(np.uint8)
        return traits

    def table(self) -> NDArray[np.uint64]:
        """(n, 2) addresses of all hosts, by number."""
        addresses: NDArray[np.uint64] = self._numbers.addresses[: len(self)].copy()
        return addresses

    def begin(self, addresses: NDArray[np.uint64]) -> bool:
        """Give an empty table these numbers again; false if it is not empty or they do not fit."""
        most = self._most + _SPARE + 1
        if len(self) or len(addresses) > most:
            return False
        while len(addresses) > len(self._numbers.addresses) // 2:
            self._grow()
        if not self._numbers.begin(addresses, most):
            return False
        self._learn(np.arange(len(self), dtype=np.uint32))
        return True

    def turn(self, day: int) -> bool:
        """Event time has come to this day; true if it is another one than before."""
        return self._numbers.turn(day)

    @property
    def is_crowded(self) -> bool:
        """Three quarters of the numbers are in use."""
        return self._numbers.used > self._most * 3 // 4

    def give_back(self, in_use: NDArray[np.uint32]) -> int:
        """Give back the numbers of hosts that were long not met; how many.

        Those stay whom `in_use` names, assets, machines that are away, landing hosts, and whoever
        the ledger lists.
        """
        is_idle = self._numbers.idle()
        is_idle &= ~self.seen["is_known"][: len(self)]
        is_idle &= self._traits[: len(self)] & LANDING == 0
        is_idle &= self._numbers.addresses[: len(self), 0] != _AWAY
        is_idle[in_use[in_use < len(self)]] = False
        for number, host in self._hosts.items():
            if host.machine or host.has_moved or host.role_reason == "ledger":
                is_idle[number] = False
        idle = np.flatnonzero(is_idle).astype(np.uint32)
        if not len(idle):
            return 0
        self._numbers.give_back(idle)
        self._learn(idle)
        self.seen[idle] = 0
        self._by_ip, self._ip_of = {}, {}
        for number in idle.tolist():
            self._hosts.pop(number, None)
        return len(idle)

    def inside(self, numbers: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Mask of the numbers that are the hospital's own addresses."""
        mask: NDArray[np.bool_] = (self._traits[numbers] & IN_PLAN) != 0
        return mask

    def number_of(self, ip: str) -> int:
        """The number of one address given as text; nobody's where there is no number left."""
        number = self._by_ip.get(ip)
        if number is None:
            if len(self._by_ip) > self._most:
                self._by_ip.clear()
            pair = np.array([address_number(ip)], np.uint64)
            number = int(self._number(pair, self._most + _SPARE)[0])
            if number == NO_NUMBER:
                self.turned_away += 1
                return self._numbers.stand_in()
            self._by_ip[ip] = number
        return number

    def is_nobody(self, number: int) -> bool:
        """Does this number stand for all the hosts that have none of their own."""
        return number == self._numbers.nobody

    def own_number_of(self, ip: str) -> int:
        """As `number_of`, but HostsFull where there is no number left."""
        number = self.number_of(ip)
        if self.is_nobody(number):
            raise HostsFull(f"more than {self._most:,} addresses; raise detector.engine.most_hosts")
        return number

    def numbers_of(self, ips: Sequence[str]) -> list[int]:
        """The numbers of addresses given as text, as `number_of` gives them in turn."""
        unknown = [ip for ip in dict.fromkeys(ips) if ip not in self._by_ip]
        if unknown and len(self._by_ip) + len(unknown) <= self._most:
            pairs = np.array([address_number(ip) for ip in unknown], np.uint64)
            numbers = self._number(pairs, self._most + _SPARE).tolist()
            if NO_NUMBER not in numbers:
                self._by_ip.update(zip(unknown, numbers, strict=True))
        return [self.number_of(ip) for ip in ips]

    def give(self, ip: str, number: int | None = None) -> int:
        """Let an address belong to this number from now on, or to a new one; that number.

        Whoever had the address is away from now on, and the address that the number had before
        belongs to nobody: the next host there is a new one. HostsFull if no number is left.
        """
        holder = self.own_number_of(ip)
        if holder == number:
            return holder
        self.get(holder).has_moved = True  # made now, so that it keeps the address as its last
        mine = number
        if mine is None or not self.is_away(mine):
            # What takes the place left behind, or is the new host itself.
            fresh = self._new_place()
            if mine is None:
                mine = fresh
            else:
                self._exchange(fresh, mine)
        self._exchange(mine, holder)
        self.get(mine).has_moved = True
        self.moves += 1
        return mine

    def join(self, ip: str, number: int) -> None:
        """This address is a further one of the host with this number from now on.

        What was remembered of it as a host of its own stays behind. HostsFull if there is no number
        left for it.
        """
        if self.own_number_of(ip) == number:
            return
        place = self.place_of(ip)
        self._numbers.join(place, number)
        self.seen["is_known"][place] = self.seen["is_changed"][place] = False
        self._by_ip.pop(ip, None)

    def place_of(self, ip: str) -> int:
        """The number that the address itself has, or NO_NUMBER; `number_of` tells whose it is."""
        return self._numbers.place_of(np.array(address_number(ip), np.uint64))

    def is_in_use(self, ip: str) -> bool:
        """Was anything of this address heard today or yesterday."""
        place = self.place_of(ip)
        return place != NO_NUMBER and self._numbers.day - int(self._numbers.met[place]) <= 1

    def know(self, number: int, mac: str) -> None:
        """A number is the machine with this MAC; once it moved, the ledger's row of the MAC is its.

        Another machine's row, at the address where it is now, is not.
        """
        host = self.get(number)
        host.machine = mac
        if host.has_moved:
            listed = self._hospital.asset_by_ip.get(host.ip)
            if listed is not None and listed.mac:
                self._unlist(host, listed)
            own = self._hospital.asset_by_ip.get(self._hospital.ip_by_mac.get(mac, ""))
            if own is not None:
                self._take(host, own)
        host.mac = mac

    def is_away(self, number: int) -> bool:
        """True for a number that stands at no real address now."""
        return int(self._numbers.addresses[number, 0]) == _AWAY

    def restore_away(self, number: int, last_ip: str) -> None:
        """After a restart: what a machine that is away was."""
        self.get(number).ip = last_ip
        pair = np.array([address_number(last_ip)], np.uint64)
        self._traits[number] = self._traits_of(pair)[0]

    def _new_place(self) -> int:
        """A new number at a discard address."""
        while True:
            self._places += 1
            place = np.array([(_AWAY, self._places)], np.uint64)
            before = self._numbers.used
            number = int(self._number(place, self._most + _SPARE)[0])
            if number == NO_NUMBER:
                raise HostsFull(
                    f"more than {self._most:,} addresses; raise detector.engine.most_hosts"
                )
            if self._numbers.used > before:  # else an earlier run gave it out
                return number

    def _exchange(self, one: int, other: int) -> None:
        """Two numbers change addresses; what is remembered stays with the number."""
        self._numbers.exchange(one, other)
        self._by_ip, self._ip_of = {}, {}
        for number in (one, other):
            pair = self._numbers.addresses[number][None]
            self._kinds[number] = address_kinds(pair, self._hospital)[0]
            if not self.is_away(number):
                self._traits[number] = self._traits_of(pair)[0]
                if number in self._hosts:
                    self._move(self._hosts[number], self.ip(number))

    def _move(self, host: Host, ip: str) -> None:
        """A machine's ledger row comes along where it names the MAC; else it is the address's."""
        old = self._hospital.asset_by_ip.get(host.ip)
        if old is not None:
            self._unlist(host, old)
        host.ip = ip
        self._list(host)

    @staticmethod
    def _unlist(host: Host, listed: Asset) -> None:
        """Take back what the ledger said, unless its row names this machine."""
        if host.machine and listed.mac.lower() == host.machine:
            return
        if host.role_reason == "ledger":
            host.role, host.role_reason = "unknown", ""
        if host.names.get(listed.name) == 0:
            del host.names[listed.name]

    def _list(self, host: Host) -> None:
        """What the ledger says of a host's address, unless it says it of another machine."""
        listed = self._hospital.asset_by_ip.get(host.ip)
        if listed is None or (listed.mac and host.machine not in ("", listed.mac.lower())):
            return
        self._take(host, listed)

    @staticmethod
    def _take(host: Host, listed: Asset) -> None:
        host.role, host.mac = listed.role, listed.mac
        host.role_reason = "ledger"
        if listed.name:
            host.names.setdefault(listed.name, 0)

    def ip(self, number: int) -> str:
        """The address where a host is now, as text."""
        ip = self._ip_of.get(number)
        if ip is None:
            if len(self._ip_of) >= _TEXTS_KEPT:
                self._ip_of.clear()
            ip = self._ip_of[number] = address_text(*self._numbers.addresses[number].tolist())
        return ip

    def addresses(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
        """(n, 2) addresses of these numbers."""
        chosen: NDArray[np.uint64] = self._numbers.addresses[numbers]
        return chosen

    def get(self, number: int) -> Host:
        """What is known of a host; made on first use."""
        host = self._hosts.get(number)
        if host is None:
            ip = self.ip(number)
            is_inside = bool(self._traits[number] & IN_PLAN)
            host = Host(ip=ip, number=number, is_inside=is_inside, table=self)
            self._list(host)
            self._hosts[number] = host
        return host

    def name_of(self, text: str) -> str:
        """The name of a host that has been met under this address; "" for any other text."""
        number = self._by_ip.get(text)
        if number is None:
            try:
                pair = np.array([address_number(text)], np.uint64)
            except ValueError:
                return ""
            number = int(self._number(pair, 0)[0])  # none is given out
        host = self._hosts.get(number)
        if host is None:
            listed = self._hospital.asset_by_ip.get(text)
            return listed.name if listed else ""
        # An away machine stands where no address is to be shown: its last one is.
        return host.name or (host.ip if self.is_away(number) else "")

    def at(self, ip: str) -> Host:
        """What is known of an address given as text."""
        return self.get(self.number_of(ip))
