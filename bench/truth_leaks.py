"""A PC with a second line: by which leak, and from which phone's range, it is told.

    python -m bench.truth_leaks [--seed S]

Every case is a capture written anew: a VLAN of the sample hospital at work, and one of its PCs
that leaks the address of a second line in one form. Only `hidden_line` runs, with the hospital's
plan and without the deep lane (SMB's and DCOM's lists of adapters have tests of their own). A leak
of one form only is the hardest case: a real machine mostly leaks by several.
"""

from __future__ import annotations

import argparse
import logging
import struct
import sys
from collections.abc import Callable
from ipaddress import ip_address
from random import Random
from typing import Any, Final

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.dhcp import BOOTP, DHCP  # noqa: E402 - its warnings come at import
from scapy.layers.dns import DNS, DNSQR, DNSRR  # noqa: E402
from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import ARP, Ether  # noqa: E402
from scapy.packet import Packet, Raw  # noqa: E402

from api.configuration import read_configuration  # noqa: E402
from bench.truth_routers import _START, MINUTE, SETTINGS, Case, time_to_tell  # noqa: E402
from sample_pcaps import day, links  # noqa: E402
from sample_pcaps.hospital import HOSTS, TERMINALS, Host, vlan_of  # noqa: E402
from sample_pcaps.wire import BROADCAST_MAC, SECOND, Span  # noqa: E402

GATEWAY_MAC: Final = "00:00:0c:9f:f0:14"
SITE: Final = "142.250.196.110"
MDNS: Final = ("01:00:5e:00:00:fb", "224.0.0.251", 5353)
UPNP: Final = ("01:00:5e:7f:ff:fa", "239.255.255.250", 1900)
WSD: Final = (UPNP[0], UPNP[1], 3702)

#: The second line's address, by what it comes from.
UPLINKS: Final[dict[str, Callable[[Random], str]]] = {
    "Android to 10": lambda r: f"192.168.{r.choice([42, 43])}.{r.randrange(2, 255)}",
    "Android 11+, 10/8": lambda r: f"10.{r.randrange(100, 250)}.{r.randrange(256)}.{_host(r)}",
    "Android 11+, 192.168/16": lambda r: f"192.168.{r.randrange(50, 250)}.{_host(r)}",
    "iPhone": lambda r: f"172.20.10.{r.randrange(2, 15)}",
    "HiLink stick": lambda r: "192.168.8.100",
    "mobile router (Aterm)": lambda r: f"192.168.179.{_host(r)}",
    "modem, carrier's NAT": lambda r: f"100.{r.randrange(64, 128)}.3.{_host(r)}",
    "modem, public": lambda r: f"133.106.{r.randrange(256)}.{_host(r)}",
    "Windows' own sharing": lambda r: "192.168.137.1",
    "another router": lambda r: f"192.168.{r.choice([0, 1, 11, 100])}.{_host(r)}",
    "carrier's IPv6": lambda r: f"240a:61:{r.randrange(65536):x}:{r.randrange(65536):x}::7",
}


def _host(random: Random) -> int:
    return random.randrange(2, 255)


def _from(host: Host, to_mac: str, source: str, target: str, *, ttl: int = 128) -> Any:
    layer = IPv6(src=source, dst=target, hlim=ttl) if ":" in source else IP(
        src=source, dst=target, ttl=ttl)  # fmt: skip
    return Ether(src=host.mac, dst=to_mac) / layer


def _outward(host: Host, ip: str) -> Packet:
    site = "2404:6800:4004:80b::200e" if ":" in ip else SITE
    return _from(host, GATEWAY_MAC, ip, site) / TCP(sport=50111, dport=443, flags="RA")


def _inward(host: Host, ip: str) -> Packet:
    server = HOSTS["DC1"].ip
    return _from(host, GATEWAY_MAC, ip, server) / UDP(sport=50113, dport=53) / DNS(
        rd=1, qd=[DNSQR(qname="wpad.mimawari-hp.example")])  # fmt: skip


def _arp(host: Host, ip: str) -> Packet:
    ask = ARP(op=1, hwsrc=host.mac, psrc=ip, pdst="10.20.20.1")
    return Ether(src=host.mac, dst=BROADCAST_MAC) / ask


def _record(name: str, ip: str) -> Any:
    return DNSRR(rrname=name, type="AAAA" if ":" in ip else "A", rdata=ip)


def _update(host: Host, ip: str) -> Packet:
    message = DNS(opcode=5, qd=[DNSQR(qname="mimawari-hp.example", qtype="SOA")],
                  ns=[_record(host.fqdn, ip)])  # fmt: skip
    return _from(host, GATEWAY_MAC, host.ip, HOSTS["DC1"].ip) / UDP(sport=50200, dport=53) / message


def _multicast(host: Host, group: tuple[str, str, int], body: Any) -> Packet:
    mac, target, port = group
    return _from(host, mac, host.ip, target, ttl=4) / UDP(sport=port, dport=port) / body


