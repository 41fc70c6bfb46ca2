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
from collector.sightings import Sighting, Teller, teller_of

#: A hospital's hosts fit; an address scan cannot make it grow.
_ADDRESSES_KEPT: Final = 16384
_mac = lru_cache(_ADDRESSES_KEPT)(mac_text)


@lru_cache(_ADDRESSES_KEPT)
def _address(high: int, low: int) -> str:
    return address_text(high, low) if high or low else ""


_BY_PICK: Final[dict[int, Decoder]] = {int(decoder.pick): decoder for decoder in DECODERS}
_IS_MINE: Final = np.isin(np.arange(256), list(_BY_PICK))
#: Different words kept for those who say the same.
_SAID_KEPT: Final = 32_768
_time_of: Final = attrgetter("time_ns")
_ICMP_HEADER: Final = 8
_TLS: Final = int(Pick.TLS)
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
        #: What packets said that come alike: hash → its tellers, and was it malformed.
        self._said: dict[int, tuple[list[Teller], bool]] = {}

    def decode(self, buffer: bytes | NDArray[np.uint8], picks: NDArray[Any]) -> list[Sighting]:
        """Decode picks (PICK_DTYPE) whose offsets are into `buffer`; sightings in time order.

        Picks of other lanes (DEEP, EXPORT) are left out.
        """
        found: list[Sighting] = []
        mine = picks[_IS_MINE[picks["kind"]]]
        view = np.frombuffer(buffer, np.uint8) if isinstance(buffer, bytes) else buffer
        hashes = alike(view, mine.view(PICK_ROW_DTYPE), self._seed).tolist() if len(mine) else []
        said = self._said
        alone = [h == 0 or h not in said for h in hashes]
        packets = packets_of(buffer, mine[np.array(alone, bool)], self._sensor)
        rows = zip(mine["kind"].tolist(), hashes, alone, ends_of(mine), strict=True)
        for at, (kind, said_hash, is_alone, ends) in enumerate(rows):
            if is_alone:
                self._decode(kind, next(packets), said_hash, found)
                continue
            known = said.get(said_hash)
            if known is None or (
                kind == _TLS and self._flights.is_waiting(kind, *ends[3:5], *ends[6:8])
            ):
                for packet in packets_of(buffer, mine[at : at + 1], self._sensor):
                    self._decode(kind, packet, said_hash, found)
                continue
            for tell in known[0]:
                found.append(tell(*ends))
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
            self._said[said_hash] = ([teller_of(told) for told in found[before:]], is_malformed)


#: Time, VLAN, MAC, address, port, and the peer's MAC, address, port.
Ends = tuple[int, int, str, str, int, str, str, int]


def ends_of(picks: NDArray[Any]) -> Iterator[Ends]:
    """When, VLAN, and both ends' MAC, address and port of each pick, as sightings hold them."""
    rows = picks.view(PICK_ROW_DTYPE)
    return zip(
        rows["time_ns"].tolist(),
        rows["vlan"].tolist(),
        map(_mac, rows["source_mac"].tolist()),
        map(_address, rows["source_high"].tolist(), rows["source_low"].tolist()),
        rows["source_port"].tolist(),
        map(_mac, rows["destination_mac"].tolist()),
        map(_address, rows["destination_high"].tolist(), rows["destination_low"].tolist()),
        rows["destination_port"].tolist(),
        strict=True,
    )


def packets_of(
    buffer: bytes | NDArray[np.uint8], picks: NDArray[Any], sensor: str = "local"
) -> Iterator[Packet]:
    """Make a packet of each pick."""
    is_icmp = picks["kind"] == Pick.ND
    picks = picks.copy()
    picks["payload_offset"][is_icmp] -= _ICMP_HEADER
    picks["payload_length"][is_icmp] += _ICMP_HEADER
    view = memoryview(buffer)  # type: ignore[arg-type]  # numpy's stubs lack the buffer protocol
    columns = ("protocol", "ttl", "payload_offset", "payload_length")
    rows = zip(ends_of(picks), *(picks[name].tolist() for name in columns), strict=True)
    for ends, protocol, ttl, at, length in rows:
        time_ns, vlan, mac, ip, port, peer_mac, peer_ip, peer_port = ends
        yield Packet(
            time_ns,
            sensor,
            vlan,
            mac,
            peer_mac,
            ip,
            peer_ip,
            protocol,
            port,
            peer_port,
            ttl,
            bytes(view[at : at + length]),
        )
