"""LDAP searches, logons and changes (RFC 4511) read from the packet, as tshark tells only parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from collector.decoders.decoder import Malformed, seen
from collector.decoders.wire import readable
from collector.packet import Packet
from collector.sightings import Ldap

_SEQUENCE, _INTEGER, _OCTETS, _SEARCH = 0x30, 0x02, 0x04, 0x63
_BIND, _BIND_ANSWER, _ENUMERATED = 0x60, 0x61, 0x0A
_MODIFY, _ADD = 0x66, 0x68
_READ: Final = (_SEARCH, _BIND, _BIND_ANSWER, _MODIFY, _ADD)
_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _GREATER, _LESS, _PRESENT, _APPROXIMATE, _EXTENSIBLE = (
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0x87, 0xA8, 0xA9,
)  # fmt: skip
_SIGNS: Final = {_EQUAL: "=", _GREATER: ">=", _LESS: "<=", _APPROXIMATE: "~="}
_MAX_DEPTH: Final = 32
_MAX_MESSAGES: Final = 32
_MAX_TEXT: Final = 2048
_MAX_ATTRIBUTES: Final = 32
#: Signed but not sealed LDAP goes as length, 16 bytes of signature, message.
_SIGNATURES: Final = (b"\1\0\0\0", b"\5\4")
_SEALED: Final = 2


def read_ldap(packet: Packet) -> Iterator[Ldap]:
    """The searches of a segment, where they look and for what; logons, their answers; changes."""
    data = _unwrapped(packet.payload)
    for _ in range(_MAX_MESSAGES):
        if len(data) < 7 or data[0] != _SEQUENCE:
            return
        _, message, data = _element(data)
        tag, _, rest = _element(message)
        if tag != _INTEGER or not rest or rest[0] not in _READ:
            continue
        operation, body, _ = _element(rest)
        yield from _operation(packet, operation, list(_elements(body)))


def _operation(packet: Packet, tag: int, parts: list[tuple[int, bytes]]) -> Iterator[Ldap]:
    if tag == _SEARCH and len(parts) >= 7 and parts[0][0] == _OCTETS:
        yield Ldap(
            **seen(packet),
            operation="search",
            base=readable(parts[0][1]),
            filter=_filter(*parts[6], _MAX_DEPTH)[:_MAX_TEXT],
        )
    elif tag == _BIND and len(parts) >= 3 and parts[1][0] == _OCTETS:
        yield Ldap(**seen(packet), operation="bind", name=readable(parts[1][1]))
    elif tag == _BIND_ANSWER and parts and parts[0][0] == _ENUMERATED:
        result = int.from_bytes(parts[0][1][:4], "big")
        yield Ldap(**seen(packet), operation="bind_answer", result=result)
    elif tag in (_MODIFY, _ADD) and len(parts) >= 2 and parts[0][0] == _OCTETS:
        yield Ldap(
            **seen(packet),
            operation="modify" if tag == _MODIFY else "add",
            base=readable(parts[0][1])[:_MAX_TEXT],
            attributes=tuple(dict.fromkeys(_attributes(parts[1][1], tag == _MODIFY))),
        )


def _attributes(data: bytes, is_modify: bool) -> Iterator[str]:
    """The names of what is set, and the classes of what is made; no other value is kept."""
    for _ in range(_MAX_ATTRIBUTES):
        if len(data) < 2:
            return
        _, change, data = _element(data)
        parts = list(_elements(change))
        if is_modify and len(parts) == 2:
            parts = list(_elements(parts[1][1]))
        if not parts or parts[0][0] != _OCTETS:
            return
        name = readable(parts[0][1])[:64]
        yield name
        if not is_modify and name.lower() == "objectclass" and len(parts) == 2:
            for _, value in list(_elements(parts[1][1]))[:8]:
                yield f"objectClass={readable(value)[:64]}"


def may_be_ldap(payload: bytes) -> bool:
    """A quick look, so that other protocols cost nothing."""
    return (
        payload[:1] == b"\x30" or payload[4:8] == _SIGNATURES[0] or payload[4:6] == _SIGNATURES[1]
    )


def _unwrapped(payload: bytes) -> bytes:
    if payload[:1] == b"\x30" or len(payload) < 20:
        return payload
    if payload[4:6] != _SIGNATURES[1]:
        return payload[20:]
    # The checksum stands before the message when it was rotated there (RFC 4121 §4.2.5).
    rotated = int.from_bytes(payload[10:12], "big")
    return b"" if payload[6] & _SEALED else payload[20 + rotated :]


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """One BER element: tag, value, and what follows it."""
    if len(data) < 2:
        raise Malformed("a BER element is cut off")
    at, length = 2, data[1]
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4:
            raise Malformed("a BER length of more than four bytes")
        length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    return data[0], data[at : at + length], data[at + length :]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        tag, value, data = _element(data)
        yield tag, value


def _filter(tag: int, value: bytes, depth: int) -> str:
    """Write a filter as RFC 4515 does."""
    if depth == 0:
        return "(…)"
    if tag in (_AND, _OR, _NOT):
        sign = {_AND: "&", _OR: "|", _NOT: "!"}[tag]
        return f"({sign}{''.join(_filter(*part, depth - 1) for part in _elements(value))})"
    if tag == _PRESENT:
        return f"({readable(value)}=*)"
    parts = list(_elements(value))
    if tag in _SIGNS and len(parts) == 2:
        return f"({readable(parts[0][1])}{_SIGNS[tag]}{readable(parts[1][1])})"
    if tag == _SUBSTRINGS and len(parts) == 2:
        return f"({readable(parts[0][1])}={_substrings(parts[1][1])})"
    if tag == _EXTENSIBLE:
        return _extensible(dict(parts))
    raise Malformed(f"an LDAP filter of type {tag:#x}")


def _substrings(value: bytes) -> str:
    initial, final, between = "", "", []
    for tag, part in _elements(value):
        if tag == 0x80:
            initial = readable(part)
        elif tag == 0x82:
            final = readable(part)
        else:
            between.append(readable(part))
    return "*".join([initial, *between, final])


def _extensible(parts: dict[int, bytes]) -> str:
    """Rule 0x81, attribute 0x82, value 0x83: (userAccountControl:1.2.840.113556.1.4.803:=32)."""
    rule, attribute, value = (readable(parts.get(tag, b"")) for tag in (0x81, 0x82, 0x83))
    return f"({attribute}{':' if rule else ''}{rule}:={value})"
