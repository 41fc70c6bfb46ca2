"""HTTP/1 requests (RFC 9112): which host, which program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import header_fields, readable
from collector.packet import Packet, Pick
from collector.sightings import Http, Sighting

_REQUEST: Final = re.compile(rb"([A-Za-z_-]{1,24}) (\S{0,4096})")


class HttpDecoder(Decoder):
    """A request's first segment. Answers tell nothing that we keep.

    The path is cut at `?`, `#` and `;`, because what follows may name a patient.
    """

    pick: ClassVar[Pick] = Pick.HTTP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        if packet.payload.startswith(b"HTTP/"):
            return
        first, fields = header_fields(packet.payload)
        request = _REQUEST.match(first)
        if request is None:
            raise Malformed("no HTTP request line")
        path = re.split(rb"[?#;]", request[2], maxsplit=1)[0]
        yield Http(
            **seen(packet),
            method=readable(request[1]),
            host=fields.get("host", ""),
            path=readable(path),
            user_agent=fields.get("user-agent", ""),
            upgrade=fields.get("upgrade", ""),
            protocols=fields.get("sec-websocket-protocol", ""),
        )
