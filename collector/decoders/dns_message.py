"""The message that DNS, mDNS and LLMNR share (RFC 1035 §4): names, questions, records."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from collector.decoders.decoder import Malformed
from collector.decoders.wire import ip_text, readable

_HEAD = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")
#: Internet, Chaos, Hesiod, none, any; the top bit is mDNS's. Other programs that use our ports,
#: and segments from the middle of a long answer, rarely have one of these in its place.
_CLASSES: Final = (1, 3, 4, 254, 255)
_MAX_NAME: Final = 255
_MAX_JUMPS: Final = 32
#: Records read of one message; a packet of 64 KiB could hold 6,000.
_MAX_RECORDS: Final = 128

TYPES: Final[dict[int, str]] = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT",
    24: "SIG", 25: "KEY", 28: "AAAA", 33: "SRV", 35: "NAPTR", 39: "DNAME", 41: "OPT", 43: "DS",
    46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 52: "TLSA", 64: "SVCB", 65: "HTTPS",
    99: "SPF", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA",
    32: "NB", 65399: "TYPE65399",
}  # fmt: skip
ANSWER, AUTHORITY, ADDITIONAL = 0, 1, 2
ANYWHERE: Final = (ANSWER, AUTHORITY, ADDITIONAL)
_PTR: Final = 12


@dataclass(slots=True)
class Message:
    """A message; `records` are (section, name, type, offset of the data, its length)."""

    data: bytes
    flags: int
    questions: list[tuple[str, int]]
    records: list[tuple[int, str, int, int, int]]
    is_cut: bool = False  # a record runs past the end

    @property
    def is_response(self) -> bool:
        return self.flags >= 0x8000

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 15

    def addresses(self, sections: tuple[int, ...] = ANYWHERE) -> Iterator[tuple[str, str]]:
        """(name, address) of the A and AAAA records, and of PTR records that name an address."""
        for section, name, kind, at, length in self.records:
            if section not in sections:
                continue
            if (kind == 1 and length == 4) or (kind == 28 and length == 16):
                yield name, ip_text(self.data[at : at + length])
            elif kind == _PTR and (address := _reversed_address(name)):
                yield name, address


def _reversed_address(name: str) -> str:
    """The IPv4 address whose reverse name this is (RFC 1035 §3.5); empty for any other."""
    labels = name.lower().rstrip(".").removesuffix(".in-addr.arpa").split(".")
    if len(labels) != 4 or not name.lower().rstrip(".").endswith(".in-addr.arpa"):
        return ""
    octets = [int(label) for label in labels if label.isdecimal() and len(label) <= 3]
    return ip_text(bytes(octets[::-1])) if len(octets) == 4 and max(octets) < 256 else ""


def type_name(number: int) -> str:
    return TYPES.get(number) or f"TYPE{number}"


def read_message(data: bytes) -> Message:
    """Read a message; one without a readable question is malformed."""
    if len(data) < 12:
        raise Malformed(f"a DNS message of {len(data)} bytes")
    _, flags, questions, *counts = _HEAD.unpack_from(data)
    message = Message(data, flags, [], [])
    at = 12
    for _ in range(min(questions, _MAX_RECORDS)):
        name, at = read_name(data, at)
        kind, question_class = _QUESTION.unpack_from(data, at)
        if question_class & 0x7FFF not in _CLASSES:
            raise Malformed(f"a DNS question of class {question_class}")
        message.questions.append((name, kind))
        at += 4
    try:
        _read_records(message, at, counts)
    except (Malformed, struct.error, IndexError):
        message.is_cut = True
    return message


def _read_records(message: Message, at: int, counts: list[int]) -> None:
    data, records = message.data, message.records
    for section, count in enumerate(counts):
        for _ in range(count):
            if len(records) == _MAX_RECORDS:
                return
            name, at = read_name(data, at)
            kind, _, _, length = _RECORD.unpack_from(data, at)
            at += 10 + length
            if at > len(data):
                raise Malformed("a DNS record runs past the end")
            records.append((section, name, kind, at - length, length))


def read_name(data: bytes, at: int) -> tuple[str, int]:
    """Read a name at an offset; return it and the offset behind it.

    Pointers must point back, and their number and the name's length are bounded (§4.1.4), so that
    a loop cannot stall us.
    """
    labels: list[str] = []
    total = jumps = 0
    behind = -1
    length = data[at]
    while length:
        if length < 64:
            label = data[at + 1 : at + 1 + length]
            total += length + 1
            if total > _MAX_NAME or len(label) < length:
                raise Malformed("a DNS name is too long or cut off")
            labels.append(_label(label))
            at += length + 1
        elif length >= 192:
            to = (length & 63) << 8 | data[at + 1]
            jumps += 1
            if to >= at or jumps > _MAX_JUMPS:
                raise Malformed("a DNS name points forward or in a circle")
            behind = at + 2 if behind < 0 else behind
            at = to
        else:
            raise Malformed(f"a DNS label of type {length >> 6}")
        length = data[at]
    return ".".join(labels), at + 1 if behind < 0 else behind


def _label(raw: bytes) -> str:
    if raw.isascii():
        text = raw.decode("ascii")
        if text.isprintable():
            return text
    return readable(raw)
