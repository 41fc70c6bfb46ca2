"""Outside lines: tunnels, remote tools, rogue routers, leaks of a second network card."""

from __future__ import annotations

from detector.detection import Detector
from detector.lines.arp_spoofing import ArpSpoofing
from detector.lines.asset_ledger import AssetLedger
from detector.lines.dns_tunnel import DnsTunnel
from detector.lines.hidden_line import HiddenLine
from detector.lines.icmp_tunnel import IcmpTunnel
from detector.lines.lease_flood import LeaseFlood
from detector.lines.line_register import LineRegister
from detector.lines.name_poisoning import NamePoisoning
from detector.lines.new_destination import NewDestination
from detector.lines.signatures import ToolSignatures
from detector.lines.ssh_way_back import SshWayBack
from detector.lines.unnamed_tunnel import UnnamedTunnel

LINE_DETECTORS: tuple[Detector, ...] = (
    HiddenLine(),
    ToolSignatures(),
    LineRegister(),
    NewDestination(),
    DnsTunnel(),
    IcmpTunnel(),
    ArpSpoofing(),
    NamePoisoning(),
    LeaseFlood(),
    AssetLedger(),
    UnnamedTunnel(),
    SshWayBack(),
)
