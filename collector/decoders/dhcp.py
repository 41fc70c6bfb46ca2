"""DHCP (RFC 2131/2132): leases, and what clients and servers say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.wire import ip_list, ip_text, readable
from collector.packet import Packet, Pick
from collector.sightings import Dhcp, Sighting

_MESSAGES: Final = (
    "bootp", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform",
    "forcerenew", "leasequery", "leaseunassigned", "leaseunknown", "leaseactive",
)  # fmt: skip
_COOKIE: Final = b"\x63\x82\x53\x63"


class DhcpDecoder(Decoder):
    """Every DHCP message; plain BOOTP comes out as message "bootp"."""

    pick: ClassVar[Pick] = Pick.DHCP

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        data = packet.payload
        if len(data) < 236 or data[0] not in (1, 2):
            raise Malformed(f"{len(data)} bytes are no DHCP message")
        options, is_whole = _options(data)
        kind = options.get(53, b"\0")[:1] or b"\0"
        yield Dhcp(
            **seen(packet),
            message=_MESSAGES[kind[0]] if kind[0] < len(_MESSAGES) else f"type{kind[0]}",
            client_mac=data[28 : 28 + min(data[2], 6)].hex(":"),
            client_ip=_address(data[12:16]),
            your_ip=_address(data[16:20]),
            relay_ip=_address(data[24:28]),
            requested_ip=_address(options.get(50, b"")),
            server_id=_address(options.get(54, b"")),
            routers=ip_list(options.get(3, b""), 4),
            dns_servers=ip_list(options.get(6, b""), 4),
            domain=_words(options.get(15, b"")),
            host_name=_words(options.get(12, b"")) or _full_name(options.get(81, b"")),
            vendor_class=_words(options.get(60, b"")),
            vendor_info=_words(options.get(43, b"")),
            parameters=tuple(options.get(55, b"")),
            lease_s=int.from_bytes(options.get(51, b"")[:4], "big"),
        )
        if not is_whole:
            raise Malformed("DHCP options run past the end")


def _options(data: bytes) -> tuple[dict[int, bytes], bool]:
    """Options by number, parts of one option joined (RFC 3396), and whether all could be read."""
    options: dict[int, bytes] = {}
    if data[236:240] != _COOKIE:
        return options, True
    at, end = 240, len(data)
    while at < end and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 2 > end or at + 2 + data[at + 1] > end:
            return options, False
        value = data[at + 2 : at + 2 + data[at + 1]]
        options[data[at]] = options.get(data[at], b"") + value
        at += 2 + len(value)
    return options, True


def _address(raw: bytes) -> str:
    return ip_text(raw) if len(raw) == 4 and any(raw) else ""


def _words(raw: bytes) -> str:
    return readable(raw.rstrip(b"\0"))


def _full_name(raw: bytes) -> str:
    """Option 81 (RFC 4702): flags, two result bytes, then a name, in DNS labels if flag E is on."""
    if len(raw) < 4 or not raw[0] & 0x04:
        return _words(raw[3:])
    labels, at = [], 3
    while at < len(raw) and raw[at]:
        labels.append(readable(raw[at + 1 : at + 1 + raw[at]]))
        at += 1 + raw[at]
    return ".".join(labels)
