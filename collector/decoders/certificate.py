"""X.509 certificates (RFC 5280), as much as one packet holds of them.

A certificate rarely fits the packet that it starts in, and a parser of whole certificates then
tells nothing; issuer, dates and subject come first, so this one reads until the bytes end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from collector.decoders.decoder import Malformed
from collector.decoders.wire import ip_text, readable

_COMMON_NAME: Final = b"\x55\x04\x03"
_ORGANIZATION: Final = b"\x55\x04\x0a"
_ALTERNATIVE_NAMES: Final = b"\x55\x1d\x11"
_MAX_NAMES: Final = 32
_INTEGER, _OID, _SEQUENCE, _VERSION, _EXTENSIONS = 0x02, 0x06, 0x30, 0xA0, 0xA3
_UTC_TIME, _DNS_NAME, _IP_NAME, _BMP_STRING = 0x17, 0x82, 0x87, 0x1E


@dataclass(frozen=True, slots=True)
class Certificate:
    """Common names (else organisations), alternative names, and the end of validity in UTC."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_after: str


def read_certificate(der: bytes) -> Certificate:
    """Read a certificate that may be cut off; Malformed where not even the issuer is there."""
    outer = next(_elements(der), (0, b""))
    inner = next(_elements(outer[1]), (0, b""))
    if outer[0] != _SEQUENCE or inner[0] != _SEQUENCE:
        raise Malformed("no certificate")
    fields = [element for element in _elements(inner[1]) if element[0] != _VERSION]
    # serial number, algorithm, issuer, validity, subject, key, then extensions
    if len(fields) < 3 or fields[0][0] != _INTEGER or fields[2][0] != _SEQUENCE:
        raise Malformed("a certificate without an issuer")
    dates = list(_elements(fields[3][1])) if len(fields) > 3 else []
    extensions = [value for tag, value in fields[5:] if tag == _EXTENSIONS]
    return Certificate(
        subject=_name(fields[4][1]) if len(fields) > 4 else "",
        issuer=_name(fields[2][1]),
        names=tuple(_alternative_names(extensions[0])) if extensions else (),
        not_after=_time(*dates[1]) if len(dates) > 1 else "",
    )


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, value) of one DER level; the last value may be cut off."""
    at = 0
    while at + 2 <= len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4:
                raise Malformed("a DER length of more than four bytes")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        yield tag, data[at : at + length]
        at += length


def _name(sequence: bytes) -> str:
    """The common name of a distinguished name, else its organisation."""
    found: dict[bytes, str] = {}
    for _, group in _elements(sequence):
        for _, pair in _elements(group):
            parts = list(_elements(pair))
            if len(parts) == 2 and parts[0][0] == _OID:
                tag, value = parts[1]
                raw = value.decode("utf-16-be", "replace").encode() if tag == _BMP_STRING else value
                found[parts[0][1]] = readable(raw)
    return found.get(_COMMON_NAME) or found.get(_ORGANIZATION, "")


def _alternative_names(extensions: bytes) -> Iterator[str]:
    for _, group in _elements(extensions):
        for _, extension in _elements(group):
            parts = list(_elements(extension))
            if len(parts) > 1 and parts[0][1] == _ALTERNATIVE_NAMES:
                yield from _general_names(parts[-1][1])


def _general_names(octets: bytes) -> Iterator[str]:
    for _, sequence in _elements(octets):
        for count, (tag, value) in enumerate(_elements(sequence)):
            if count == _MAX_NAMES:
                return
            if tag == _DNS_NAME:
                yield readable(value).lower()
            elif tag == _IP_NAME and len(value) in (4, 16):
                yield ip_text(value)


def _time(tag: int, value: bytes) -> str:
    """UTCTime or GeneralizedTime as ISO 8601; what is neither is shown as it stands."""
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    text = readable(value, 20)
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return text
