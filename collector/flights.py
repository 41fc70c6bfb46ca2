"""What one packet cannot hold: a hello with post-quantum keys, a certificate, a shell's request."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from collector.decoders import http, quic, tls, wsman
from collector.packet import Packet, Pick
from collector.recent import Recent

_CONNECTIONS: Final = 2048
_FLIGHT_BYTES: Final = 12_000
_IS_CUT: Final[dict[int, Callable[[bytes], bool]]] = {
    int(Pick.TLS): tls.is_cut,
    int(Pick.QUIC): quic.is_cut,
    int(Pick.HTTP): wsman.is_cut,
}
#: What is none of these is the middle of a flight.
_STARTS: Final[dict[int, Callable[[bytes], bool]]] = {
    int(Pick.TLS): tls.starts_record,
    int(Pick.HTTP): http.starts_message,
}


class Flights:
    """Keeps the heads of flights that go on, and gives them back joined with what follows.

    A cut head is told at once, for what it holds (a name), and again when it is whole (JA4, all
    names of a certificate), so that a lost packet costs the rest only.
    """

    def __init__(self) -> None:
        self._heads: Recent[bytes] = Recent(_CONNECTIONS)

    def __len__(self) -> int:
        """How many heads wait."""
        return len(self._heads)

    def is_waiting(self, kind: int, ip: str, port: int, peer_ip: str, peer_port: int) -> bool:
        """Does a head wait for what comes now between these ends?"""
        return self._heads.get((kind, ip, port, peer_ip, peer_port)) is not None

    def join(self, kind: int, packet: Packet) -> Packet | None:
        """The packet to decode, holding what came before it; None if it tells nothing by itself."""
        if kind not in _IS_CUT:
            return packet
        ends = (packet.source, packet.source_port, packet.destination, packet.destination_port)
        head = self._heads.take((kind, *ends))
        starts = _STARTS.get(kind)
        if head is None and starts is not None and not starts(packet.payload):
            return None  # the middle of a flight whose head we know, or never saw
        whole = packet.payload if head in (None, packet.payload) else (head or b"") + packet.payload
        if len(whole) < _FLIGHT_BYTES and _goes_on(kind, whole):
            self._heads.put((kind, *ends), whole)
            return packet if head is None else None
        return replace(packet, payload=whole)


def _goes_on(kind: int, payload: bytes) -> bool:
    try:
        return _IS_CUT[kind](payload)
    except (ValueError, IndexError, struct.error):
        return False  # the decoder will say so, and it will be counted
