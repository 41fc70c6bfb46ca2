"""DNS (RFC 1035) and DNS UPDATE (RFC 2136) over UDP and TCP."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar, Final

from collector.decoders.decoder import Decoder, Malformed, seen
from collector.decoders.dns_message import (
    ANSWER,
    AUTHORITY,
    Message,
    read_message,
    read_name,
    type_name,
)
from collector.decoders.wire import ip_text
from collector.packet import Packet, Pick
from collector.sightings import Dns, DnsUpdate, Sighting

_TCP: Final = 6
_UPDATE: Final = 5
_OPCODES: Final = (0, 2, 4, 5)  # query, status, notify, update
_MAX_MESSAGES: Final = 16
_MAX_NAMES: Final = 32
_NAMES: Final = {2: 0, 5: 0, 12: 0, 15: 2, 33: 6, 39: 0}  # type → bytes before the name


class DnsDecoder(Decoder):
    """Questions, answers and updates.

    Names are in lower case, because resolvers randomise it; TXT and other free data is only
    measured (`answer_bytes`), never kept.
    """

    pick: ClassVar[Pick] = Pick.DNS

    def decode(self, packet: Packet) -> Iterator[Sighting]:
        if packet.protocol != _TCP:
            yield from _sightings(packet, packet.payload, "udp")
            return
        data = packet.payload
        for _ in range(_MAX_MESSAGES):
            if len(data) < 14:
                return
            length = data[0] << 8 | data[1]
            if not _starts_message(data[2:14]):
                return
            yield from _sightings(packet, data[2 : 2 + length], "tcp")
            data = data[2 + length :]


def _starts_message(head: bytes) -> bool:
    """Whether a message starts here: a segment from the middle of a long answer looks otherwise."""
    flags, questions = struct.unpack_from("!HH", head, 2)
    return questions == 1 and flags >> 11 & 15 in _OPCODES and flags & 0x40 == 0


def _sightings(packet: Packet, data: bytes, transport: str) -> Iterator[Sighting]:
    message = read_message(data)
    if message.opcode == _UPDATE:
        yield from _updates(packet, message)
    else:
        yield _dns(packet, message, transport)
    # A long answer over TCP goes on in the next segment, which is no fault of the sender.
    if message.is_cut and transport == "udp":
        raise Malformed("a DNS record runs past the end")


def _dns(packet: Packet, message: Message, transport: str) -> Dns:
    name, kind = message.questions[0] if message.questions else ("", 0)
    answers: list[str] = []
    answer_bytes = 0
    for section, _, record, at, length in message.records:
        if section == ANSWER:
            answer_bytes += length
            text = _answer(message.data, record, at, length)
            if text:
                answers.append(text)
    return Dns(
        **seen(packet),
        transport=transport,
        is_response=message.is_response,
        name=name.lower(),
        query_type=type_name(kind) if message.questions else "",
        response_code=message.flags & 15,
        answers=tuple(answers),
        answer_bytes=answer_bytes,
    )


def _answer(data: bytes, record: int, at: int, length: int) -> str:
    if (record == 1 and length == 4) or (record == 28 and length == 16):
        return ip_text(data[at : at + length])
    if record in _NAMES and length > _NAMES[record]:
        try:
            return read_name(data, at + _NAMES[record])[0].lower()
        except (ValueError, IndexError):
            return ""
    return ""


def _updates(packet: Packet, message: Message) -> Iterator[DnsUpdate]:
    """One sighting a registered name; the zone stands where a query has its question (§2.3)."""
    zone = message.questions[0][0].lower() if message.questions else ""
    names: dict[str, list[str]] = {
        name.lower(): [] for section, name, *_ in message.records if section == AUTHORITY
    }
    for name, address in message.addresses():
        names.setdefault(name.lower(), []).append(address)
    if not names:
        names[""] = []
    for name in list(names)[:_MAX_NAMES]:
        yield DnsUpdate(
            **seen(packet),
            is_response=message.is_response,
            zone=zone,
            name=name,
            addresses=tuple(names[name]),
        )
