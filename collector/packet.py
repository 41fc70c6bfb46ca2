"""One packet that the fast lane picked for the sighting lane, and why it was picked."""

from dataclasses import dataclass
from enum import IntEnum


class Pick(IntEnum):
    """What a picked packet is for; each names one decoder. DEEP packets go to tshark."""

    NONE = 0
    ARP = 1
    DHCP = 2
    DHCPV6 = 3
    ND = 4  # router and neighbour advertisements, redirects
    DNS = 5  # UDP or TCP 53, UPDATE too
    MDNS = 6
    LLMNR = 7
    NBNS = 8
    SSDP = 9
    TLS = 10  # a record that starts with a ClientHello, or ServerHello/Certificate
    HTTP = 11  # a request's or an answer's first segment
    SSH = 12  # an identification string
    RDP = 13  # X.224 connection request or confirm
    LLDP = 14
    CDP = 15
    QUIC = 16
    DEEP = 17


@dataclass(frozen=True, slots=True)
class Packet:
    """A picked packet, its headers read; `payload` follows the last header that was read.

    Addresses are text, "" where the frame carries none. `ip_offset` −1 for frames without IP.
    """

    time_ns: int
    sensor: str
    vlan: int
    source_mac: str
    destination_mac: str
    source: str
    destination: str
    protocol: int
    source_port: int
    destination_port: int
    ttl: int
    payload: bytes
