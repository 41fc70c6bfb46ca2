"""A phone is tethered by USB to an ultrasound console, and the console leaks its second address.

Thursday 15 October, 13:20. US1 (10.20.30.51) now also has 192.168.42.183 from an Android phone at
192.168.42.129. The phone's own traffic never crosses the sensor; what does: US1 registers both
addresses in DNS, asks by ARP for the phone, sends packets from the phone's network on the LAN when
the phone is unplugged, and lists both adapters to a viewer that opens its export share.
"""

import struct

from sample_pcaps import clinical, day, links, names
from sample_pcaps.hospital import HOSTS, NEWS_SITE, Host
from sample_pcaps.smb2 import FSCTL_QUERY_NETWORK_INTERFACE_INFO, NO_FILE, Smb2, interface_info
from sample_pcaps.tcp import Tcp
from sample_pcaps.wire import SECOND, Span, checksum, ip_bytes

TETHERED = "192.168.42.183"
PHONE = "192.168.42.129"


def record() -> Span:
    span = Span("tethered console")
    start = day.clock("2026-10-15", "13:20")
    console = HOSTS["US1"]
    day.bustle(span, start, 4, share=0.4)
    names.register(span, start + 20 * SECOND, console, [console.ip, TETHERED])
    for again in range(3):
        moment = start + (45 + again) * SECOND
        links.arp_ask(span, moment, console, PHONE, sender_ip=TETHERED)
    clinical.store(span, start + 60 * SECOND, console, HOSTS["PACS1"], 1, 80_000)
    share(span, start + 110 * SECOND, HOSTS["VIEW-301"], console)
    unplugged(span, start + 170 * SECOND, console, NEWS_SITE)
    return span


def share(span: Span, at: int, viewer: Host, console: Host) -> None:
    """A viewer opens the console's export share; Windows 10 asks for all its adapters."""
    smb = Smb2(Tcp(span, viewer, console, 445, at).open()).log_on("echo-user", domain="US1")
    smb.tree("IPC$")
    adapters = interface_info([(4, console.ip), (17, TETHERED)])
    smb.ioctl(NO_FILE, FSCTL_QUERY_NETWORK_INTERFACE_INFO, b"", adapters)
    smb.tree("EXPORT")
    file_id = smb.create("20261015\\report.txt", size=800)
    smb.read(file_id, b"ECHO REPORT (SAMPLE)\r\n" * 36)
    smb.close(file_id)
    smb.log_off()


def unplugged(span: Span, at: int, console: Host, outside: Host) -> None:
    """The phone is gone; old connections' last packets leave by the LAN with the old address."""
    for again, port in enumerate((50111, 50112, 50111, 50114)):
        sequence = span.random.randrange(1 << 32)
        head = struct.pack("!HHIIBBHHH", port, 443, sequence, 1, 0x50, 0x11, 1026, 0, 0)
        pseudo = ip_bytes(TETHERED) + ip_bytes(outside.ip) + struct.pack("!BBH", 0, 6, 20)
        head = head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]
        span.ip(at + again * 7 * SECOND // 10, console, outside, 6, head, from_ip=TETHERED)
