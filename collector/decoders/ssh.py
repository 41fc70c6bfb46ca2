"""SSH identification strings (RFC 4253 §4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import readable
from collector.packet import Packet, Pick
from collector.sightings import Sighting, SshBanner


class SshDecoder(Decoder):
    """The line that names a client's or a server's program; lines before it are skipped."""

    pick: ClassVar[Pick] = Pick.SSH

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        for line in packet.payload[:4096].split(b"\n"):
            if line.startswith(b"SSH-"):
                yield SshBanner(**seen(packet), banner=readable(line.rstrip(b"\r"), 255))
                return
        raise Malformed("no SSH identification string")
