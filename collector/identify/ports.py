"""What a registered port, an IP protocol or a group suggests when the bytes say nothing."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.apps import APP_CODE
from collector.identify.wire import NAMED, NOTHING, SURE

#: IP protocol → application (IANA protocol numbers); each carries one thing only.
_IP_PROTOCOLS: Final = {
    1: "icmp", 58: "icmp", 2: "igmp", 4: "ip_in_ip", 41: "ip_in_ip", 47: "gre", 50: "esp",
    51: "ah", 89: "ospf", 112: "vrrp", 115: "l2tp", 132: "sctp",
}  # fmt: skip

_TCP_PORTS: Final = {
    20: "ftp", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 80: "http",
    88: "kerberos", 104: "dicom", 110: "pop3", 135: "dcerpc", 139: "netbios", 143: "imap",
    179: "bgp", 389: "ldap", 443: "tls", 445: "smb", 465: "smtp", 502: "modbus", 515: "printer",
    587: "smtp", 593: "dcerpc", 631: "printer", 636: "ldap", 853: "dns", 989: "ftp", 990: "ftp",
    992: "telnet", 993: "imap", 995: "pop3", 1080: "socks", 1194: "openvpn", 1433: "mssql",
    1521: "oracle", 1723: "pptp", 1883: "mqtt", 1972: "intersystems", 2575: "hl7", 2762: "dicom",
    3128: "http_proxy", 3268: "ldap", 3269: "ldap", 3306: "mysql", 3389: "rdp", 4242: "dicom",
    4899: "radmin", 5060: "sip", 5061: "sip", 5432: "postgres", 5900: "vnc", 5901: "vnc",
    5938: "teamviewer", 5985: "winrm", 5986: "winrm", 6514: "syslog", 6568: "anydesk",
    6783: "splashtop", 7070: "anydesk", 7615: "isl_online", 7844: "cloudflared", 8041:
    "screenconnect", 8080: "http", 8883: "mqtt", 9001: "tor", 9030: "tor", 9100: "printer",
    11112: "dicom", 12975: "hamachi", 21115: "rustdesk", 21116: "rustdesk", 21117: "rustdesk",
    56773: "intersystems",
}  # fmt: skip

_UDP_PORTS: Final = {
    53: "dns", 67: "dhcp", 68: "dhcp", 69: "tftp", 88: "kerberos", 123: "ntp", 137: "nbns",
    138: "netbios", 161: "snmp", 162: "snmp", 389: "ldap", 443: "quic", 500: "ikev1",
    514: "syslog", 546: "dhcpv6", 547: "dhcpv6", 1194: "openvpn", 1434: "mssql", 1645: "radius",
    1646: "radius", 1701: "l2tp", 1812: "radius", 1813: "radius", 1900: "ssdp", 2055: "netflow",
    3389: "rdp", 3478: "stun", 3544: "teredo", 4500: "nat_t", 4501: "globalprotect",
    4739: "netflow", 5060: "sip", 5351: "nat_pmp", 5353: "mdns", 5355: "llmnr",
    5938: "teamviewer", 6343: "sflow", 7844: "cloudflared", 9993: "zerotier", 9995: "netflow",
    9996: "netflow", 17771: "hamachi", 21116: "rustdesk", 41641: "tailscale", 47808: "bacnet",
    51820: "wireguard",
}  # fmt: skip


def _table(rows: dict[int, str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sorted numbers, and the application code of each."""
    numbers = sorted(rows)
    apps = [APP_CODE[rows[number]] for number in numbers]
    return np.array(numbers, np.int64), np.array(apps, np.int64)


_TCP_NUMBERS, _TCP_APPS = _table(_TCP_PORTS)
_UDP_NUMBERS, _UDP_APPS = _table(_UDP_PORTS)
_IP_NUMBERS, _IP_APPS = _table(_IP_PROTOCOLS)


@njit(cache=True, nogil=True)
def _look_up(numbers: NDArray[Any], apps: NDArray[Any], number: int) -> int:
    at = np.searchsorted(numbers, number)
    return apps[at] if at < len(numbers) and numbers[at] == number else 0


@njit(cache=True, nogil=True)
def tcp_port_app(port: int) -> int:
    return _look_up(_TCP_NUMBERS, _TCP_APPS, port)


@njit(cache=True, nogil=True)
def udp_port_app(port: int) -> int:
    return _look_up(_UDP_NUMBERS, _UDP_APPS, port)


#: Where AnyDesk's programs look for each other on a LAN: 239.255.102.18, UDP 50001 to 50003.
_ANYDESK_GROUP = np.uint64(0xFFFF_EFFF_6612)
_ANYDESK = APP_CODE["anydesk"]


@njit(cache=True, nogil=True)
def group_app(low: np.uint64, port: int) -> tuple[int, int]:
    """What a datagram to a group that one program only uses is; `low` is the address's lower half.

    It is seen whether or not the way to the Internet is open.
    """
    is_anydesk = low == _ANYDESK_GROUP and 50001 <= port <= 50003
    return (_ANYDESK, NAMED) if is_anydesk else NOTHING


@njit(cache=True, nogil=True)
def ip_protocol_app(protocol: int) -> tuple[int, int]:
    app = _look_up(_IP_NUMBERS, _IP_APPS, protocol)
    return (app, SURE) if app else NOTHING
