"""What each decoder tells of a packet written by hand or by scapy."""

import datetime
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from scapy.layers.dhcp6 import DUID_LL, DHCP6_Solicit, DHCP6OptClientId, DHCP6OptDNSServers
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
)
from scapy.layers.l2 import ARP

from collector.decoders.certificate import read_certificate
from collector.decoders.client_hello import ClientHello
from collector.packet import Pick
from collector.sighting_lane import SightingLane
from tests.collector.feeder import packet_rows


def sightings_of(payload, kind: Pick, **row):
    """Decode one payload; a malformed one fails the test."""
    lane = SightingLane("ward3")
    found = lane.decode(*packet_rows(bytes(payload), kind=kind, **row))
    assert not lane.malformed
    assert not lane.failed
    return found


def test_arp_tells_the_sender_and_whom_it_looks_for() -> None:
    ask = ARP(op=1, hwsrc="02:00:00:00:00:07", psrc="192.168.42.5", pdst="192.168.42.129")
    [arp] = sightings_of(ask, Pick.ARP)
    assert (arp.operation, arp.sender_mac, arp.ip) == (1, "02:00:00:00:00:07", "192.168.42.5")
    assert (arp.target_ip, arp.sensor) == ("192.168.42.129", "ward3")


def dhcp_message(options: bytes, your_ip: bytes = b"\0" * 4) -> bytes:
    head = b"\2\1\6\0" + b"\0" * 12 + your_ip + b"\0" * 8 + bytes.fromhex("0200deadbeef")
    return head.ljust(236, b"\0") + b"\x63\x82\x53\x63" + options


def test_dhcp_offer_of_a_tethered_phone() -> None:
    options = (
        b"\x35\1\2" + b"\x36\4\xc0\xa8\x2b\1" + b"\3\4\xc0\xa8\x2b\1" + b"\6\4\xc0\xa8\x2b\1"
        + b"\x2b\x0fANDROID_METERED" + b"\x33\4\0\0\x0e\x0f" + b"\0\0" + b"\xff"
    )  # fmt: skip
    [offer] = sightings_of(dhcp_message(options, b"\xc0\xa8\x2b\x07"), Pick.DHCP)
    assert (offer.message, offer.your_ip, offer.server_id) == (
        "offer", "192.168.43.7", "192.168.43.1",
    )  # fmt: skip
    assert (offer.routers, offer.dns_servers) == (("192.168.43.1",), ("192.168.43.1",))
    assert (offer.vendor_info, offer.lease_s) == ("ANDROID_METERED", 3599)
    assert offer.client_mac == "02:00:de:ad:be:ef"


def test_dhcp_request_names_the_host_and_joins_split_options() -> None:
    options = b"\x35\1\3" + b"\x0c\3CT-\x0c\x03PC1" + b"\x37\3\1\3\6" + b"\x32\4\x0a\0\0\x09\xff"
    [request] = sightings_of(dhcp_message(options), Pick.DHCP)
    assert (request.message, request.host_name) == ("request", "CT-PC1")
    assert (request.parameters, request.requested_ip) == ((1, 3, 6), "10.0.0.9")


def test_dhcp_full_name_option_in_labels() -> None:
    [request] = sightings_of(dhcp_message(b"\x51\x0a\4\0\0\2pc\3lan\0\xff"), Pick.DHCP)
    assert request.host_name == "pc.lan"


def test_dhcpv6_client_and_its_mac() -> None:
    duid = DUID_LL(lladdr="02:00:00:00:00:42")
    message = DHCP6_Solicit() / DHCP6OptClientId(duid=duid)
    message /= DHCP6OptDNSServers(dnsservers=["fd00::53"])
    [solicit] = sightings_of(message, Pick.DHCPV6)
    assert (solicit.message, solicit.client_mac) == ("solicit", "02:00:00:00:00:42")
    assert solicit.dns_servers == ("fd00::53",)


