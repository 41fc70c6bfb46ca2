"""Sightings: what one packet told about a host, one frozen type a kind."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Common to all kinds: when, where, who sent the packet, and to whom."""

    kind: ClassVar[str] = ""

    time_ns: int
    sensor: str = "local"
    vlan: int = 0
    mac: str = ""
    ip: str = ""
    port: int = 0
    peer_mac: str = ""
    peer_ip: str = ""
    peer_port: int = 0

    def to_json(self) -> dict[str, Any]:
        """A flat object: `type`, `kind`, then the fields that carry something."""
        fields = {k: v for k, v in asdict(self).items() if v not in ("", (), None)}
        return {"type": "sighting", "schema": 1, "kind": self.kind, **fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arp(Sighting):
    """RFC 826; `operation` 1 asks, 2 answers; gratuitous when both addresses are one."""

    kind: ClassVar[str] = "arp"
    operation: int
    sender_mac: str
    sender_ip: str
    target_mac: str
    target_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcp(Sighting):
    """RFC 2131/2132; `message` is discover, offer, request, decline, ack, nak, release, inform."""

    kind: ClassVar[str] = "dhcp"
    message: str
    client_mac: str
    client_ip: str = ""
    your_ip: str = ""
    relay_ip: str = ""
    requested_ip: str = ""  # option 50
    server_id: str = ""  # option 54
    routers: tuple[str, ...] = ()  # option 3
    dns_servers: tuple[str, ...] = ()  # option 6
    domain: str = ""  # option 15
    host_name: str = ""  # option 12, or 81
    vendor_class: str = ""  # option 60
    vendor_info: str = ""  # option 43, printable
    parameters: tuple[int, ...] = ()  # option 55
    lease_s: int = 0  # option 51


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcpv6(Sighting):
    """RFC 8415; `client_mac` and `server_mac` are what their DUIDs tell , relays unwrapped."""

    kind: ClassVar[str] = "dhcpv6"
    message: str  # solicit, advertise, request, confirm, renew, rebind, reply, release, decline …
    client_id: str = ""  # DUID, hex
    client_mac: str = ""
    server_id: str = ""
    server_mac: str = ""
    addresses: tuple[str, ...] = ()  # leased or asked for
    dns_servers: tuple[str, ...] = ()  # option 23
    domain: str = ""  # option 24
    host_name: str = ""  # option 39
    vendor_class: str = ""  # option 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterAdvertisement(Sighting):
    """RFC 4861 §4.2; prefixes as text with length; RDNSS of RFC 8106."""

    kind: ClassVar[str] = "router_advertisement"
    router_mac: str
    lifetime_s: int
    prefixes: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborAdvertisement(Sighting):
    """RFC 4861 §4.4; or who is about to take the address, and asks whether it is free."""

    kind: ClassVar[str] = "neighbor_advertisement"
    target_ip: str
    target_mac: str
    is_tentative: bool = False  # duplicate address detection, RFC 4862 §5.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect(Sighting):
    """An ICMP redirect (RFC 792, RFC 4861 §4.5): reach `destination_ip` through `router_ip`."""

    kind: ClassVar[str] = "redirect"
    router_ip: str
    destination_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns(Sighting):
    """RFC 1035 query or answer; `answers` are addresses or names as text."""

    kind: ClassVar[str] = "dns"
    transport: str  # udp, tcp
    is_response: bool
    name: str
    query_type: str  # A, AAAA, TXT … or TYPE257
    response_code: int = 0
    answers: tuple[str, ...] = ()
    answer_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsUpdate(Sighting):
    """RFC 2136: a host registers its own name; Windows registers every adapter's address."""

    kind: ClassVar[str] = "dns_update"
    is_response: bool
    zone: str
    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NameAnnouncement(Sighting):
    """A name asked for or answered by multicast: mDNS, LLMNR or NBNS (`protocol` says which).

    WS-Discovery (wsd) tells addresses only.
    """

    kind: ClassVar[str] = "name"
    protocol: str  # mdns, llmnr, nbns, wsd
    operation: str  # query, response, registration, multihomed_registration, release, present, …
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    group: bool = False  # NBNS group name


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssdp(Sighting):
    """UPnP discovery: NOTIFY, M-SEARCH or an answer to one."""

    kind: ClassVar[str] = "ssdp"
    method: str
    search_target: str = ""
    location: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsClientHello(Sighting):
    """RFC 8446 §4.1.2, from TLS or QUIC; JA4 after FoxIO's BSD-licensed description."""

    kind: ClassVar[str] = "tls_client_hello"
    sni: str
    alpn: tuple[str, ...] = ()
    ja4: str = ""
    version: str = ""
    transport: str = "tcp"  # tcp, quic


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCertificate(Sighting):
    """The server's first certificate, where it passes in clear (TLS ≤ 1.2); sent by the server."""

    kind: ClassVar[str] = "tls_certificate"
    subject: str
    issuer: str
    names: tuple[str, ...] = ()
    not_after: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Http(Sighting):
    """A request (RFC 9112); the path is cut at `?`, so that no patient value is kept."""

    kind: ClassVar[str] = "http"
    method: str
    host: str = ""
    path: str = ""
    user_agent: str = ""
    upgrade: str = ""
    protocols: str = ""  # Sec-WebSocket-Protocol
    attack: str = ""  # class of the attack that the request carries
    excerpt: str = ""  # the words that gave it away, long numbers blotted out
    wsman: str = ""  # what a request for a remote shell asks: sealed, logon, shell, command, head …


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackBytes(Sighting):
    """Bytes that an exploit shows, or what it brings; `ip` sent them."""

    kind: ClassVar[str] = "attack_bytes"
    mark: str  # heartbleed, heartbeat, smbghost, bluekeep, shell, code, mining, …_program
    size: int = 0  # bytes of the record or segment
    format: str = ""  # pe, elf, script; of a shell its first words
    excerpt: str = ""  # of an HTTP answer the content type


@dataclass(frozen=True, slots=True, kw_only=True)
class SshBanner(Sighting):
    """RFC 4253 §4.2."""

    kind: ClassVar[str] = "ssh"
    banner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RdpRequest(Sighting):
    """X.224 connection request (MS-RDPBCGR §2.2.1.1)."""

    kind: ClassVar[str] = "rdp"
    cookie: str = ""  # the user named by mstshash


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchNeighbor(Sighting):
    """LLDP (802.1AB) or CDP: what a device says of itself and of the port it sits on."""

    kind: ClassVar[str] = "switch_neighbor"
    protocol: str  # lldp, cdp
    chassis: str = ""
    port_name: str = ""
    system_name: str = ""
    system_description: str = ""
    capabilities: tuple[str, ...] = ()
    management_ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smb(Sighting):
    """An SMB1 or SMB2 command (MS-SMB2 §2.2). `ip` is the sender of the packet."""

    kind: ClassVar[str] = "smb"
    dialect: int  # 1 or 2
    command: int
    is_response: bool
    status: int = 0
    tree: str = ""  # \\server\share
    file: str = ""
    new_name: str = ""  # SET_INFO FileRenameInformation
    ioctl: int = 0
    info_class: int = 0
    write_length: int = 0
    magic: str = ""  # "MZ" where a WRITE carries an executable
    is_encrypted: bool = False
    sealed_bytes: int = 0  # of an encrypted message, before it was encrypted
    addresses: tuple[str, ...] = ()  # FSCTL_QUERY_NETWORK_INTERFACE_INFO
    trans2: int = -1  # SMB1 Trans2 sub-command
    multiplex: int = 0  # SMB1 multiplex id
    client: str = ""  # library that an SMB2 NEGOTIATE gives away: impacket, Invoke-TheHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Dcerpc(Sighting):
    """A DCE/RPC bind, request or fault; the client is `ip`, except in answers."""

    kind: ClassVar[str] = "dcerpc"
    packet: str  # bind, alter_context, request, response, fault
    interface: str = ""  # UUID
    operation: int = -1
    pipe: str = ""
    is_encrypted: bool = False
    status: int = 0
    addresses: tuple[str, ...] = ()  # DCOM bindings
    stub_bytes: int = 0  # of the whole call, as its first fragment says
    is_challenge_constant: bool = False  # Netlogon's client challenge begins with one byte repeated
    object_class: str = ""  # UUID of the class that a DCOM activation asks for


@dataclass(frozen=True, slots=True, kw_only=True)
class Ntlm(Sighting):
    """NTLMSSP (MS-NLMP §2.2.1): challenge shows the server's build, authenticate the user."""

    kind: ClassVar[str] = "ntlm"
    message: str  # negotiate, challenge, authenticate; refused by a web server
    user: str = ""
    domain: str = ""
    workstation: str = ""
    build: str = ""  # 10.0.19041
    server_name: str = ""
    challenge: str = ""  # the server's eight bytes, as hexadecimal digits


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLogon(Sighting):
    """A name in an HTTP request's Basic or Digest field, or a 401 that wants one (RFC 9110 §11)."""

    kind: ClassVar[str] = "web_logon"
    message: str  # asked, refused
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kerberos(Sighting):
    """RFC 4120: `message` is as_req, as_rep, tgs_req, tgs_rep, ap_req, krb_error …"""

    kind: ClassVar[str] = "kerberos"
    message: str
    client: str = ""
    realm: str = ""
    service: str = ""
    encryption: int = 0  # etype of the ticket or of the answer
    encryptions: tuple[int, ...] = ()  # asked for
    error: int = 0
    has_preauth: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Sighting):
    """The clock of `ip` as it stood when the packet passed: SMB2's SystemTime, Kerberos' stime."""

    kind: ClassVar[str] = "clock"
    protocol: str  # smb2, kerberos (whole seconds)
    clock_ns: int
    started_ns: int = 0  # when the server started; 0 = not told, as Windows 10 and later do


