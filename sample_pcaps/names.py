"""How hosts name themselves and ask for names: DNS and DNS UPDATE, NBNS, LLMNR."""

from __future__ import annotations

import struct

from sample_pcaps.hospital import DOMAIN, HOSTS, Host, group
from sample_pcaps.wire import SECOND, Span, ip_bytes

MILLI = 1_000_000
A, NS, SOA, SRV, ANY_CLASS = 1, 2, 6, 33, 255
SERVER_FAILURE = 2
ALL_LLMNR = group("llmnr", "224.0.0.252")
ALL_MDNS = group("mdns", "224.0.0.251")
ALL_SSDP = group("ssdp", "239.255.255.250")


def encoded(name: str) -> bytes:
    """A name as length-counted labels."""
    labels = [label for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def ask(
    span: Span,
    at: int,
    client: Host,
    name: str,
    answer: str = "",
    *,
    kind: int = A,
    server: Host | None = None,
) -> int:
    """A query and its answer (an address, or a server's name for SRV; empty = SERVFAIL)."""
    server = server or HOSTS["DC1"]
    port, number = span.ephemeral(client), span.random.randrange(65536)
    question = encoded(name) + struct.pack("!HH", kind, 1)
    span.udp(
        at, client, port, server, 53, struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + question
    )
    at += span.random.randrange(300, 900) * 1000
    code = 0 if answer else SERVER_FAILURE
    head = struct.pack("!6H", number, 0x8580 | code, 1, 1 if answer else 0, 0, 0)
    record = b""
    if answer:
        data = ip_bytes(answer) if kind == A else struct.pack("!HHH", 0, 100, 88) + encoded(answer)
        record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1200, len(data)) + data
    span.udp(at, server, 53, client, port, head + question + record)
    return at + MILLI


def register(span: Span, at: int, client: Host, addresses: list[str]) -> int:
    """DNS UPDATE (RFC 2136): Windows deletes its A records and adds one an adapter."""
    server = HOSTS["DC1"]
    port, number = span.ephemeral(client), span.random.randrange(65536)
    zone = encoded(DOMAIN) + struct.pack("!HH", SOA, 1)
    name = encoded(client.fqdn)
    updates = name + struct.pack("!HHIH", A, ANY_CLASS, 0, 0)
    for address in addresses:
        updates += name + struct.pack("!HHIH", A, 1, 1200, 4) + ip_bytes(address)
    head = struct.pack("!6H", number, 0x2800, 1, 0, 1 + len(addresses), 0)
    span.udp(at, client, port, server, 53, head + zone + updates)
    at += 4 * MILLI
    answer = struct.pack("!6H", number, 0xA800, 1, 0, 0, 0) + zone
    span.udp(at, server, 53, client, port, answer)
    return at + MILLI


def _netbios(name: str, suffix: int) -> bytes:
    """First-level encoding (RFC 1001 §14.1): each half octet a letter."""
    padded = name.upper()[:15].ljust(15).encode() + bytes([suffix])
    letters = b"".join(bytes([65 + (c >> 4), 65 + (c & 15)]) for c in padded)
    return b"\x20" + letters + b"\0"


def netbios_register(span: Span, at: int, client: Host, broadcast: str) -> int:
    """NBNS name registration by broadcast, three times as Windows does."""
    everyone = group("broadcast", broadcast)
    for suffix in (0x00, 0x20):
        number = span.random.randrange(65536)
        body = struct.pack("!6H", number, 0x2910, 1, 0, 0, 1) + _netbios(client.name, suffix)
        body += struct.pack("!HH", 32, 1) + b"\xc0\x0c" + struct.pack("!HHIHH", 32, 1, 300000, 6, 0)
        body += ip_bytes(client.ip)
        for again in range(3):
            moment = at + again * 750 * MILLI
            span.udp(moment, client, 137, everyone, 137, body)
    return at + 2 * SECOND


def netbios_query(span: Span, at: int, client: Host, name: str, broadcast: str) -> int:
    """NBNS broadcast query for a name nobody answers to."""
    number = span.random.randrange(65536)
    body = struct.pack("!6H", number, 0x0110, 1, 0, 0, 0) + _netbios(name, 0x20)
    body += struct.pack("!HH", 32, 1)
    for again in range(3):
        span.udp(at + again * 750 * MILLI, client, 137, group("broadcast", broadcast), 137, body)
    return at + 2 * SECOND


def llmnr_query(span: Span, at: int, client: Host, name: str) -> int:
    """LLMNR query (RFC 4795), sent twice, unanswered."""
    number, port = span.random.randrange(65536), span.ephemeral(client)
    body = struct.pack("!6H", number, 0, 1, 0, 0, 0) + encoded(name) + struct.pack("!HH", A, 1)
    for again in range(2):
        span.udp(at + again * 410 * MILLI, client, port, ALL_LLMNR, 5355, body)
    return at + SECOND


def mdns_query(span: Span, at: int, client: Host) -> int:
    """Windows 10 looks for printers by multicast DNS (RFC 6762)."""
    body = struct.pack("!6H", 0, 0, 1, 0, 0, 0) + encoded("_ipp._tcp.local")
    span.udp(at, client, 5353, ALL_MDNS, 5353, body + struct.pack("!HH", 12, 1))
    return at + MILLI


def ssdp_search(span: Span, at: int, client: Host) -> int:
    """Windows looks for UPnP devices, four times a second apart."""
    lines = ("M-SEARCH * HTTP/1.1", "Host:239.255.255.250:1900", 'Man:"ssdp:discover"', "MX:3",
             "ST:urn:schemas-upnp-org:device:InternetGatewayDevice:1", "", "")  # fmt: skip
    port = span.ephemeral(client)
    for again in range(4):
        span.udp(at + again * SECOND, client, port, ALL_SSDP, 1900, "\r\n".join(lines).encode())
    return at + 4 * SECOND