def test_router_advertisement_with_prefix_and_resolver() -> None:
    message = ICMPv6ND_RA(routerlifetime=1800) / ICMPv6NDOptPrefixInfo(prefix="2409:10::")
    message /= ICMPv6NDOptRDNSS(dns=["2409:10::1"])
    message /= ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:99")
    [router] = sightings_of(message, Pick.ND, protocol=58)
    assert (router.lifetime_s, router.router_mac) == (1800, "02:00:00:00:00:99")
    assert (router.prefixes, router.dns_servers) == (("2409:10::/64",), ("2409:10::1",))


def test_neighbor_advertisement_and_redirects() -> None:
    claim = ICMPv6ND_NA(tgt="fe80::7") / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:77")
    [neighbor] = sightings_of(claim, Pick.ND, protocol=58)
    assert (neighbor.target_ip, neighbor.target_mac) == ("fe80::7", "02:00:00:00:00:77")
    [taking] = sightings_of(ICMPv6ND_NS(tgt="2001:db8::7"), Pick.ND, protocol=58)
    assert (taking.target_ip, taking.target_mac) == ("2001:db8::7", "02:00:00:00:00:01")
    assert (taking.is_tentative, neighbor.is_tentative) == (True, False)
    [six] = sightings_of(ICMPv6ND_Redirect(tgt="fe80::1", dst="2001:db8::9"), Pick.ND, protocol=58)
    assert (six.router_ip, six.destination_ip) == ("fe80::1", "2001:db8::9")
    original = b"\x45" + b"\0" * 15 + bytes([10, 9, 8, 7])
    [four] = sightings_of(b"\5\1\0\0" + bytes([10, 0, 0, 66]) + original, Pick.ND, protocol=1)
    assert (four.router_ip, four.destination_ip) == ("10.0.0.66", "10.9.8.7")


def test_dns_answer_over_udp_and_tcp() -> None:
    message = bytes(
        DNS(
            qr=1, qd=[DNSQR(qname="WWW.Example.jp")],
            an=[DNSRR(rrname="WWW.Example.jp", type="CNAME", rdata="a.example.jp"),
                DNSRR(rrname="a.example.jp", type="A", rdata="203.0.113.9")],
        )
    )  # fmt: skip
    [answer] = sightings_of(message, Pick.DNS, port=53)
    assert (answer.name, answer.query_type, answer.is_response) == ("www.example.jp", "A", True)
    assert answer.answers == ("a.example.jp", "203.0.113.9")
    assert answer.transport == "udp"
    framed = struct.pack("!H", len(message)) + message
    both = sightings_of(framed * 2, Pick.DNS, protocol=6, port=53)
    assert [(s.transport, s.answers) for s in both] == [("tcp", answer.answers)] * 2


def test_dns_update_tells_the_address_a_host_registers() -> None:
    message = DNS(
        opcode=5, qd=[DNSQR(qname="hosp.local", qtype="SOA")],
        ns=[DNSRR(rrname="ct-pc.hosp.local", type="A", rdata="192.168.42.17")],
    )  # fmt: skip
    [update] = sightings_of(message, Pick.DNS)
    assert (update.zone, update.name) == ("hosp.local", "ct-pc.hosp.local")
    assert update.addresses == ("192.168.42.17",)


def test_dns_pointer_loop_is_malformed_and_ends() -> None:
    lane = SightingLane()
    loop = struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1"
    assert lane.decode(*packet_rows(loop, kind=Pick.DNS)) == []
    assert lane.malformed == {"dns": 1}


def test_mdns_and_llmnr_claims() -> None:
    claim = DNS(qr=1, qd=[], an=[DNSRR(rrname="pump.local", type="A", rdata="10.9.0.4")])
    [mdns] = sightings_of(claim, Pick.MDNS)
    assert (mdns.protocol, mdns.operation) == ("mdns", "response")
    assert (mdns.names, mdns.addresses) == (("pump.local",), ("10.9.0.4",))
    [llmnr] = sightings_of(DNS(qd=[DNSQR(qname="wpad")]), Pick.LLMNR)
    assert (llmnr.protocol, llmnr.operation, llmnr.names) == ("llmnr", "query", ("wpad",))


