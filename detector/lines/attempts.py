"""Names of remote tools that a host asked for, whether or not the way out was open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from collector.sightings import Dns, Http, Sighting, TlsCertificate, TlsClientHello
from detector.detection import Window
from detector.lines.reference import tool_of
from detector.lines.resolvers import Resolvers

#: Applications that stand for many tools, told apart by name only.
COLLECTIVE: Final = frozenset({"remote_tool", "vpn_service"})

#: Kinds of sightings that name what a host wants to reach, for `Detector.reads`.
NAMING: Final = (Dns, Http, TlsCertificate, TlsClientHello)

_FORTIGATE_SERIAL: Final = re.compile(r"F(?:GT|WF|GR|WR|G|ORTIGATE)[0-9A-Z]{10,14}")
_TOR_SUBJECT: Final = re.compile(r"www\.[a-z2-7]{8,20}\.net")
_TOR_ISSUER: Final = re.compile(r"www\.[a-z2-7]{8,20}\.com")
_VPN_LABEL: Final = re.compile(r"(?:ssl-?|web|my)?vpn\d{0,3}\.[a-z0-9.-]+\.[a-z]{2,}$")


@dataclass(frozen=True)
class NamedTool:
    """A tool recognised by the name its traffic asks for; `app` is a token of `APPS`."""

    app: str
    label: str


@dataclass(frozen=True)
class NamedUse:
    """A host inside named a tool's domain in DNS, TLS, HTTP or was shown its certificate."""

    device: str
    device_mac: str
    vlan: int
    tool: NamedTool
    name: str
    how: str  # DNS, TLS SNI, TLS ALPN, certificate, HTTP
    peer: str
    time_ns: int


def named_uses(window: Window, resolvers: Resolvers) -> Iterator[NamedUse]:
    """Names of tools that hosts inside asked for in this window."""
    resolvers.learn(window.of(Dns))
    for use in window.once(_all_uses):
        if use.how != "DNS" or not resolvers.relays(use.device, use.name, use.time_ns):
            yield use


def _all_uses(window: Window) -> tuple[NamedUse, ...]:
    return tuple(_uses(window))


def _uses(window: Window) -> Iterator[NamedUse]:
    """The same, with what resolvers ask for others."""
    for query in window.of(Dns):
        if not query.is_response and tool_of(query.name) is not None:
            yield from _use(query, query.name, "DNS", window)
    for hello in window.of(TlsClientHello):
        yield from _use(hello, hello.sni, "TLS SNI", window)
        if any(a.startswith("anydesk/") for a in hello.alpn):
            yield from _known(hello, NamedTool("anydesk", "AnyDesk"), hello.sni, "TLS ALPN", window)
        if "argotunnel" in hello.alpn:
            tool = NamedTool("cloudflared", "Cloudflare Tunnel")
            yield from _known(hello, tool, hello.sni, "TLS ALPN", window)
    for shown in window.of(TlsCertificate):
        yield from _certificate(shown, window)
    for request in window.of(Http):
        if request.protocols.startswith("chisel-v"):
            yield from _known(request, NamedTool("chisel", "chisel"), request.host, "HTTP", window)
        yield from _use(request, request.host.split(":")[0], "HTTP", window)


def tool_named(name: str) -> NamedTool | None:
    """The tool that a domain name belongs to; None for all other names."""
    found = tool_of(name)
    return NamedTool(found.app, found.name) if found else None


def is_told_by_name(app: str, name: str) -> bool:
    """True for flows whose tool the name tells better than the application's collective token."""
    return app in COLLECTIVE and bool(name) and tool_named(name) is not None


def _use(said: Sighting, name: str, how: str, window: Window) -> Iterator[NamedUse]:
    tool = tool_named(name) if name else None
    if tool is None and how == "TLS SNI" and not window.hospital.is_inside(said.peer_ip):
        tool = _vpn_gateway(name)
    if tool is not None:
        yield from _known(said, tool, name, how, window)


def _known(
    said: Sighting, tool: NamedTool, name: str, how: str, window: Window
) -> Iterator[NamedUse]:
    if window.hospital.is_inside(said.ip):
        yield NamedUse(said.ip, said.mac, said.vlan, tool, name, how, said.peer_ip, said.time_ns)


def _certificate(shown: TlsCertificate, window: Window) -> Iterator[NamedUse]:
    """A certificate names the server; the device is the one it was shown to."""
    if not window.hospital.is_inside(shown.peer_ip):
        return
    common_name = _common_name(shown.subject)
    names = [common_name, *shown.names]
    tool = next((t for t in map(tool_named, filter(None, names)) if t is not None), None)
    tool = tool or marked_certificate(common_name, shown.issuer)
    if tool is not None and tool.app == "fortinet_sslvpn" and window.hospital.is_inside(shown.ip):
        return  # the administration page of the hospital's own firewall
    if tool is not None:
        yield NamedUse(
            shown.peer_ip, shown.peer_mac, shown.vlan, tool, common_name, "certificate",
            shown.ip, shown.time_ns,
        )  # fmt: skip


def marked_certificate(subject: str, issuer: str) -> NamedTool | None:
    """Tools and VPN gateways that a certificate's common names give away."""
    if subject == "AnyDesk Client":
        return NamedTool("anydesk", "AnyDesk")
    if _FORTIGATE_SERIAL.fullmatch(subject):
        return NamedTool("fortinet_sslvpn", "FortiGate SSL-VPN")
    if _common_name(issuer).startswith("MeshCentralRoot-"):
        return NamedTool("remote_tool", "MeshCentral")
    if subject.startswith("ASA Temporary Self Signed"):
        return NamedTool("anyconnect", "Cisco AnyConnect")
    # Tor relays make up both names anew: www.<base32>.net signed by www.<base32>.com.
    if _TOR_SUBJECT.fullmatch(subject) and _TOR_ISSUER.fullmatch(_common_name(issuer)):
        return NamedTool("tor", "Tor")
    return None


def _vpn_gateway(name: str) -> NamedTool | None:
    """A gateway that calls itself a VPN: vpn.example.jp, sslvpn2.example.jp."""
    if _VPN_LABEL.match(name.lower()):
        return NamedTool("vpn_service", f"TLS VPN ({name.lower()})")
    return None


def _common_name(subject: str) -> str:
    """The CN of a distinguished name; a bare name is one already."""
    if "=" not in subject:
        return subject
    for part in subject.replace("/", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key.strip().upper() == "CN":
            return value.strip()
    return ""
