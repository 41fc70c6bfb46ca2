"""The sighting lane: packets that the fast lane picked become sightings."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.decoders import DECODERS, Decoder
from collector.flights import Flights
from collector.flows import address_text, mac_text
from collector.packet import Packet, Pick
from collector.sightings import Sighting

#: A hospital's hosts fit; an address scan cannot make it grow.
_ADDRESSES_KEPT: Final = 16384
_address = lru_cache(_ADDRESSES_KEPT)(address_text)
_mac = lru_cache(_ADDRESSES_KEPT)(mac_text)
_BY_PICK: Final[dict[int, Decoder]] = {int(decoder.pick): decoder for decoder in DECODERS}
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

    def decode(self, buffer: bytes | NDArray[np.uint8], picks: NDArray[Any]) -> list[Sighting]:
        """Decode picks (PICK_DTYPE) whose offsets are into `buffer`; sightings in time order.

        Picks of other lanes (DEEP, EXPORT) are left out.
        """
        found: list[Sighting] = []
        mine = picks[np.isin(picks["kind"], list(_BY_PICK))]
        packets = packets_of(buffer, mine, self._sensor)
        for kind, picked in zip(mine["kind"].tolist(), packets, strict=True):
            decoder = _BY_PICK[kind]
            packet = self._flights.join(kind, picked)
            if packet is None:
                continue
            try:
                for sighting in decoder.decode(packet):
                    found.append(sighting)
            except _BROKEN:
                self.malformed[decoder.pick.name.lower()] += 1
            except Exception:
                self.failed[decoder.pick.name.lower()] += 1
        found.sort(key=lambda sighting: sighting.time_ns)
        return found


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
