"""A mobile router is plugged into a ward's socket.

Friday 16 October, 10:15, third floor east. The router (NEC Platforms, 192.168.179.1) answers DHCP
before the hospital's server does. Two terminals take its lease, ask it by name in their broadcast
requests, look for it by ARP, register their names from its subnet, and send to the Internet with
the router as next hop.
"""

from dataclasses import replace

from sample_pcaps import day, links, names
from sample_pcaps.hospital import DOMAIN, TERMINALS, WINDOWS_UPDATE, Host, group
from sample_pcaps.links import ACK, DISCOVER, OFFER, REQUEST, dhcp_message
from sample_pcaps.wire import BROADCAST_MAC, SECOND, Span, ip_bytes

#: It hangs on the wards' VLAN, whatever address it gave itself; `from_ip` speaks for it.
ROUTER = Host("ROUTER", "10.20.20.250", "98:f1:99:3c:20:fa", system="device", listed=False)
ROUTER_IP = "192.168.179.1"


def record() -> Span:
    span = Span("mobile router")
    start = day.clock("2026-10-16", "10:15")
    day.bustle(span, start, 4, share=0.4)
    for index, terminal in enumerate(TERMINALS[:2]):
        at = start + (30 + 50 * index) * SECOND
        address = f"192.168.179.{5 + index}"
        at = rogue_lease(span, at, terminal, address)
        links.arp_ask(span, at, terminal, ROUTER_IP, sender_ip=address)
        moved = replace(terminal, ip=address)
        links.arp_answer(span, at + 500_000, ROUTER.mac, ROUTER_IP, replace(moved, ip=address))
        names.netbios_register(span, at + SECOND, terminal, "192.168.179.255", from_ip=address)
        surf(span, at + 4 * SECOND, terminal, address)
    return span


def rogue_lease(span: Span, at: int, client: Host, address: str) -> int:
    """DISCOVER, the router's OFFER, a REQUEST that names the router, its ACK; all broadcast."""
    number = span.random.randrange(1 << 32)
    everyone = group("broadcast", "255.255.255.255")
    offered = links.lease(ROUTER_IP, ROUTER_IP, [ROUTER_IP], "aterm.example", "255.255.255.0")
    for asked, answered in ((DISCOVER, OFFER), (REQUEST, ACK)):
        options = links.windows_options(client)
        if asked == REQUEST:
            options += [(50, ip_bytes(address)), (54, ip_bytes(ROUTER_IP))]
        links.dhcp_broadcast(span, at, client, dhcp_message(asked, number, client.mac, options))
        reply = dhcp_message(answered, number, client.mac, offered, your_ip=address)
        moment = at + 2_000_000
        span.udp(moment, ROUTER, 67, everyone, 68, reply, from_ip=ROUTER_IP, next_hop=BROADCAST_MAC)
        at += 15_000_000
    return at


def surf(span: Span, at: int, client: Host, address: str) -> None:
    """The terminal asks the router for a name and knocks at the outside through it."""
    port = span.ephemeral(client)
    question = names.encoded(f"www.{DOMAIN}") + b"\0\1\0\1"
    router = replace(ROUTER, ip=ROUTER_IP)
    body = span.random.randbytes(2) + bytes.fromhex("01000001000000000000") + question
    span.udp(at, client, port, router, 53, body, from_ip=address, next_hop=ROUTER.mac)
    for again in range(6):
        port = span.ephemeral(client)
        hello = bytes.fromhex("c300000001") + span.random.randbytes(1195)
        moment = at + again * SECOND
        span.udp(
            moment, client, port, WINDOWS_UPDATE, 443, hello, from_ip=address, next_hop=ROUTER.mac
        )
