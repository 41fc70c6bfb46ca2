"""What holds a LAN together: ARP, DHCP, LLDP, NTP, SNMP."""

from __future__ import annotations

import struct

from sample_pcaps.asn1 import der, integer, octets, oid, sequence
from sample_pcaps.hospital import CORE_MAC, DOMAIN, HOSTS, Host, group, vlan_of
from sample_pcaps.wire import BROADCAST_MAC, Span, checksum, ip_bytes, mac_bytes

MILLI = 1_000_000
LLDP_MAC = "01:80:c2:00:00:0e"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
UNSET = "0.0.0.0"


def arp_ask(span: Span, at: int, asker: Host, wanted: str, *, sender_ip: str = "") -> None:
    """Who has `wanted`? Broadcast on the asker's VLAN."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac_bytes(asker.mac)
    body += ip_bytes(sender_ip or asker.ip) + b"\0" * 6 + ip_bytes(wanted)
    span.ethernet(at, asker.mac, BROADCAST_MAC, 0x0806, body, vlan_of(asker))


def arp_answer(span: Span, at: int, owner_mac: str, owner_ip: str, asker: Host) -> None:
    """`owner_ip` is at `owner_mac`."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + mac_bytes(owner_mac) + ip_bytes(owner_ip)
    body += mac_bytes(asker.mac) + ip_bytes(asker.ip)
    span.ethernet(at, owner_mac, asker.mac, 0x0806, body, vlan_of(asker))


def arp_gateway(span: Span, at: int, asker: Host) -> None:
    """A host looks for its gateway, and the core switch answers."""
    gateway = "10.20.20.1" if vlan_of(asker) == 20 else asker.ip.rsplit(".", 1)[0] + ".1"
    arp_ask(span, at, asker, gateway)
    arp_answer(span, at + 200_000, CORE_MAC, gateway, asker)


def lldp(span: Span, at: int, switch: str, port: str, mac: str) -> None:
    """A switch names itself and its port (802.1AB)."""

    def tlv(kind: int, body: bytes) -> bytes:
        return struct.pack("!H", kind << 9 | len(body)) + body

    body = tlv(1, b"\x04" + mac_bytes(mac)) + tlv(2, b"\x05" + port.encode())
    body += tlv(3, struct.pack("!H", 120)) + tlv(4, f"port {port}".encode())
    body += tlv(5, switch.encode()) + tlv(6, b"AX2340S-24T4X") + tlv(7, struct.pack("!HH", 4, 4))
    span.ethernet(at, mac, LLDP_MAC, 0x88CC, body + b"\0\0", 0)


def dhcp_message(
    kind: int,
    number: int,
    client_mac: str,
    options: list[tuple[int, bytes]],
    *,
    client_ip: str = UNSET,
    your_ip: str = UNSET,
    relay_ip: str = UNSET,
) -> bytes:
    """A BOOTP frame with its options (RFC 2131), broadcast flag set."""
    direction = 2 if kind in (OFFER, ACK) else 1
    body = struct.pack("!BBBBIHH", direction, 1, 6, 0, number, 0, 0x8000)
    body += ip_bytes(client_ip) + ip_bytes(your_ip) + b"\0" * 4 + ip_bytes(relay_ip)
    body += mac_bytes(client_mac).ljust(16, b"\0") + b"\0" * 192 + b"\x63\x82\x53\x63"
    for code, value in [(53, bytes([kind])), *options]:
        body += bytes([code, len(value)]) + value
    return (body + b"\xff").ljust(300, b"\0")


def dhcp_broadcast(span: Span, at: int, client: Host, message: bytes) -> None:
    """A client without an address shouts on its VLAN."""
    everyone = group("broadcast", "255.255.255.255")
    span.udp(at, client, 68, everyone, 67, message, from_ip=UNSET, next_hop=BROADCAST_MAC)


def windows_options(client: Host) -> list[tuple[int, bytes]]:
    """What a Windows client tells and asks for."""
    return [
        (61, b"\x01" + mac_bytes(client.mac)),
        (12, client.name.encode()),
        (60, b"MSFT 5.0"),
        (55, bytes([1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252])),
    ]


