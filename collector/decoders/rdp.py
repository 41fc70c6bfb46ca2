"""RDP's first words: X.224 requests (MS-RDPBCGR §2.2.1.1), and the channels that a client names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import readable
from collector.packet import Packet, Pick
from collector.sightings import AttackBytes, RdpRequest, Sighting

_COOKIE: Final = re.compile(rb"Cookie: mstshash=([^\r\n]{0,128})")
#: Where RDP has its cookie, controllers (S7, MMS) that speak X.224 too name their selectors.
_TRANSPORT_PARAMETERS: Final = (b"\xc0", b"\xc1", b"\xc2")
_REQUEST, _CONFIRM, _DATA = 0xE0, 0xD0, 0xF0
_CONNECT_INITIAL: Final = b"\x7f\x65"  # T.125 §7
_CHANNELS: Final = b"\x03\xc0"  # CS_NET (§2.2.1.3.4)
_MOST_CHANNELS, _CHANNEL_BYTES = 31, 12
#: A channel that Windows keeps for itself. Who names it wants it freed twice (CVE-2019-0708).
_KEPT: Final = b"MS_T120"


class RdpDecoder(Decoder):
    """A request to open a remote desktop, with the user's name where the client sends it.

    Of the channels that a client names in the open, only BlueKeep's tells something.
    """

    pick: ClassVar[Pick] = Pick.RDP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload
        if data[5:6] == bytes([_DATA]) and data[7:9] == _CONNECT_INITIAL:
            if _KEPT in _channels(data):
                yield AttackBytes(**seen(packet), mark="bluekeep", size=len(data))
            return
        if len(data) < 11 or data[0] != 3 or data[5] & 0xF0 not in (_REQUEST, _CONFIRM):
            raise Malformed("no X.224 connection request or confirm")
        if data[5] & 0xF0 == _CONFIRM or data[11:12] in _TRANSPORT_PARAMETERS:
            return
        cookie = _COOKIE.search(data, 11)
        yield RdpRequest(**seen(packet), cookie=readable(cookie[1]) if cookie else "")


def _channels(data: bytes) -> list[bytes]:
    """The static channels that a client asks for, in capitals (Windows compares them so)."""
    at = data.find(_CHANNELS, 9)
    while at >= 0:
        length = int.from_bytes(data[at + 2 : at + 4], "little")
        count = int.from_bytes(data[at + 4 : at + 8], "little")
        if count <= _MOST_CHANNELS and length == 8 + _CHANNEL_BYTES * count:
            names = data[at + 8 : at + length]
            starts = range(0, len(names), _CHANNEL_BYTES)
            return [names[n : n + 8].split(b"\0", 1)[0].upper() for n in starts]
        at = data.find(_CHANNELS, at + 1)
    return []
