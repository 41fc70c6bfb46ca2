"""A mobile router is plugged into a ward's socket.

Friday 16 October, 10:15, third floor east. The router (NEC Platforms, 192.168.179.1) answers DHCP
before the hospital's server does. Two terminals take its lease, name it in their broadcast
requests, look for it by ARP, register their names from its subnet, and go out to the Internet with
the router as next hop.
"""

from dataclasses import replace

from sample_pcaps import day, links, names
from sample_pcaps.hospital import NEWS_SITE, TERMINALS, Host, group
from sample_pcaps.links import ACK, DISCOVER, OFFER, REQUEST, dhcp_message
from sample_pcaps.tcp import Tcp
from sample_pcaps.tls import sealed, shake_hands
from sample_pcaps.wire import BROADCAST_MAC, SECOND, Span, ip_bytes

ROUTER = Host("ROUTER", "192.168.179.1", "98:f1:99:3c:20:fa", system="device", vlan=20)
#: A site outside, as its answers come in: by the router, on the wards' VLAN.
SITE = replace(NEWS_SITE, mac=ROUTER.mac, vlan=20)


def record() -> Span:
    span = Span("mobile router")
    start = day.clock("2026-10-16", "10:15")
    day.bustle(span, start, 4, share=0.4)
    for index, terminal in enumerate(TERMINALS[:2]):
        at = start + (30 + 50 * index) * SECOND
        moved = replace(terminal, ip=f"192.168.179.{5 + index}", vlan=20)
        at = rogue_lease(span, at, terminal, moved)
        links.arp_ask(span, at, moved, ROUTER.ip)
        links.arp_answer(span, at + 500_000, ROUTER.mac, ROUTER.ip, moved)
        names.netbios_register(span, at + SECOND, moved, "192.168.179.255")
        surf(span, at + 4 * SECOND, moved)
    return span


def rogue_lease(span: Span, at: int, client: Host, moved: Host) -> int:
    """DISCOVER, the router's OFFER, a REQUEST that names the router, its ACK; all broadcast."""
    number = span.random.randrange(1 << 32)
    everyone = group("broadcast", "255.255.255.255")
    offered = links.lease(ROUTER.ip, ROUTER.ip, [ROUTER.ip], "aterm.example", "255.255.255.0")
    for asked, answered in ((DISCOVER, OFFER), (REQUEST, ACK)):
        options = links.windows_options(client)
        if asked == REQUEST:
            options += [(50, ip_bytes(moved.ip)), (54, ip_bytes(ROUTER.ip))]
        links.dhcp_broadcast(span, at, client, dhcp_message(asked, number, client.mac, options))
        reply = dhcp_message(answered, number, client.mac, offered, your_ip=moved.ip)
        span.udp(at + 2_000_000, ROUTER, 67, everyone, 68, reply, next_hop=BROADCAST_MAC)
        at += 15_000_000
    return at


def surf(span: Span, at: int, client: Host) -> None:
    """The terminal asks the router for names and reads the news through it."""
    for page in range(3):
        at = names.ask(span, at, client, "www.news.example", SITE.ip, server=ROUTER)
        tcp = Tcp(span, client, SITE, 443, at, delay_ms=30).open()
        shake_hands(tcp, "www.news.example", ("h2", "http/1.1"))
        tcp.send(sealed(span.random, 500)).wait(0.1).reply(sealed(span.random, 9000), cut=90)
        at = tcp.close().now + (2 + page) * SECOND