def test_a_probe_brings_its_own_records_and_a_question_those_of_others() -> None:
    own = DNSRR(rrname="ct-pc.local", type="A", rdata="192.168.42.17")
    [probe] = sightings_of(DNS(qd=[DNSQR(qname="ct-pc.local")], ns=[own]), Pick.MDNS)
    assert (probe.operation, probe.addresses) == ("query", ("192.168.42.17",))
    [asked] = sightings_of(DNS(qd=[DNSQR(qname="ct-pc.local")], an=[own]), Pick.MDNS)
    assert asked.addresses == ()


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("17.42.168.192.in-addr.arpa", ("192.168.42.17",)),
        ("42.168.192.in-addr.arpa", ()),
        ("300.42.168.192.in-addr.arpa", ()),
        ("17.42.168.192.example", ()),
    ],
)
def test_a_reverse_name_is_an_address_too(name: str, addresses: tuple[str, ...]) -> None:
    claim = DNS(qr=1, qd=[], an=[DNSRR(rrname=name, type="PTR", rdata="ct-pc.local")])
    assert sightings_of(claim, Pick.MDNS)[0].addresses == addresses
    record = DNSRR(rrname=name, type="PTR", rdata="ct-pc.local")
    message = DNS(opcode=5, qd=[DNSQR(qname="168.192.in-addr.arpa", qtype="SOA")], ns=[record])
    assert sightings_of(message, Pick.DNS)[0].addresses == addresses


def netbios_name(name: str, suffix: int) -> bytes:
    raw = name.encode().ljust(15) + bytes([suffix])
    return b"\x20" + bytes(65 + n for byte in raw for n in (byte >> 4, byte & 15)) + b"\0"


def test_nbns_multihomed_registration_tells_the_second_address() -> None:
    head = struct.pack("!6H", 7, 0xF << 11 | 0x110, 1, 0, 0, 1)
    record = b"\xc0\x0c\0\x20\0\1\0\0\0\0\0\6" + b"\0\0" + bytes([192, 168, 42, 17])
    [name] = sightings_of(head + netbios_name("CT-PC", 0x20) + b"\0\x20\0\1" + record, Pick.NBNS)
    assert (name.operation, name.names) == ("multihomed_registration", ("CT-PC<20>",))
    assert (name.addresses, name.group) == (("192.168.42.17",), False)


def test_netbios_datagram_tells_what_the_sender_thinks_its_address_is() -> None:
    head = b"\x11\x0a\0\1" + bytes([192, 168, 42, 17]) + b"\0\x8a\0\xbb\0\0"
    body = head + netbios_name("CT-PC", 0) + netbios_name("WORKGROUP", 0x1E)
    [name] = sightings_of(body, Pick.NBNS, port=138, peer_port=138)
    assert (name.operation, name.addresses) == ("datagram", ("192.168.42.17",))
    assert name.names == ("CT-PC<00>", "WORKGROUP<1e>")


def test_ssdp_announcement_and_search() -> None:
    notify = (
        b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\n"
        b"LOCATION: http://192.168.8.1:80/desc.xml\r\nSERVER: HUAWEI UPnP/1.0\r\n\r\n"
    )
    [device] = sightings_of(notify, Pick.SSDP)
    assert (device.method, device.search_target) == ("NOTIFY", "upnp:rootdevice")
    assert device.location == "http://192.168.8.1:80/desc.xml"
    [answer] = sightings_of(b"HTTP/1.1 200 OK\r\nST: ssdp:all\r\n\r\n", Pick.SSDP)
    assert (answer.method, answer.search_target) == ("200", "ssdp:all")


