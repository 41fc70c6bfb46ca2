"""The sighting lane: packets that the fast lane picked become sightings."""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.decoders import DECODERS, Decoder
from collector.decoders.alike_kernels import alike
from collector.fastlane.layout import PICK_ROW_DTYPE
from collector.flights import Flights
from collector.flows import address_text, mac_text
from collector.packet import Packet, Pick
from collector.sightings import Sighting, said_again

#: A hospital's hosts fit; an address scan cannot make it grow.
_ADDRESSES_KEPT: Final = 16384
_address = lru_cache(_ADDRESSES_KEPT)(address_text)
_mac = lru_cache(_ADDRESSES_KEPT)(mac_text)
_BY_PICK: Final[dict[int, Decoder]] = {int(decoder.pick): decoder for decoder in DECODERS}
_IS_MINE: Final = np.isin(np.arange(256), list(_BY_PICK))
#: Different words kept for those who say the same.
_SAID_KEPT: Final = 32_768
_time_of: Final = attrgetter("time_ns")
_ICMP_HEADER: Final = 8
_BROKEN: Final = (ValueError, IndexError, struct.error)


class SightingLane:
    """Runs each picked packet through its decoder; whatever a packet holds, the lane goes on.

    `malformed` counts packets that broke their protocol's rules, by kind; `failed` counts those
    that a decoder could not survive, which is a fault of ours.
    """

    def __init__(self, sensor: str = "local") -> None:
        self._sensor = sensor
        self.malformed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._flights = Flights()
        self._seed = int.from_bytes(os.urandom(7), "little")
        #: What packets said that come alike: hash → sightings of the first, and was it malformed.
        self._said: dict[int, tuple[list[Sighting], bool]] = {}

    def decode(self, buffer: bytes | NDArray[np.uint8], picks: NDArray[Any]) -> list[Sighting]:
        """Decode picks (PICK_DTYPE) whose offsets are into `buffer`; sightings in time order.

        Picks of other lanes (DEEP, EXPORT) are left out.
        """
        found: list[Sighting] = []
        mine = picks[_IS_MINE[picks["kind"]]]
        view = np.frombuffer(buffer, np.uint8) if isinstance(buffer, bytes) else buffer
        hashes = alike(view, mine.view(PICK_ROW_DTYPE), self._seed).tolist() if len(mine) else []
        alone = np.array([h == 0 or h not in self._said for h in hashes], bool)
        packets = packets_of(buffer, mine[alone], self._sensor)
        kinds = mine["kind"].tolist()
        for at, ends in enumerate(_ends_of(mine)):
            kind, said_hash = kinds[at], hashes[at]
            if alone[at]:
                self._decode(kind, next(packets), said_hash, found)
                continue
            time_ns, vlan, mac, ip, port, peer_mac, peer_ip, peer_port = ends
            known = self._said.get(said_hash)
            if known is None or (
                kind == Pick.TLS and self._flights.is_waiting(kind, (ip, port, peer_ip, peer_port))
            ):
                for packet in packets_of(buffer, mine[at : at + 1], self._sensor):
                    self._decode(kind, packet, said_hash, found)
                continue
            for words in known[0]:
                found.append(
                    said_again(words, time_ns, vlan, mac, ip, port, peer_mac, peer_ip, peer_port)
                )
            if known[1]:
                self.malformed[_BY_PICK[kind].pick.name.lower()] += 1
        found.sort(key=_time_of)
        return found

    def _decode(self, kind: int, picked: Packet, said_hash: int, found: list[Sighting]) -> None:
        decoder = _BY_PICK[kind]
        packet = self._flights.join(kind, picked)
        if packet is None:
            return
        before, is_malformed = len(found), False
        try:
            for sighting in decoder.decode(packet):
                found.append(sighting)
        except _BROKEN:
            is_malformed = True
            self.malformed[decoder.pick.name.lower()] += 1
        except Exception:
            self.failed[decoder.pick.name.lower()] += 1
            return
        if said_hash and packet.payload is picked.payload:
            if len(self._said) >= _SAID_KEPT:
                self._said.clear()
            self._said[said_hash] = (found[before:], is_malformed)


def _ends_of(picks: NDArray[Any]) -> Iterator[tuple[Any, ...]]:
    """When, VLAN, and both ends' MAC, address and port of each pick, as sightings hold them."""
    columns = (
        "time_ns", "vlan", "source_mac", "source", "source_port", "destination_mac", "destination",
        "destination_port",
    )  # fmt: skip
    for row in zip(*(picks[name].tolist() for name in columns), strict=True):
        time_ns, vlan, mac, source, port, peer_mac, destination, peer_port = row
        ip = _address(*source) if source[1] or source[0] else ""
        peer_ip = _address(*destination) if destination[1] or destination[0] else ""
        yield time_ns, vlan, _mac(mac), ip, port, _mac(peer_mac), peer_ip, peer_port


def packets_of(
    buffer: bytes | NDArray[np.uint8], picks: NDArray[Any], sensor: str = "local"
) -> Iterator[Packet]:
    """Make a packet of each pick."""
    is_icmp = picks["kind"] == Pick.ND
    picks = picks.copy()
    picks["payload_offset"][is_icmp] -= _ICMP_HEADER
    picks["payload_length"][is_icmp] += _ICMP_HEADER
    view = memoryview(buffer)  # type: ignore[arg-type]  # numpy's stubs lack the buffer protocol
    sources, destinations = picks["source"].tolist(), picks["destination"].tolist()
    columns = (
        "time_ns", "vlan", "source_mac", "destination_mac", "protocol", "source_port",
        "destination_port", "ttl", "payload_offset", "payload_length",
    )  # fmt: skip
    rows = zip(*(picks[name].tolist() for name in columns), strict=True)
    for row, source, destination in zip(rows, sources, destinations, strict=True):
        time_ns, vlan, mac, peer_mac, protocol, port, peer_port, ttl, at, length = row
        yield Packet(
            time_ns,
            sensor,
            vlan,
            _mac(mac),
            _mac(peer_mac),
            _address(*source) if any(source) else "",
            _address(*destination) if any(destination) else "",
            protocol,
            port,
            peer_port,
            ttl,
            bytes(view[at : at + length]),
        )
