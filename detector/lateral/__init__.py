"""Detectors of lateral movement: scans, admin connections, remote execution, credentials."""

from detector.detection import Detector
from detector.lateral.admin_edge import AdminEdge
from detector.lateral.arp_sweep import ArpSweep
from detector.lateral.attack_library import AttackLibrary
from detector.lateral.call_back import CallBack
from detector.lateral.clinical import ClinicalAbuse
from detector.lateral.directory_change import DirectoryChange
from detector.lateral.directory_search import DirectorySearch
from detector.lateral.exploit_bytes import ExploitBytes
from detector.lateral.guessing import PasswordGuessing
from detector.lateral.host_scan import HostScan
from detector.lateral.landing_pivot import LandingPivot
from detector.lateral.onward import Onward
from detector.lateral.outside_scan import OutsideScan
from detector.lateral.paths import Paths
from detector.lateral.port_scan import PortScan
from detector.lateral.relayed_logon import RelayedLogon
from detector.lateral.remote_calls import RemoteCalls
from detector.lateral.remote_shell import RemoteShell
from detector.lateral.sealed_sync import SealedSync
from detector.lateral.shared_account import SharedLocalAccount
from detector.lateral.shares import AdminShares
from detector.lateral.slow_drift import SlowDrift
from detector.lateral.smb_exploit import SmbExploit
from detector.lateral.spread import Spread
from detector.lateral.tickets import TicketAbuse
from detector.lateral.unusual_day import UnusualDay
from detector.lateral.web_attack import WebAttack

LATERAL_DETECTORS: tuple[Detector, ...] = (
    LandingPivot(),
    Onward(),
    HostScan(),
    PortScan(),
    ArpSweep(),
    OutsideScan(),
    Spread(),
    SlowDrift(),
    AdminEdge(),
    Paths(),
    RemoteCalls(),
    RemoteShell(),
    SealedSync(),
    AdminShares(),
    AttackLibrary(),
    RelayedLogon(),
    SmbExploit(),
    ExploitBytes(),
    PasswordGuessing(),
    TicketAbuse(),
    SharedLocalAccount(),
    DirectorySearch(),
    DirectoryChange(),
    WebAttack(),
    CallBack(),
    ClinicalAbuse(),
    UnusualDay(),
)