def _mdns(host: Host, ip: str) -> Packet:
    name = f"{host.name}.local"
    return _multicast(host, MDNS, DNS(qr=1, qd=[], an=[_record(name, host.ip), _record(name, ip)]))


def _probe(host: Host, ip: str) -> Packet:
    name = f"{host.name}.local"
    return _multicast(host, MDNS, DNS(qd=[DNSQR(qname=name, qtype=255)], ns=[_record(name, ip)]))


def _llmnr(host: Host, ip: str) -> Packet:
    answer = DNS(id=4, qr=1, qd=[DNSQR(qname=host.name)], an=[_record(host.name, ip)])
    to = _from(host, GATEWAY_MAC, host.ip, TERMINALS[5].ip)
    return to / UDP(sport=5355, dport=52000) / answer


def _netbios(host: Host, ip: str) -> Packet:
    padded = host.name.upper()[:15].ljust(15).encode() + b"\0"
    name = b"\x20" + b"".join(bytes([65 + (c >> 4), 65 + (c & 15)]) for c in padded) + b"\0"
    body = struct.pack("!6H", 77, 0x7900, 1, 0, 0, 1) + name + struct.pack("!HH", 32, 1)
    body += b"\xc0\x0c" + struct.pack("!HHIHH", 32, 1, 300000, 6, 0) + ip_address(ip).packed
    to = _from(host, GATEWAY_MAC, host.ip, HOSTS["DC1"].ip)
    return to / UDP(sport=137, dport=137) / Raw(body)


def _ssdp(host: Host, ip: str) -> Packet:
    place = f"[{ip}]" if ":" in ip else ip
    return _multicast(host, UPNP, Raw(
        f"NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\nLOCATION: http://{place}:2869/d\r\n\r\n"
        .encode()))  # fmt: skip


def _wsd(host: Host, ip: str) -> Packet:
    place = f"[{ip}]" if ":" in ip else ip
    return _multicast(host, WSD, Raw(
        f"<s:Body><d:Hello><d:XAddrs>http://{place}:5357/</d:XAddrs></d:Hello></s:Body>".encode()
    ))  # fmt: skip


def _old_lease(host: Host, ip: str) -> Packet:
    chaddr = bytes.fromhex(host.mac.replace(":", ""))
    asked = DHCP(options=[("message-type", "request"), ("requested_addr", ip), "end"])
    to = _from(host, BROADCAST_MAC, "0.0.0.0", "255.255.255.255")
    return to / UDP(sport=68, dport=67) / BOOTP(chaddr=chaddr, xid=5) / asked


FORMS: Final[dict[str, Callable[[Host, str], Packet]]] = {
    "reset to the Internet": _outward, "packet inwards": _inward, "ARP": _arp,
    "DNS update": _update, "NBNS registration": _netbios, "mDNS": _mdns, "mDNS probe": _probe,
    "LLMNR answer": _llmnr, "SSDP": _ssdp, "WS-Discovery": _wsd, "DHCP, old lease": _old_lease,
}  # fmt: skip
#: Forms that need IPv4, or an IPv6 server inside.
_V4_ONLY: Final = frozenset({_arp, _inward, _netbios, _old_lease})


def make_case(form: str, uplink: str, seed: str) -> Case:
    """A terminal leaks twice, a second apart."""
    random, span = Random(seed), Span(seed)
    day.bustle(span, _START, 3, share=0.15)
    host = random.choice(TERMINALS[:12])
    at = _START + int(random.uniform(60, 150) * SECOND)
    frame = bytes(FORMS[form](host, UPLINKS[uplink](random)))
    links.arp_gateway(span, at - 30 * SECOND, host)
    macs = frame[6:12].hex(":"), frame[:6].hex(":")
    for moment in (at, at + SECOND):
        kind = int.from_bytes(frame[12:14], "big")
        span.ethernet(moment, *macs, kind, frame[14:], vlan_of(host))
    span.ethernet(_START + 16 * MINUTE, TERMINALS[5].mac, BROADCAST_MAC, 0x88B5, bytes(46), 20)
    return Case(form, True, span.pcap(), frozenset({host.ip, host.mac}), at)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", default="1")
    asked = parser.parse_args()
    planned = read_configuration(SETTINGS)
    told = total = 0
    for uplink in UPLINKS:
        missed = []
        forms = [f for f, play in FORMS.items() if "IPv6" not in uplink or play not in _V4_ONLY]
        for form in forms:
            case = make_case(form, uplink, f"{asked.seed} {form} {uplink}")
            if time_to_tell(case, planned) is None:
                missed.append(form)
        told, total = told + len(forms) - len(missed), total + len(forms)
        print(f"{uplink:26}{len(forms) - len(missed):>3}/{len(forms):<4}{', '.join(missed)}")
    print(f"{'all':26}{told:>3}/{total:<4}{told / total:.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