def test_ws_discovery_tells_at_which_addresses_a_host_is() -> None:
    hello = (
        b'<soap:Envelope xmlns:wsd="urn:d"><soap:Body><wsd:Hello><wsd:XAddrs>'
        b"http://10.20.30.51:5357/a/\nhttp://192.168.42.17:5357/a/ http://[fe80::1%3]:5357/a "
        b"http://[half</wsd:XAddrs></wsd:Hello></soap:Body></soap:Envelope>"
    )
    [present] = sightings_of(hello, Pick.SSDP, port=3702, peer_port=3702)
    assert (present.protocol, present.operation) == ("wsd", "present")
    assert present.addresses == ("10.20.30.51", "192.168.42.17", "fe80::1")
    probe = b"<soap:Body><wsd:Probe><wsd:Types>wsdp:Device</wsd:Types></wsd:Probe></soap:Body>"
    assert sightings_of(probe, Pick.SSDP, port=50000, peer_port=3702) == []


def test_http_path_is_cut_where_a_patient_could_be_named() -> None:
    request = (
        b"GET /wado?patientID=0012345 HTTP/1.1\r\nHost: pacs\r\nUpgrade: websocket\r\n"
        b"User-Agent: viewer/2\r\nSec-WebSocket-Protocol: chisel-v3\r\nCut: of"
    )
    [http] = sightings_of(request, Pick.HTTP, protocol=6)
    assert (http.method, http.host, http.path) == ("GET", "pacs", "/wado")
    assert (http.user_agent, http.upgrade, http.protocols) == (
        "viewer/2", "websocket", "chisel-v3",
    )  # fmt: skip
    assert sightings_of(b"HTTP/1.1 200 OK\r\n\r\n", Pick.HTTP) == []


def test_ssh_banner_is_made_harmless() -> None:
    [ssh] = sightings_of(b"SSH-2.0-Open\x1b[2JSSH\r\nrest", Pick.SSH)
    assert ssh.banner == "SSH-2.0-Open\\x1b[2JSSH"


def connect_initial(*channels: bytes) -> bytes:
    """MCS' first message with the channels that a client asks for (MS-RDPBCGR §2.2.1.3)."""
    names = b"".join(name.ljust(8, b"\0") + bytes(4) for name in channels)
    network = struct.pack("<HHI", 0xC003, 8 + len(names), len(channels)) + names
    conference = b"\x7f\x65\x82\x01\x94" + bytes(90) + b"Duca" + b"\x01\xc0\xd8\0" + bytes(212)
    body = b"\x02\xf0\x80" + conference + network
    return b"\x03\0" + struct.pack("!H", 4 + len(body)) + body


@pytest.mark.parametrize("name", [b"MS_T120", b"ms_t120\0"])
def test_bluekeep_asks_for_a_channel_that_windows_keeps(name: bytes) -> None:
    [told] = sightings_of(connect_initial(b"rdpdr", b"rdpsnd", name, b"cliprdr"), Pick.RDP)
    assert (told.kind, told.mark) == ("attack_bytes", "bluekeep")


def test_other_channels_tell_nothing() -> None:
    assert sightings_of(connect_initial(b"rdpdr", b"MS_T121", b"cliprdr"), Pick.RDP) == []
    cut = connect_initial(*[b"MS_T120"] * 31)[:330]
    assert sightings_of(cut, Pick.RDP) == []


def test_rdp_cookie_and_what_is_not_rdp() -> None:
    ask = b"\x03\0\0\x2b\x26\xe0\0\0\0\0\0Cookie: mstshash=hayashi\r\n\1\0\x08\0\3\0\0\0"
    assert [s.cookie for s in sightings_of(ask, Pick.RDP)] == ["hayashi"]
    s7 = b"\x03\0\0\x16\x11\xe0\0\0\0\1\0\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2"
    assert sightings_of(s7, Pick.RDP) == []