def lease(
    server_ip: str, router: str, dns: list[str], domain: str, mask: str
) -> list[tuple[int, bytes]]:
    """A server's options in OFFER and ACK."""
    return [
        (54, ip_bytes(server_ip)),
        (51, struct.pack("!I", 86400)),
        (1, ip_bytes(mask)),
        (3, ip_bytes(router)),
        (6, b"".join(ip_bytes(d) for d in dns)),
        (15, domain.encode()),
    ]


def dhcp_lease(span: Span, at: int, client: Host) -> int:
    """A ward terminal gets its address: the core relays to the DHCP server."""
    server, number = HOSTS["DHCP"], span.random.randrange(1 << 32)
    relay = Host("CORE", "10.20.20.1", CORE_MAC, system="switch")
    offered = lease(server.ip, relay.ip, ["10.20.80.10", "10.20.80.11"], DOMAIN, "255.255.254.0")
    for asked, answered in ((DISCOVER, OFFER), (REQUEST, ACK)):
        options = windows_options(client)
        options.append((50, ip_bytes(client.ip)))
        if asked == REQUEST:
            options.append((54, ip_bytes(server.ip)))
        message = dhcp_message(asked, number, client.mac, options)
        dhcp_broadcast(span, at, client, message)
        answer = dhcp_message(
            answered, number, client.mac, offered, your_ip=client.ip, relay_ip=relay.ip
        )
        span.udp(at + 3 * MILLI, server, 67, relay, 67, answer)
        at += 12 * MILLI
    return at


def ntp(span: Span, at: int, client: Host) -> int:
    """SNTP question and answer (RFC 5905)."""
    server, port = HOSTS["NTP"], 123

    def stamp(moment: int) -> bytes:
        seconds, rest = divmod(moment, 1_000_000_000)
        return struct.pack("!II", seconds + 2_208_988_800 & 0xFFFFFFFF, (rest << 32) // 10**9)

    ask = struct.pack("!BBBbII4s", 0xDB, 0, 10, -23, 0, 0, b"\0\0\0\0") + b"\0" * 24 + stamp(at)
    span.udp(at, client, port, server, 123, ask)
    reply = struct.pack("!BBBbII4s", 0x1C, 1, 10, -20, 0, 64, b"GPS\0")
    reply += stamp(at - 10**9) + stamp(at) + stamp(at + 200_000) + stamp(at + 220_000)
    span.udp(at + 400_000, server, 123, client, port, reply)
    return at + MILLI


def snmp_get(span: Span, at: int, poller: Host, device: Host) -> int:
    """SNMPv2c: how is the printer (hrPrinterStatus)?"""
    number, port = span.random.randrange(1 << 30), span.ephemeral(poller)
    name = oid("1.3.6.1.2.1.25.3.5.1.1.1")

    def message(tag: int, value: bytes) -> bytes:
        bound = sequence(sequence(name, value))
        inner = der(tag, integer(number), integer(0), integer(0), bound)
        return sequence(integer(1), octets(b"hp-read"), inner)

    span.udp(at, poller, port, device, 161, message(0xA0, b"\x05\0"))
    span.udp(at + 2 * MILLI, device, 161, poller, port, message(0xA2, integer(3)))
    return at + 3 * MILLI


def dhcpv6_solicit(span: Span, at: int, client: Host) -> None:
    """Windows also asks for an IPv6 address (RFC 8415); nobody answers."""
    mac = mac_bytes(client.mac)
    own = b"\xfe\x80" + b"\0" * 6 + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    everyone = bytes.fromhex("ff020000000000000000000000010002")
    identity = struct.pack("!HHHHI", 1, 14, 1, 1, 0x2C000000) + mac
    body = b"\x01" + span.random.randbytes(3) + struct.pack("!HHH", 8, 2, 0) + identity
    body += struct.pack("!HHIII", 3, 12, 0x0C000000 | mac[5], 0, 0)
    body += struct.pack("!HHHH", 6, 4, 23, 24)
    datagram = struct.pack("!HHHH", 546, 547, 8 + len(body), 0) + body
    pseudo = own + everyone + struct.pack("!IxxxB", len(datagram), 17)
    datagram = datagram[:6] + struct.pack("!H", checksum(pseudo + datagram)) + datagram[8:]
    head = struct.pack("!IHBB", 0x60000000, len(datagram), 17, 1) + own + everyone
    group_mac = "33:33:00:01:00:02"
    span.ethernet(at, client.mac, group_mac, 0x86DD, head + datagram, vlan_of(client))
