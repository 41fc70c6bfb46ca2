"""Sightings on their way through the collector: single ones, and words told again, by column.

Names are asked for again and again. What a packet says that others said before needs no object
until somebody looks at it: when, where and who are columns out of the fast lane's picks, the words
come from the first who said them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import repeat
from operator import attrgetter
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from collector.fastlane.layout import PICK_ROW_DTYPE
from collector.flows import address_text, mac_text
from collector.rows import join_rows, take_rows
from collector.sightings import SIGHTINGS, Sighting

_NUMBER: Final = {kind: number for number, kind in enumerate(SIGHTINGS)}
_FIELDS: Final = tuple(tuple(field.name for field in fields(kind)) for kind in SIGHTINGS)
#: What differs between packets that say the same.
_ENDS: Final = ("time_ns", "vlan", "mac", "ip", "port", "peer_mac", "peer_ip", "peer_port")
_WORDS: Final = tuple(tuple(name for name in names if name not in _ENDS) for names in _FIELDS)
#: Different words kept for those who say the same.
_SAID_KEPT: Final = 32_768
#: A hospital's hosts fit; an address scan cannot make it grow.
_ADDRESSES_KEPT: Final = 16384
#: Sightings of one packet that keep their order among those of the same moment.
_A_PACKET: Final = 1024

#: Time, VLAN, MAC, address, port, and the peer's MAC, address, port.
Ends = tuple[int, int, str, str, int, str, str, int]
Places = NDArray[np.int64]

_mac = lru_cache(_ADDRESSES_KEPT)(mac_text)


@lru_cache(_ADDRESSES_KEPT)
def _address(high: int, low: int) -> str:
    return address_text(high, low) if high or low else ""


def ends_of(picks: NDArray[Any]) -> Iterator[Ends]:
    """When, VLAN, and both ends' MAC, address and port of each pick, as sightings hold them."""
    return zip(*_ends_by_column(picks), strict=True)


