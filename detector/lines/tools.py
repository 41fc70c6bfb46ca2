"""What each tunnel, VPN and remote-control application is, as the detectors of lines judge it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from collector.apps import APP_CODE, APPS
from detector.detection import Category

#: vpn joins networks · remote shows or drives a screen · tunnel carries anything inside something
#: else · proxy fetches for others · anonymiser hides the peer · session is an administrator's own
#: protocol, a matter of lines only where it crosses the border · quiet is common and proves little
#: · plain is anything else, looked at only where a registered line says so.
ToolClass = Literal["vpn", "remote", "tunnel", "proxy", "anonymiser", "session", "quiet", "plain"]

CATEGORY: Final[dict[ToolClass, Category]] = {
    "vpn": "external_line",
    "remote": "remote_access",
    "tunnel": "external_line",
    "proxy": "external_line",
    "anonymiser": "policy",
    "session": "remote_access",
    "quiet": "policy",
    "plain": "policy",
}


@dataclass(frozen=True)
class Tool:
    """One application: its name for people, its class, techniques, and score on an open segment.

    `line` is the same for applications that together make one line (IKE, ESP and NAT-T).
    """

    label: str
    tool_class: ToolClass
    techniques: tuple[str, ...]
    score: float
    line: str = ""


def _vpn(label: str, score: float = 65, line: str = "") -> Tool:
    return Tool(label, "vpn", ("T1133", "T1572"), score, line)


def _remote(label: str, score: float = 65) -> Tool:
    return Tool(label, "remote", ("T1219",), score)


def _tunnel(label: str, score: float = 75) -> Tool:
    return Tool(label, "tunnel", ("T1572", "T1090"), score)


TOOLS: Final[dict[str, Tool]] = {
    "vpn_service": _vpn("VPN service", 65),
    "ikev1": _vpn("IPsec (IKEv1)", line="ipsec"),
    "ikev1_aggressive": _vpn("IPsec (IKEv1 aggressive)", line="ipsec"),
    "ikev2": _vpn("IPsec (IKEv2)", line="ipsec"),
    "esp": _vpn("IPsec (ESP)", line="ipsec"),
    "nat_t": _vpn("IPsec (NAT-T)", line="ipsec"),
    "l2tp": _vpn("L2TP", line="ipsec"),
    "pptp": _vpn("PPTP", 70, line="pptp"),
    "gre": _vpn("GRE", 50, line="pptp"),
    "openvpn": _vpn("OpenVPN"),
    "wireguard": _vpn("WireGuard"),
    "tailscale": _vpn("Tailscale", 70),
    "tinc": _vpn("tinc", 70),
    "zerotier": _vpn("ZeroTier", 70),
    "nebula": _vpn("Nebula", 70),
    "hamachi": _vpn("LogMeIn Hamachi", 70),
    "sstp": _vpn("SSTP"),
    "softether": _vpn("SoftEther / PacketiX VPN", 70),
    "fortinet_sslvpn": _vpn("FortiGate SSL-VPN"),
    "anyconnect": _vpn("Cisco AnyConnect"),
    "globalprotect": _vpn("GlobalProtect"),
    "pulse": _vpn("Ivanti / Pulse Secure"),
    "ngrok": _tunnel("ngrok"),
    "cloudflared": _tunnel("Cloudflare Tunnel"),
    "frp": _tunnel("frp"),
    "chisel": _tunnel("chisel"),
    "wstunnel": _tunnel("wstunnel"),
    "socks": Tool("SOCKS", "proxy", ("T1090",), 65),
    "http_proxy": Tool("HTTP proxy (CONNECT)", "quiet", ("T1090",), 30),
    "tor": Tool("Tor", "anonymiser", ("T1090.003",), 60),
    "doh": Tool("DNS over HTTPS", "quiet", ("T1572",), 25),
    "teamviewer": _remote("TeamViewer"),
    "anydesk": _remote("AnyDesk"),
    "rustdesk": _remote("RustDesk"),
    "splashtop": _remote("Splashtop"),
    "chrome_remote_desktop": _remote("Chrome Remote Desktop"),
    "logmein": _remote("LogMeIn"),
    "screenconnect": _remote("ScreenConnect"),
    "isl_online": _remote("ISL Online"),
    "remoteview": _remote("RemoteView (RSUPPORT)"),
    "beyondtrust": _remote("BeyondTrust / Bomgar"),
    "radmin": _remote("Radmin", 60),
    "nomachine": _remote("NoMachine", 60),
    "remote_tool": _remote("remote-maintenance tool", 60),
    "vnc": Tool("VNC", "session", ("T1021.005", "T1133"), 90),
    "ica": Tool("Citrix ICA", "session", ("T1021", "T1133"), 70),
    "rdp": Tool("RDP", "session", ("T1021.001", "T1133"), 90),
    "ssh": Tool("SSH", "session", ("T1021.004", "T1133"), 65),
    "telnet": Tool("Telnet", "session", ("T1021", "T1133"), 70),
}

#: Whatever has no line in the table, e.g. the web pages of a registered cloud service.
PLAIN: Final = Tool("通信 / traffic", "plain", ("T1133",), 0)

#: By application code: true where the flow is worth a look.
IS_TOOL: Final[NDArray[np.bool_]] = np.array([name in TOOLS for name in APPS])
IS_SESSION: Final[NDArray[np.bool_]] = np.array(
    [name in TOOLS and TOOLS[name].tool_class == "session" for name in APPS]
)
SSH: Final = APP_CODE["ssh"]
