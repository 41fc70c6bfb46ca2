"""Detectors of lateral movement: scans, admin connections, remote execution, credentials."""

from detector.detection import Detector
from detector.lateral.arp_sweep import ArpSweep
from detector.lateral.host_scan import HostScan
from detector.lateral.outside_scan import OutsideScan
from detector.lateral.port_scan import PortScan
from detector.lateral.remote_calls import RemoteCalls
from detector.lateral.shares import AdminShares
from detector.lateral.smb_exploit import SmbExploit

LATERAL_DETECTORS: tuple[Detector, ...] = (
    HostScan(),
    PortScan(),
    ArpSweep(),
    OutsideScan(),
    RemoteCalls(),
    AdminShares(),
    SmbExploit(),
)
