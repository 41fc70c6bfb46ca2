"""Remote control: RDP sessions (MS-RDPBCGR) and AnyDesk as they look on the wire."""

from __future__ import annotations

import struct

from sample_pcaps.hospital import Host, group
from sample_pcaps.tcp import Tcp
from sample_pcaps.tls import sealed, shake_hands
from sample_pcaps.wire import Span


def rdp(
    span: Span, at: int, client: Host, server: Host, user: str, seconds: float, *, rate: float = 1.0
) -> int:
    """A desktop session: X.224, TLS, then a screen's rhythm of small inputs and larger updates."""
    tcp = Tcp(
        span, client, server, 3389, at, delay_ms=4 if client.ip.startswith("10.20.70.1") else 0.5
    )
    tcp.open()
    cookie = f"Cookie: mstshash={user[:9]}\r\n".encode()
    tail = cookie + struct.pack("<BBHI", 1, 0, 8, 3)
    request = struct.pack("!BBHHB", 6 + len(tail), 0xE0, 0, 0, 0) + tail
    tcp.send(struct.pack("!BBH", 3, 0, 4 + len(request)) + request).wait(0.01)
    confirm = struct.pack("!BBHHB", 14, 0xD0, 0, 0x1234, 0) + struct.pack("<BBHI", 2, 0x1F, 8, 2)
    tcp.reply(struct.pack("!BBH", 3, 0, 4 + len(confirm)) + confirm).wait(0.01)
    shake_hands(tcp, server.fqdn, modern=False, certified=server.fqdn)
    for size in (330, 560, 180):
        tcp.wait(0.05).send(sealed(span.random, size)).wait(0.02).reply(sealed(span.random, size))
    end = at + int(seconds * 1e9)
    while tcp.now < end:
        tcp.wait(span.random.expovariate(rate))
        tcp.send(sealed(span.random, span.random.randrange(40, 90))).wait(0.05)
        tcp.reply(sealed(span.random, span.random.choice((120, 800, 2400))), cut=120)
    return tcp.close().now


def anydesk_search(span: Span, at: int, client: Host) -> None:
    """AnyDesk looks for other AnyDesks on the LAN by multicast."""
    where = group("anydesk", "239.255.102.18")
    for port in (50001, 50002, 50003):
        body = struct.pack("!HHI", 0x3E57, 1, span.random.randrange(1 << 32)) + b"\0" * 24
        span.udp(at, client, 50001, where, port, body)
        at += 2_000_000


def anydesk(span: Span, at: int, client: Host, relay: Host, name: str, seconds: float) -> int:
    """A session over a relay: TLS 1.2 with AnyDesk's own certificate, kept alive."""
    tcp = Tcp(span, client, relay, 443, at, delay_ms=7).open()
    shake_hands(tcp, name, ("anydesk/6.2.0/windows",), modern=False, certified="AnyNet Relay")
    end = at + int(seconds * 1e9)
    while tcp.now < end:
        tcp.wait(span.random.uniform(0.4, 1.6))
        tcp.reply(sealed(span.random, span.random.randrange(40, 110))).wait(0.03)
        tcp.send(sealed(span.random, span.random.choice((300, 1400, 3600))), cut=100)
    return tcp.close().now
