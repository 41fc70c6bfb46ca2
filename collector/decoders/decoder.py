"""What a decoder is: a frozen model with one verb, `decode`, over one picked packet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, TypedDict

from pydantic import BaseModel, ConfigDict

from collector.packet import Packet, Pick
from collector.sightings import Sighting


class Malformed(ValueError):
    """A packet that breaks its protocol's rules; the lane counts it and goes on."""


class Decoder(BaseModel, ABC):
    """Reads one kind of packet.

    A malformed packet raises Malformed (or the ValueError, IndexError or struct.error that reading
    it caused), after yielding what could be read; `SightingLane` counts it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pick: ClassVar[Pick]

    @abstractmethod
    def decode(self, packet: Packet) -> Iterator[Sighting]:
        """Tell what the packet says."""


class Seen(TypedDict):
    """The fields that every sighting has."""

    time_ns: int
    sensor: str
    vlan: int
    mac: str
    ip: str
    port: int
    peer_mac: str
    peer_ip: str
    peer_port: int


def seen(packet: Packet) -> Seen:
    """When, where, who sent it and to whom."""
    return {
        "time_ns": packet.time_ns,
        "sensor": packet.sensor,
        "vlan": packet.vlan,
        "mac": packet.source_mac,
        "ip": packet.source,
        "port": packet.source_port,
        "peer_mac": packet.destination_mac,
        "peer_ip": packet.destination,
        "peer_port": packet.destination_port,
    }
