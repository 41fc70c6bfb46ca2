"""How addresses and names lie in packets: bytes in, text out."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop

from collector.decoders.decoder import Malformed
from collector.words import harmless


@lru_cache(8192)
def ip_text(raw: bytes) -> str:
    """Write 4 or 16 bytes as an address; IPv4-mapped ones come out dotted."""
    if len(raw) == 4:
        return inet_ntop(AF_INET, raw)
    if len(raw) != 16:
        raise Malformed(f"an address of {len(raw)} bytes")
    mapped = IPv6Address(raw).ipv4_mapped
    return str(mapped) if mapped else inet_ntop(AF_INET6, raw)


def ip_list(raw: bytes, size: int, limit: int = 16) -> tuple[str, ...]:
    """Write a run of addresses of `size` bytes each; a rest too short for one is left out."""
    count = min(len(raw) // size, limit)
    return tuple(ip_text(raw[i * size : (i + 1) * size]) for i in range(count))


def mac_of(raw: bytes) -> str:
    """Write a MAC as aa:bb:cc:dd:ee:ff; empty where it is shorter or all zero."""
    return raw[:6].hex(":") if len(raw) >= 6 and any(raw[:6]) else ""


def readable(raw: bytes, limit: int = 256) -> str:
    """Write bytes that should be text; what is not printable is escaped."""
    return harmless(raw[:limit].decode("utf-8", "backslashreplace"))


def header_fields(payload: bytes, limit: int = 64) -> tuple[bytes, dict[str, str]]:
    """Split an HTTP-like head into its first line and its fields (names in lower case).

    A field that comes twice keeps its first value; a line that the packet's end cuts is left out,
    because half a name misleads.
    """
    head, end, _ = payload.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n", limit + 1)
    if not end and len(lines) > 1:
        lines.pop()
    fields: dict[str, str] = {}
    for line in lines[1 : limit + 1]:
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(readable(name.strip(), 64).lower(), readable(value.strip(), 512))
    return lines[0], fields
