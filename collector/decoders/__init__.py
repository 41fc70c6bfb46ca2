"""The decoders of the sighting lane, one a kind of packet."""

from typing import Final

from collector.decoders.arp import ArpDecoder
from collector.decoders.decoder import Decoder, Malformed
from collector.decoders.dhcp import DhcpDecoder
from collector.decoders.dhcpv6 import Dhcpv6Decoder
from collector.decoders.dns import DnsDecoder
from collector.decoders.http import HttpDecoder
from collector.decoders.marked import MarkedDecoder
from collector.decoders.multicast_names import LlmnrDecoder, MdnsDecoder
from collector.decoders.nbns import NbnsDecoder
from collector.decoders.nd import NdDecoder
from collector.decoders.neighbors import CdpDecoder, LldpDecoder
from collector.decoders.quic import QuicDecoder
from collector.decoders.rdp import RdpDecoder
from collector.decoders.ssdp import SsdpDecoder
from collector.decoders.ssh import SshDecoder
from collector.decoders.tls import TlsDecoder

DECODERS: Final[tuple[Decoder, ...]] = (
    ArpDecoder(), DhcpDecoder(), Dhcpv6Decoder(), NdDecoder(), DnsDecoder(), MdnsDecoder(),
    LlmnrDecoder(), NbnsDecoder(), SsdpDecoder(), TlsDecoder(), QuicDecoder(), HttpDecoder(),
    SshDecoder(), RdpDecoder(), LldpDecoder(), CdpDecoder(), MarkedDecoder(),
)  # fmt: skip

__all__ = ["DECODERS", "Decoder", "Malformed"]
