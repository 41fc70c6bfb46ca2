"""Tunnels, VPNs and remote tools are named; what is ordinary stays quiet."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import numpy as np
import pytest

from collector.apps import APP_CODE, APPS
from collector.identify.names import app_of_name, name_table
from collector.sightings import Dns, Http, Sighting, TlsCertificate, TlsClientHello
from detector.hospital import Asset, Hospital, RegisteredLine, Segment
from detector.lines.attempts import named_uses, tool_named
from detector.lines.reference import reference
from detector.lines.resolvers import Resolvers
from detector.lines.signatures import ToolSignatures
from detector.lines.tools import TOOLS
from tests.detector.lines_windows import START, findings, flow, window

PC, OUTSIDE = "192.168.10.5", "203.0.113.9"
CLOSED = Hospital(
    segments=(Segment(name="検査", prefixes=(ip_network("192.168.10.0/24"),), closed=True),)
)


@pytest.mark.parametrize("app", [a for a, t in TOOLS.items() if t.tool_class != "quiet"])
def test_names_every_tool_that_crosses_the_border(app: str) -> None:
    direction = (OUTSIDE, PC) if TOOLS[app].tool_class == "session" else (PC, OUTSIDE)
    found = findings(ToolSignatures(), [flow(*direction, app=app)])
    assert [f.app for f in found] == [app]
    assert found[0].score >= 50


def test_every_tool_is_a_known_application() -> None:
    assert set(TOOLS) <= set(APPS)


@pytest.mark.parametrize("app", ["tls", "quic", "stun", "http", "dns", "doh", "smb", "dicom"])
def test_stays_silent_about_ordinary_traffic(app: str) -> None:
    assert findings(ToolSignatures(), [flow(PC, OUTSIDE, app=app)]) == []


def test_names_a_vpn_between_private_addresses() -> None:
    found = findings(ToolSignatures(), [flow("10.9.0.1", "10.9.0.2", app="wireguard")])
    assert [(f.app, f.variant) for f in found] == [("wireguard", "vpn")]


@pytest.mark.parametrize("app", ["rdp", "vnc", "ssh", "telnet"])
def test_leaves_sessions_inside_to_lateral_movement(app: str) -> None:
    assert findings(ToolSignatures(), [flow("10.0.0.1", "10.0.0.2", app=app)]) == []


def test_ignores_an_unanswered_knock_from_outside() -> None:
    knock = flow(OUTSIDE, PC, 3389, app="rdp", reply_packets=0, reply_bytes=0)
    assert findings(ToolSignatures(), [knock]) == []


def test_ssh_outward_is_told_only_when_it_lasts() -> None:
    short = flow(PC, OUTSIDE, 22, app="ssh", lasts_s=60)
    long = flow(PC, OUTSIDE, 22, app="ssh", lasts_s=4000)
    assert findings(ToolSignatures(), [short]) == []
    assert [f.variant for f in findings(ToolSignatures(), [long])] == ["ssh_out"]


def test_one_ipsec_line_is_one_alert() -> None:
    flows = [flow(PC, OUTSIDE, 500, app=app) for app in ("ikev2", "nat_t", "esp")]
    assert {f.key for f in findings(ToolSignatures(), flows)} == {"ipsec"}


def test_a_closed_segment_weighs_more() -> None:
    flows = [flow(PC, OUTSIDE, app="anydesk")]
    assert (
        findings(ToolSignatures(), flows, hospital=CLOSED)[0].score
        > findings(ToolSignatures(), flows)[0].score
    )


def test_doh_is_policy_in_a_closed_segment_only() -> None:
    found = findings(ToolSignatures(), [flow(PC, OUTSIDE, app="doh")], hospital=CLOSED)
    assert [f.category for f in found] == ["policy"]


def test_a_proxy_inside_is_asked_about_once_and_not_when_listed() -> None:
    flows = [flow(f"10.0.0.{n}", "10.0.0.99", 8080, app="http_proxy") for n in (1, 2)]
    found = findings(ToolSignatures(), flows)
    assert {(f.source, f.key) for f in found} == {("10.0.0.99", "http_proxy")}
    listed = Hospital(assets=(Asset(ip="10.0.0.99", role="gateway"),))
    assert findings(ToolSignatures(), flows, hospital=listed) == []


def test_a_guess_by_port_needs_an_answer() -> None:
    guess = flow(PC, OUTSIDE, 1194, app="openvpn", app_confidence=40, reply_packets=0)
    assert findings(ToolSignatures(), [guess]) == []


@pytest.mark.parametrize(
    ("sighting", "app"),
    [
        (Dns(time_ns=START, ip=PC, peer_ip="10.0.0.53", transport="udp", is_response=False,
             name="router3.teamviewer.com", query_type="A"), "teamviewer"),
        (TlsClientHello(time_ns=START, ip=PC, peer_ip=OUTSIDE, sni="relay.net.anydesk.com"),
         "anydesk"),
        (TlsClientHello(time_ns=START, ip=PC, peer_ip=OUTSIDE, sni="", alpn=("anydesk/6.2.3",)),
         "anydesk"),
        (TlsCertificate(time_ns=START, ip=OUTSIDE, peer_ip=PC, subject="CN=AnyDesk Client",
                        issuer=""), "anydesk"),
        (Http(time_ns=START, ip=PC, peer_ip=OUTSIDE, method="GET", host="x", upgrade="websocket",
              protocols="chisel-v3"), "chisel"),
    ],
)  # fmt: skip
def test_names_tools_by_what_they_say(sighting: object, app: str) -> None:
    found = findings(ToolSignatures(), sightings=[sighting])  # type: ignore[list-item]
    assert app in {f.app for f in found}


def test_a_resolver_asks_for_others() -> None:
    asked = Dns(time_ns=START, ip=PC, peer_ip="10.0.0.53", transport="udp", is_response=False,
                name="x.teamviewer.com", query_type="A")  # fmt: skip
    forwarded = Dns(time_ns=START + 1, ip="10.0.0.53", peer_ip=OUTSIDE, transport="udp",
                    is_response=False, name="x.teamviewer.com", query_type="A")  # fmt: skip
    assert [f.source for f in findings(ToolSignatures(), sightings=[asked, forwarded])] == [PC]


def test_names_match_whole_labels_only() -> None:
    assert tool_named("notteamviewer.com") is None
    assert tool_named("teamviewer.com.evil.example") is None
    assert tool_named("A.TeamViewer.com.") is not None


def test_the_register_takes_over_where_there_is_one() -> None:
    line = RegisteredLine(id="L1", vendor="A社", line_type="拠点間VPN")
    hospital = Hospital(lines=(line,))
    assert findings(ToolSignatures(), [flow(PC, OUTSIDE, app="esp")], hospital=hospital) == []


@pytest.mark.parametrize(
    ("subject", "issuer", "app"),
    [
        ("www.g6ghvisevf3ibuu5.net", "www.xkgk7fdx362yyyxib.com", "tor"),
        ("FGT60E4Q16012050", "support", "fortinet_sslvpn"),
        ("ASA Temporary Self Signed Certificate", "", "anyconnect"),
        ("www.example.net", "R3", None),
        ("www.hospital.com", "www.hospital.com", None),
        ("FORTUNE", "FORTUNE", None),
    ],
)
def test_names_gateways_by_their_certificates(subject: str, issuer: str, app: str | None) -> None:
    shown = TlsCertificate(time_ns=START, ip=OUTSIDE, peer_ip=PC, subject=subject, issuer=issuer)
    assert [f.app for f in findings(ToolSignatures(), sightings=[shown])] == ([app] if app else [])


def test_the_administration_page_of_ones_own_firewall_is_no_line() -> None:
    shown = TlsCertificate(time_ns=START, ip="192.168.10.1", peer_ip=PC, subject="FGT60E4Q16012050",
                           issuer="support")  # fmt: skip
    assert findings(ToolSignatures(), sightings=[shown]) == []


@pytest.mark.parametrize(
    ("sni", "is_vpn"),
    [
        ("vpn.vendor.co.jp", True), ("sslvpn2.example.com", True), ("api.nordvpn.com", True),
        ("vpnreviews.example.com", False), ("www.vpn.example.com", False), ("vpn", False),
    ],
)  # fmt: skip
def test_names_vpn_services_and_gateways_by_their_names(sni: str, is_vpn: bool) -> None:
    hello = TlsClientHello(time_ns=START, ip=PC, peer_ip=OUTSIDE, sni=sni)
    found = findings(ToolSignatures(), sightings=[hello])
    assert [f.app for f in found] == (["vpn_service"] if is_vpn else [])


def test_a_line_between_equals_is_one_alert_seen_from_either_end() -> None:
    flows = [flow("10.9.0.1", "10.9.0.2", app="wireguard"),
             flow("10.9.0.2", "10.9.0.1", app="wireguard")]  # fmt: skip
    found = findings(ToolSignatures(), flows)
    assert {(f.source, f.targets) for f in found} == {("10.9.0.1", ("10.9.0.2",))}


def test_a_scan_of_an_open_service_weighs_less_than_a_session() -> None:
    scan = flow(OUTSIDE, PC, 3389, app="rdp", packets=3, bytes=170, reply_packets=2,
                reply_bytes=100)  # fmt: skip
    session = flow(OUTSIDE, PC, 3389, app="rdp", packets=300, bytes=30_000)
    assert [f.score for f in findings(ToolSignatures(), [scan])] == [55]
    assert [f.score for f in findings(ToolSignatures(), [session])] == [90]


def test_access_points_that_wrap_traffic_in_gre_are_quiet() -> None:
    assert findings(ToolSignatures(), [flow("10.0.0.5", "10.0.0.1", app="gre")]) == []
    assert len(findings(ToolSignatures(), [flow("10.0.0.5", OUTSIDE, app="gre")])) == 1


def test_every_listed_name_is_reached_by_dns_tls_http_and_certificate() -> None:
    listed = reference().remote_tools
    assert len(listed) >= 300
    table = name_table(reference().name_suffixes())
    for number, tool in enumerate(listed):
        host = f"relay{number}.{tool.suffix}"
        said: dict[str, Any] = {"time_ns": START, "ip": PC, "peer_ip": OUTSIDE}
        seen: list[Sighting] = [
            Dns(**said, transport="udp", is_response=False, name=host, query_type="A"),
            TlsClientHello(**said, sni=host),
            Http(**said, method="GET", host=host),
            TlsCertificate(
                time_ns=START, ip=OUTSIDE, peer_ip=PC, subject=f"CN={host}", issuer="CA"
            ),
        ]
        uses = list(named_uses(window((), seen, CLOSED), Resolvers()))
        assert {use.how for use in uses} == {"DNS", "TLS SNI", "HTTP", "certificate"}, host
        assert {use.tool.app for use in uses} == {tool.app}, host
        buffer = np.frombuffer(host.encode(), np.uint8)
        assert app_of_name(table, buffer, 0, len(buffer)) == APP_CODE[tool.app], host
