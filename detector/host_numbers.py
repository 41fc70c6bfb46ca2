"""Numbers for addresses that can be given back, so that a flood of addresses does not stay."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import address_text
from collector.numbering import NO_NUMBER, empty_index, number_addresses, unique_addresses

#: High half of 100:0:0:1::/64, the dummy prefix (RFC 9780), where numbers stand that are nobody's.
UNUSED: Final = 0x0100_0000_0000_0001
_NOBODY: Final = (UNUSED, (1 << 64) - 1)
#: What a finding names that speaks of hosts without a number.
NOBODY: Final = address_text(*_NOBODY)
_64: Final = (1 << 64) - 1
#: Days without a packet after which a number may be given back: after more than one day, after one.
_IDLE_DAYS: Final = 31
_IDLE_DAYS_ONCE_MET: Final = 7


class HostNumbers:
    """Number ↔ address, one to one; numbers are dense and stay until they are given back.

    `met` and `began` hold, by number, the last and the first day (since 1970) of it; the caller
    keeps `day`, the present one of event time.
    """

    def __init__(self) -> None:
        self.addresses = np.zeros((1024, 2), np.uint64)
        self.met = np.zeros(1024, np.int32)
        self.began = np.zeros(1024, np.int32)
        self.count = 0
        self.day = 0
        self.nobody = NO_NUMBER  # the number of all that get none, once there are such
        self._index = empty_index(4096)
        self._same = np.arange(1024, dtype=np.uint32)  # by number: whose further address it is
        self._has_same = False
        self._free: NDArray[np.uint32] = np.zeros(0, np.uint32)

    @property
    def used(self) -> int:
        """Numbers that stand for an address now."""
        return self.count - len(self._free)

    def turn(self, day: int) -> bool:
        """The present day; true if it is later than the one before."""
        if day <= self.day:
            return False
        if self.day == 0:  # what an earlier run numbered counts as met today
            self.met[: self.count] = self.began[: self.count] = day
        self.day = day
        return True

    def number(
        self, addresses: NDArray[np.uint64], limit: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Numbers of (n, 2) addresses, and which of them are new; NO_NUMBER beyond `limit`.

        A limit of 0 gives none out. `addresses` of this object has room for them all.
        """
        is_stray = addresses[:, 0] == UNUSED
        if is_stray.any():  # nobody sends from there by right
            numbers = np.full(len(addresses), NO_NUMBER, np.uint32)
            numbers[~is_stray], fresh = self.number(addresses[~is_stray], limit)
            return numbers, fresh
        before = self.count
        numbers, self.count = number_addresses(
            np.ascontiguousarray(addresses), self.addresses, before, self._index, limit
        )
        fresh = np.arange(before, self.count, dtype=np.uint32)
        if limit and len(self._free) and (numbers == NO_NUMBER).any():
            reused = self._reuse(addresses[numbers == NO_NUMBER])
            fresh = np.concatenate([fresh, reused])
            numbers, _ = number_addresses(
                np.ascontiguousarray(addresses), self.addresses, self.count, self._index, 0
            )
        self.began[fresh] = self.day
        has_one = numbers != NO_NUMBER
        self.met[numbers[has_one]] = self.day
        if self._has_same:
            numbers[has_one] = self._same[numbers[has_one]]
            self.met[numbers[has_one]] = self.day
        return numbers, fresh

    def join(self, further: int, number: int) -> None:
        """The address of `further` is another one of the host with this number from now on."""
        self._same[further] = number
        self._has_same = True

    def _reuse(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Numbers that were given back, for as many of these addresses as there are."""
        wanted, _ = unique_addresses(addresses)
        numbers = self._free[: len(wanted)].copy()
        self._free = self._free[len(wanted) :]
        self.addresses[numbers] = wanted[: len(numbers)]
        self._same[numbers] = numbers
        self._index_all()
        return numbers

    def grow(self) -> None:
        """Twice the room."""
        grown = np.zeros((len(self.addresses) * 2, 2), np.uint64)
        grown[: self.count] = self.addresses[: self.count]
        self.addresses = grown
        further = np.arange(len(self._same), len(grown), dtype=np.uint32)
        self._same = np.concatenate([self._same, further])
        self.met = np.concatenate([self.met, np.zeros_like(self.met)])
        self.began = np.concatenate([self.began, np.zeros_like(self.began)])
        self._index_all()

    def _index_all(self) -> None:
        """The index anew, without the numbers that are free."""
        is_used = np.ones(self.count, bool)
        is_used[self._free] = False
        used = np.flatnonzero(is_used)
        known = self.addresses[used]
        self._index = empty_index(len(self.addresses) * 2)
        number_addresses(known, known.copy(), 0, self._index, len(known))
        filled = self._index >= 0
        self._index[filled] = used[self._index[filled]]

    def begin(self, addresses: NDArray[np.uint64], limit: int) -> bool:
        """Have the numbers of an earlier run; false if some address stands there twice."""
        numbers, self.count = number_addresses(
            np.ascontiguousarray(addresses), self.addresses, 0, self._index, limit
        )
        if not bool((numbers == np.arange(len(addresses))).all()):
            return False
        is_unused = addresses[:, 0] == UNUSED
        is_nobody = is_unused & (addresses[:, 1] == _NOBODY[1])
        self.nobody = int(np.flatnonzero(is_nobody)[0]) if is_nobody.any() else NO_NUMBER
        self._free = np.flatnonzero(is_unused & ~is_nobody).astype(np.uint32)
        self._index_all()
        return True

    def stand_in(self) -> int:
        """The number of nobody, made on first use; room for it is there."""
        if self.nobody == NO_NUMBER:
            self.nobody = self.count
            self.addresses[self.count] = _NOBODY
            self.count += 1
        return self.nobody

    def idle(self) -> NDArray[np.bool_]:
        """By number: not met for a month, or for days since the one day it was met."""
        met, began = self.met[: self.count], self.began[: self.count]
        age = self.day - met
        is_idle = (age > _IDLE_DAYS) | ((met == began) & (age > _IDLE_DAYS_ONCE_MET))
        idle: NDArray[np.bool_] = is_idle & (self.addresses[: self.count, 0] != UNUSED)
        return idle

    def give_back(self, numbers: NDArray[np.uint32]) -> None:
        """These stand for nobody from now on; the next new addresses get them."""
        self.addresses[numbers, 0] = UNUSED
        self.addresses[numbers, 1] = numbers
        self._free = np.concatenate([self._free, numbers])
        self._index_all()

    def exchange(self, one: int, other: int) -> None:
        """Two numbers change addresses."""
        slots = [self._slot(number) for number in (one, other)]
        self.addresses[[one, other]] = self.addresses[[other, one]]
        self._index[slots] = (other, one)

    def place_of(self, address: NDArray[np.uint64]) -> int:
        """The number that an address itself was given, NO_NUMBER if none; it is not met by that."""
        pair = np.ascontiguousarray(address[None])
        numbers, _ = number_addresses(pair, self.addresses, self.count, self._index, 0)
        return int(numbers[0])

    def _slot(self, number: int) -> int:
        """Where the index holds a number (the walk of `number_addresses`)."""
        high, low = (int(half) for half in self.addresses[number])
        mixed = ((low ^ (high * 0x9E3779B97F4A7C15 & _64)) * 0xBF58476D1CE4E5B9) & _64
        slot = (mixed ^ mixed >> 29) & (len(self._index) - 1)
        while self._index[slot] != number:
            slot = (slot + 1) & (len(self._index) - 1)
        return slot
