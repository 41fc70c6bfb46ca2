"""The sighting lane: packets that the fast lane picked become sightings."""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.decoders import DECODERS, Decoder
from collector.decoders.alike_kernels import alike
from collector.fastlane.layout import PICK_ROW_DTYPE
from collector.flights import Flights
from collector.packet import Packet, Pick
from collector.rows import copy_rows, take_rows
from collector.sightings import Sighting
from collector.told import Ends, Sayings, Telling, Told, ends_of

_BY_PICK: Final[dict[int, Decoder]] = {int(decoder.pick): decoder for decoder in DECODERS}
_IS_MINE: Final = np.isin(np.arange(256), list(_BY_PICK))
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
        self._sayings = Sayings()
        self._telling = Telling()

    def decode(self, buffer: bytes | NDArray[np.uint8], picks: NDArray[Any]) -> Told:
        """Decode picks (PICK_DTYPE) whose offsets are into `buffer`; sightings in time order.

        Picks of other lanes (DEEP, EXPORT) are left out.
        """
        mine = take_rows(picks, _IS_MINE[picks["kind"]])
        if not len(mine):
            return Told()
        view = np.frombuffer(buffer, np.uint8) if isinstance(buffer, bytes) else buffer
        hashes = alike(view, mine.view(PICK_ROW_DTYPE), self._seed).tolist()
        said = [self._sayings.get(one) for one in hashes]
        is_new = np.array([known is None for known in said], bool)
        packets = packets_of(buffer, take_rows(mine, is_new), self._sensor)
        ends: list[Ends] = []
        for row, (kind, said_hash, known) in enumerate(
            zip(mine["kind"].tolist(), hashes, said, strict=True)
        ):
            turn = self._telling.turn()
            if known is None:
                self._decode(kind, next(packets), said_hash, turn)
                continue
            if kind == _TLS and len(self._flights):  # it may go on with a hello that was cut
                ends = ends or list(ends_of(mine))
            if kind == _TLS and ends and self._flights.is_waiting(kind, *_both(ends[row])):
                for packet in packets_of(buffer, mine[row : row + 1], self._sensor):
                    self._decode(kind, packet, said_hash, turn)
            else:
                self._telling.again(turn, row, known)
                if known.is_malformed:
                    self.malformed[_BY_PICK[kind].pick.name.lower()] += 1
        self._telling.end_picks(mine)
        return self._telling.take()

    def _decode(self, kind: int, picked: Packet, said_hash: int, turn: int) -> None:
        decoder = _BY_PICK[kind]
        packet = self._flights.join(kind, picked)
        if packet is None:
            return
        found: list[Sighting] = []
        is_malformed = False
        try:
            for sighting in decoder.decode(packet):
                found.append(sighting)
        except _BROKEN:
            is_malformed = True
            self.malformed[decoder.pick.name.lower()] += 1
        except Exception:
            self.failed[decoder.pick.name.lower()] += 1
            said_hash = 0
        self._telling.tell(turn, found)
        if said_hash and packet.payload is picked.payload:
            self._sayings.keep(said_hash, found, is_malformed)


def _both(ends: Ends) -> tuple[str, int, str, int]:
    """Address and port of both."""
    return ends[3], ends[4], ends[6], ends[7]


def packets_of(
    buffer: bytes | NDArray[np.uint8], picks: NDArray[Any], sensor: str = "local"
) -> Iterator[Packet]:
    """Make a packet of each pick."""
    is_icmp = picks["kind"] == Pick.ND
    picks = copy_rows(picks)
    picks["payload_offset"][is_icmp] -= _ICMP_HEADER
    picks["payload_length"][is_icmp] += _ICMP_HEADER
    view = memoryview(buffer)  # type: ignore[arg-type]  # numpy's stubs lack the buffer protocol
    columns = ("protocol", "ttl", "payload_offset", "payload_length")
    payloads = zip(*(picks[name].tolist() for name in columns), strict=True)
    for ends, payload in zip(ends_of(picks), payloads, strict=True):
        yield packet_of(sensor, view, ends, payload)


#: Protocol, TTL, offset and length of what follows the headers.
Payload = tuple[int, int, int, int]


def packet_of(sensor: str, view: memoryview, ends: Ends, payload: Payload) -> Packet:
    time_ns, vlan, mac, ip, port, peer_mac, peer_ip, peer_port = ends
    protocol, ttl, at, length = payload
    return Packet(
        time_ns, sensor, vlan, mac, peer_mac, ip, peer_ip, protocol, port, peer_port, ttl,
        bytes(view[at : at + length]),
    )  # fmt: skip
