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
)  # fmt: skip

APP_CODE: Final[dict[str, int]] = {name: code for code, name in enumerate(APPS)}
