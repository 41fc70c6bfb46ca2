"""Domain names that belong to remote-maintenance tools, tunnels and VPN services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class NamedTool:
    """A tool recognised by the name its traffic asks for; `app` is a token of `APPS`."""

    app: str
    label: str


_BY_SUFFIX: Final[dict[str, tuple[str, str]]] = {
    "teamviewer.com": ("teamviewer", "TeamViewer"),
    "net.anydesk.com": ("anydesk", "AnyDesk"),
    "anydesk.com": ("anydesk", "AnyDesk"),
    "rustdesk.com": ("rustdesk", "RustDesk"),
    "splashtop.com": ("splashtop", "Splashtop"),
    "remotedesktop-pa.googleapis.com": ("chrome_remote_desktop", "Chrome Remote Desktop"),
    "remotedesktop.google.com": ("chrome_remote_desktop", "Chrome Remote Desktop"),
    "logmein.com": ("logmein", "LogMeIn"),
    "logmein-gateway.com": ("logmein", "LogMeIn"),
    "screenconnect.com": ("screenconnect", "ScreenConnect"),
    "islonline.net": ("isl_online", "ISL Online"),
    "rview.com": ("remoteview", "RemoteView (RSUPPORT)"),
    "beyondtrustcloud.com": ("beyondtrust", "BeyondTrust"),
    "bomgarcloud.com": ("beyondtrust", "BeyondTrust"),
    "telework.cyber.ipa.go.jp": ("remote_tool", "シン・テレワークシステム"),
    "ngrok-agent.com": ("ngrok", "ngrok"),
    "ngrok.com": ("ngrok", "ngrok"),
    "argotunnel.com": ("cloudflared", "Cloudflare Tunnel"),
    "cftunnel.com": ("cloudflared", "Cloudflare Tunnel"),
    "tailscale.com": ("tailscale", "Tailscale"),
    "zerotier.com": ("zerotier", "ZeroTier"),
    "servers.nat-traversal.softether-network.net": ("softether", "SoftEther VPN"),
    "vpnazure.net": ("softether", "VPN Azure (SoftEther)"),
    "torproject.org": ("tor", "Tor"),
}


def tool_named(name: str) -> NamedTool | None:
    """The tool that a domain name belongs to; None for all other names."""
    labels = name.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        found = _BY_SUFFIX.get(".".join(labels[start:]))
        if found is not None:
            return NamedTool(*found)
    return None
