"""RDP connection requests: X.224 (ITU-T X.224 §13.3) with the cookie of MS-RDPBCGR §2.2.1.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import readable
from collector.packet import Packet, Pick
from collector.sightings import RdpRequest, Sighting

_COOKIE: Final = re.compile(rb"Cookie: mstshash=([^\r\n]{0,128})")
#: Where RDP has its cookie, controllers (S7, MMS) that speak X.224 too name their selectors.
_TRANSPORT_PARAMETERS: Final = (b"\xc0", b"\xc1", b"\xc2")
_REQUEST, _CONFIRM = 0xE0, 0xD0


class RdpDecoder(Decoder):
    """A request to open a remote desktop, with the user's name where the client sends it."""

    pick: ClassVar[Pick] = Pick.RDP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload
        if len(data) < 11 or data[0] != 3 or data[5] & 0xF0 not in (_REQUEST, _CONFIRM):
            raise Malformed("no X.224 connection request or confirm")
        if data[5] & 0xF0 == _CONFIRM or data[11:12] in _TRANSPORT_PARAMETERS:
            return
        cookie = _COOKIE.search(data, 11)
        yield RdpRequest(**seen(packet), cookie=readable(cookie[1]) if cookie else "")