def test_lldp_and_cdp_neighbors() -> None:
    def tlv(kind: int, value: bytes) -> bytes:
        return struct.pack("!H", kind << 9 | len(value)) + value

    lldp = (
        tlv(1, b"\4\2\0\0\0\0\x5a") + tlv(2, b"\5Gi1/0/7") + tlv(3, b"\0\x78")
        + tlv(5, b"sw-ward3") + tlv(7, b"\0\x14\0\x04") + tlv(8, b"\5\1\x0a\0\0\xfe\2\0\0\0\1\0")
        + tlv(0, b"")
    )  # fmt: skip
    [port] = sightings_of(lldp, Pick.LLDP)
    assert (port.chassis, port.port_name) == ("02:00:00:00:00:5a", "Gi1/0/7")
    assert (port.system_name, port.management_ip) == ("sw-ward3", "10.0.0.254")
    assert port.capabilities == ("bridge",)
    cdp = b"\2\xb4\0\0" + b"\0\1\0\x09core1" + b"\0\3\0\x08Fa0/" + b"\0\4\0\x08\0\0\0\x28"
    [core] = sightings_of(b"\xaa\xaa\3\0\0\x0c\x20\0" + cdp, Pick.CDP)
    assert (core.system_name, core.port_name) == ("core1", "Fa0/")
    assert core.capabilities == ("switch", "igmp")


def test_ja4_of_the_published_example() -> None:
    """The example that FoxIO's description of JA4 works through, GREASE left out."""
    ciphers = "1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035"
    extensions = "001b 0000 0033 0010 4469 0017 002d 000d 0005 0023 0012 002b ff01 000b 000a 0015"
    signatures = "0403 0804 0401 0503 0805 0501 0806 0601"
    hello = ClientHello(
        version=0x0304,
        ciphers=[int(number, 16) for number in ciphers.split()],
        extensions=[int(number, 16) for number in extensions.split()],
        signatures=[int(number, 16) for number in signatures.split()],
        sni="example.com",
        alpn=[b"h2", b"http/1.1"],
        is_whole=True,
    )
    assert hello.ja4("tcp") == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert hello.ja4("quic").startswith("q13d")


@pytest.mark.parametrize(
    ("alpn", "mark"), [([], "00"), ([b"http/1.1"], "h1"), ([b"\xab\xcd"], "ad"), ([b"x"], "xx")]
)
def test_ja4_marks_the_first_protocol(alpn: list[bytes], mark: str) -> None:
    hello = ClientHello(version=0x0303, alpn=alpn, is_whole=True)
    assert hello.ja4("tcp") == f"t12i0000{mark}_000000000000_000000000000"


def certificate_for(subject: str, names: list[str]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    end = datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
        issuer_name=x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Maker 株式会社")]),
        public_key=key.public_key(),
        serial_number=77,
        not_valid_before=end - datetime.timedelta(days=9),
        not_valid_after=end,
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_certificate_of_a_vpn_box_whole_and_cut_off() -> None:
    der = certificate_for("FortiGate", ["vpn.example.jp", "fw"])
    body = b"\0" * 3 + len(der).to_bytes(3, "big") + der
    handshake = b"\x0b" + len(body).to_bytes(3, "big") + body
    record = b"\x16\x03\x03" + struct.pack("!H", len(handshake)) + handshake
    [whole] = sightings_of(record, Pick.TLS, protocol=6)
    assert (whole.subject, whole.issuer) == ("FortiGate", "Maker 株式会社")
    assert (whole.names, whole.not_after) == (("vpn.example.jp", "fw"), "2031-05-06T07:08:09Z")
    [cut] = sightings_of(record[:200], Pick.TLS, protocol=6)
    assert (cut.subject, cut.issuer, cut.names) == ("FortiGate", whole.issuer, ())


def test_certificate_reader_agrees_with_cryptography() -> None:
    der = certificate_for("pacs.hosp.local", ["pacs"])
    known = x509.load_der_x509_certificate(der)
    found = read_certificate(der)
    assert found.subject == known.subject.rfc4514_string().removeprefix("CN=")
    assert found.not_after == known.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
