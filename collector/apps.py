"""Names of the applications that a flow can carry; a flow stores the index into `APPS`."""

from typing import Final

APPS: Final[tuple[str, ...]] = (
    "unknown",
    # tunnels and VPNs
    "ikev1", "ikev2", "esp", "nat_t", "openvpn", "wireguard", "tailscale", "zerotier", "hamachi",
    "l2tp", "pptp", "gre", "sstp", "softether", "fortinet_sslvpn", "anyconnect", "globalprotect",
    "pulse", "ngrok", "cloudflared", "frp", "chisel", "icmp_tunnel", "doh", "socks", "tor",
    "http_proxy",
    # remote control
    "teamviewer", "anydesk", "rustdesk", "splashtop", "chrome_remote_desktop", "logmein",
    "screenconnect", "isl_online", "remoteview", "beyondtrust", "radmin", "vnc", "rdp", "ssh",
    "telnet",
    # files, directory and administration
    "ftp", "smb", "netbios", "dcerpc", "kerberos", "ldap", "winrm",
    # databases
    "mssql", "oracle", "postgres", "mysql", "intersystems",
    # the hospital's own
    "dicom", "hl7", "printer", "bacnet", "modbus",
    # the network's own
    "http", "tls", "quic", "dns", "mdns", "llmnr", "nbns", "ssdp", "dhcp", "dhcpv6", "ntp",
    "snmp", "syslog", "radius", "sip", "stun", "rtp", "smtp", "imap", "pop3", "mqtt", "icmp",
    "netflow", "sflow", "tftp", "dtls", "upnp", "bgp", "ospf", "igmp", "vrrp",
    # remote-maintenance tools known only by name (see collector/data/remote_tools.tsv)
    "remote_tool",
    # IP in IP and other carriers, met beside those above
    "ah", "teredo", "ip_in_ip", "nat_pmp", "sctp",
    # commercial VPN services, and gateways that call themselves a VPN: known only by name
    "vpn_service",
    # its exchange shows who logs on, and a hash of the shared secret to guess against
    "ikev1_aggressive",
    # a mesh VPN with a greeting of its own, and two ways to a desk
    "tinc", "ica", "nomachine",
    # a mesh VPN of the like, and a tunnel in WebSockets
    "nebula", "wstunnel",
    # analysers to their laboratory's system, cameras to their recorder
    "astm", "rtsp",
)  # fmt: skip

APP_CODE: Final[dict[str, int]] = {name: code for code, name in enumerate(APPS)}

#: As their makers and the standards write them; the others are abbreviations.
_NAMES: Final[dict[str, str]] = {
    "unknown": "unknown",
    "ikev1": "IKEv1", "ikev2": "IKEv2", "ikev1_aggressive": "IKEv1 aggressive mode",
    "nat_t": "IPsec NAT-T", "openvpn": "OpenVPN", "wireguard": "WireGuard",
    "tailscale": "Tailscale", "zerotier": "ZeroTier", "hamachi": "Hamachi",
    "softether": "SoftEther", "fortinet_sslvpn": "FortiGate SSL-VPN", "anyconnect": "AnyConnect",
    "globalprotect": "GlobalProtect", "pulse": "Pulse Secure", "ngrok": "ngrok",
    "cloudflared": "cloudflared", "frp": "frp", "chisel": "chisel", "tinc": "tinc",
    "nebula": "Nebula", "wstunnel": "wstunnel", "icmp_tunnel": "ICMP tunnel",
    "doh": "DNS over HTTPS", "tor": "Tor", "http_proxy": "HTTP proxy",
    "vpn_service": "VPN service", "remote_tool": "remote-control tool",
    "teamviewer": "TeamViewer", "anydesk": "AnyDesk", "rustdesk": "RustDesk",
    "splashtop": "Splashtop", "chrome_remote_desktop": "Chrome Remote Desktop",
    "logmein": "LogMeIn", "screenconnect": "ScreenConnect", "isl_online": "ISL Online",
    "remoteview": "RemoteView", "beyondtrust": "BeyondTrust", "radmin": "Radmin",
    "telnet": "Telnet", "ica": "Citrix ICA", "nomachine": "NoMachine", "netbios": "NetBIOS",
    "dcerpc": "DCE/RPC", "kerberos": "Kerberos", "winrm": "WinRM", "mssql": "SQL Server",
    "oracle": "Oracle", "postgres": "PostgreSQL", "mysql": "MySQL",
    "intersystems": "InterSystems", "bacnet": "BACnet", "modbus": "Modbus", "mdns": "mDNS",
    "dhcpv6": "DHCPv6", "netflow": "NetFlow", "sflow": "sFlow", "teredo": "Teredo",
    "ip_in_ip": "IP in IP", "nat_pmp": "NAT-PMP", "printer": "printing", "syslog": "syslog",
}  # fmt: skip


def app_name(app: str) -> str:
    """An application of `APPS` as an engineer writes it."""
    return _NAMES.get(app, app.upper())