def _ends_by_column(picks: NDArray[Any]) -> tuple[list[Any], ...]:
    rows = picks.view(PICK_ROW_DTYPE)
    return (
        rows["time_ns"].tolist(),
        rows["vlan"].tolist(),
        list(map(_mac, rows["source_mac"].tolist())),
        list(map(_address, rows["source_high"].tolist(), rows["source_low"].tolist())),
        rows["source_port"].tolist(),
        list(map(_mac, rows["destination_mac"].tolist())),
        list(map(_address, rows["destination_high"].tolist(), rows["destination_low"].tolist())),
        rows["destination_port"].tolist(),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What a packet said, without when, where and who: kind (index into SIGHTINGS) and words."""

    words: tuple[tuple[int, tuple[Any, ...]], ...]
    is_malformed: bool


class Sayings:
    """What packets said that come alike, by a hash of what they said."""

    def __init__(self) -> None:
        self._said: dict[int, Said] = {}

    def __len__(self) -> int:
        return len(self._said)

    def get(self, said_hash: int) -> Said | None:
        """None where nobody has said it, as for 0."""
        return self._said.get(said_hash)

    def keep(self, said_hash: int, told: Iterable[Sighting], is_malformed: bool) -> None:
        if len(self._said) >= _SAID_KEPT:
            self._said.clear()
        numbers = ((_NUMBER[type(one)], one) for one in told)
        words = tuple((n, tuple(getattr(one, name) for name in _WORDS[n])) for n, one in numbers)
        self._said[said_hash] = Said(words, is_malformed)


class Told(Sequence[Sighting]):
    """Sightings in the order of their times, and of their packets where times are the same.

    Pickled it travels as columns, in a fifth of the time that objects take, and arrives as a tuple.
    """

    __slots__ = ("_columns", "_made", "_places", "_single")

    def __init__(
        self,
        single: Sequence[Sighting] = (),
        places: Sequence[int] | Places = (),
        columns: Sequence[_Column] = (),
    ) -> None:
        """`places` tell which of the single ones comes first where times are the same."""
        self._single = single
        self._places = np.array(places, np.int64)
        self._columns = columns
        self._made: tuple[Sighting, ...] | None = None

    @staticmethod
    def join(several: Iterable[Told]) -> Told:
        """All of them, in the order of their times."""
        parts = list(several)
        return Told(
            [sighting for part in parts for sighting in part._single],
            np.concatenate([np.zeros(0, np.int64), *(part._places for part in parts)]),
            [column for part in parts for column in part._columns],
        )

    def __len__(self) -> int:
        return len(self._single) + sum(len(column.places) for column in self._columns)

    @overload
    def __getitem__(self, at: int) -> Sighting: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Sighting, ...]: ...
    def __getitem__(self, at: int | slice) -> Sighting | tuple[Sighting, ...]:
        return self._objects()[at]

    def __iter__(self) -> Iterator[Sighting]:
        return iter(self._objects())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._objects() == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        columns = [*_laid_out(self._single, self._places), *self._columns]
        turn = _turn([c.values[0] for c in columns], [c.places for c in columns])
        return _unpacked, ([(c.number, c.values) for c in columns], turn)

    def _objects(self) -> tuple[Sighting, ...]:
        if self._made is None:
            times = [[sighting.time_ns for sighting in self._single]]
            times += [column.values[0] for column in self._columns]
            made = [*self._single, *(s for c in self._columns for s in _made(c.number, c.values))]
            turn = _turn(times, [self._places, *(column.places for column in self._columns)])
            self._made = tuple(map(made.__getitem__, turn.tolist()))
        return self._made


@dataclass(frozen=True, slots=True)
class _Column:
    """Sightings of one kind: a list for each of its fields, and the place of each."""

    number: int
    values: list[list[Any]]
    places: Places


class Telling:
    """What a lane tells. Packets are told in turn, each with those before it behind it."""

    def __init__(self, first_place: int = 0) -> None:
        """Where times are the same, the lane with the lesser `first_place` comes first."""
        self._packets = first_place
        self._single: list[Sighting] = []
        self._places: list[int] = []
        #: By kind: rows of the picks at hand; and of all, the rows taken, places and what they say.
        self._rows: dict[int, list[int]] = {}
        self._again: dict[int, tuple[list[NDArray[Any]], list[int], list[tuple[Any, ...]]]] = {}

    def turn(self) -> int:
        """The next packet's turn, for `tell`, whenever that comes."""
        self._packets += 1
        return self._packets

    def tell(self, packet: int, sightings: Sequence[Sighting]) -> None:
        """Tell what the packet of that turn says."""
        for nth, sighting in enumerate(sightings):
            self._single.append(sighting)
            self._places.append(packet * _A_PACKET + min(nth, _A_PACKET - 1))

    def again(self, packet: int, row: int, said: Said) -> None:
        """The packet says what was said before; `row` is its place in the picks at hand."""
        for nth, (number, words) in enumerate(said.words):
            self._rows.setdefault(number, []).append(row)
            _, places, told = self._again.setdefault(number, ([], [], []))
            places.append(packet * _A_PACKET + min(nth, _A_PACKET - 1))
            told.append(words)

    def end_picks(self, picks: NDArray[Any]) -> None:
        """The picks (PICK_DTYPE) to which `again` referred; others follow."""
        for number, rows in self._rows.items():
            self._again[number][0].append(take_rows(picks, np.array(rows)))
        self._rows.clear()

    def take(self) -> Told:
        """What was told since the last time, all picks of it ended."""
        columns: list[_Column] = []
        for number, (picks, places, told) in self._again.items():
            ends = dict(zip(_ENDS, _ends_by_column(join_rows(picks)), strict=True))
            words = dict(zip(_WORDS[number], map(list, zip(*told, strict=True)), strict=True))
            by_name = ends | words
            values = [by_name[name] for name in _FIELDS[number]]
            columns.append(_Column(number, values, np.array(places, np.int64)))
        single, self._single = self._single, []
        at, self._places = self._places, []
        self._again.clear()
        return Told(single, at, columns)


def _turn(times: Sequence[Sequence[int]], places: Sequence[Places]) -> NDArray[np.intp]:
    """Which of all comes first, second, …"""
    at = np.concatenate([np.zeros(0, np.int64), *(np.array(some, np.int64) for some in times)])
    return np.lexsort((np.concatenate([np.zeros(0, np.int64), *places]), at))


def _laid_out(single: Sequence[Sighting], places: Places) -> list[_Column]:
    by_kind: dict[int, list[int]] = {}
    for at, sighting in enumerate(single):
        by_kind.setdefault(_NUMBER[type(sighting)], []).append(at)
    laid: list[_Column] = []
    for number, rows in by_kind.items():
        several = list(map(single.__getitem__, rows))
        values = [list(map(attrgetter(name), several)) for name in _FIELDS[number]]
        laid.append(_Column(number, values, places[rows]))
    return laid


def _unpacked(
    columns: list[tuple[int, list[list[Any]]]], turn: NDArray[np.intp]
) -> tuple[Sighting, ...]:
    made = [sighting for number, values in columns for sighting in _made(number, values)]
    return tuple(map(made.__getitem__, turn.tolist()))


def _made(number: int, values: list[list[Any]]) -> list[Sighting]:
    """Written with the slots' own setters, in a third of the time that the class would take."""
    kind: Any = SIGHTINGS[number]
    made: list[Sighting] = list(map(object.__new__, repeat(kind, len(values[0]))))
    for name, column in zip(_FIELDS[number], values, strict=True):
        slot: Any = kind.__dict__.get(name) or Sighting.__dict__[name]
        deque(map(slot.__set__, made, column), maxlen=0)
    return made