@dataclass(frozen=True, slots=True, kw_only=True)
class Ldap(Sighting):
    """RFC 4511: a search (base and filter as text), a logon or its answer, a change; no values."""

    kind: ClassVar[str] = "ldap"
    operation: str  # search, bind, bind_answer, modify, add
    base: str = ""  # where is searched, or the entry that is changed or made
    filter: str = ""
    name: str = ""  # whom a bind names; empty where SASL carries it
    result: int = 0  # of a bind_answer: 0 success, 14 goes on, 49 wrong credentials
    attributes: tuple[str, ...] = ()  # that a change sets; of a new entry also objectClass=…


@dataclass(frozen=True, slots=True, kw_only=True)
class Dicom(Sighting):
    """PS3.8 association or PS3.7 command; never a patient's value."""

    kind: ClassVar[str] = "dicom"
    message: str  # associate_rq, associate_ac, associate_rj, c_store, c_find, c_move, c_get, c_echo
    calling_ae: str = ""
    called_ae: str = ""
    implementation: str = ""
    sop_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hl7(Sighting):
    """HL7 v2 MSH-3…6 and MSH-9 over MLLP."""

    kind: ClassVar[str] = "hl7"
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    message_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorEvent(Sighting):
    """What another monitor told (syslog, trap, asset tool): `ip` and `mac` are of the host meant.

    `event` is one of new_mac, mac_moved, rogue_ssid, usb_modem, usb_network, wan_interface,
    mobile_line, dial_up, clock_step, login, login_failed, config_change, other.
    """

    kind: ClassVar[str] = "monitor_event"
    monitor: str  # switch, wireless, asset_tool, windows, snmp, router, server …
    event: str
    host_name: str = ""
    reporter_ip: str = ""  # who sent the record
    port_name: str = ""  # switch port, interface or SSID
    user: str = ""
    detail: str = ""  # the record's own words, cut to 200 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class IdsAlert(Sighting):
    """What an intrusion detection system told of a packet's sender (`ip`) and receiver (`peer_ip`).

    `severity` is critical, high, medium, low or info, whatever scale the maker counts by.
    """

    kind: ClassVar[str] = "ids_alert"
    monitor: str  # suricata, snort, fortigate, zeek
    signature: str
    signature_id: str = ""
    category: str = ""  # the maker's class of it
    severity: str = "medium"
    is_stopped: bool = False  # the device stopped it
    reporter_ip: str = ""
    techniques: tuple[str, ...] = ()  # ATT&CK, where the record names them


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState(Sighting):
    """The collector's own: one of its sources works again (up), or does not, and why."""

    kind: ClassVar[str] = "source_state"
    source: str
    state: str  # up, down, silent, one_way, losing, refused
    why: str = ""
    why_ja: str = ""
    lost: int = 0  # packets, where it is losing


SIGHTINGS: tuple[type[Sighting], ...] = (
    Arp, Dhcp, Dhcpv6, RouterAdvertisement, NeighborAdvertisement, Redirect, Dns, DnsUpdate,
    NameAnnouncement, Ssdp, TlsClientHello, TlsCertificate, Http, AttackBytes, SshBanner,
    RdpRequest, SwitchNeighbor, Smb, Dcerpc, Ntlm, Kerberos, Ldap, Dicom, Hl7,
    MonitorEvent, IdsAlert, SourceState, Clock, WebLogon,
)  # fmt: skip
