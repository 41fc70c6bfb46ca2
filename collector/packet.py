"""One packet that the fast lane picked for the sighting lane, and why it was picked."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Pick(IntEnum):
    """What a picked packet is for; each names one decoder. DEEP packets go to tshark."""

    NONE = 0
    ARP = 1
    DHCP = 2
    DHCPV6 = 3
    ND = 4  # router and neighbour advertisements, who takes an address, redirects
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
    EXPORT = 18  # NetFlow v5/v9/IPFIX or sFlow datagram
    MARKED = 19  # begins like a shell, a program or an exploit


#: What the fast lane writes of a picked packet; offsets are into the buffer that was fed.
PICK_DTYPE = np.dtype(
    [
        ("time_ns", "i8"),
        ("kind", "u1"),  # Pick
        ("link_type", "u2"),  # of the frame (LINKTYPE_*), for DEEP
        ("frame_offset", "i8"),
        ("frame_length", "u4"),  # captured bytes
        ("wire_length", "u4"),
        ("payload_offset", "i8"),  # after the last header that was read
        ("payload_length", "u4"),
        ("vlan", "u2"),
        ("protocol", "u1"),
        ("ttl", "u1"),
        ("source_mac", "u8"),
        ("destination_mac", "u8"),
        ("source", "u8", (2,)),  # (high, low), zero where the frame has no IP
        ("destination", "u8", (2,)),
        ("source_port", "u2"),
        ("destination_port", "u2"),
    ]
)


@dataclass(slots=True)
class Packet:
    """A picked packet, its headers read; `payload` follows the last header that was read.

    Nobody changes it; it is not frozen because one is made for each picked packet, and a frozen one
    takes three times as long.

    Of ICMP (Pick.ND) the payload starts at the header itself, which says nearly all.

    Addresses are text, "" where the frame carries none.
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
