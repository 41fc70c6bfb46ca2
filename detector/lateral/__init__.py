"""Detectors of lateral movement: scans, admin connections, remote execution, credentials."""

from detector.detection import Detector
from detector.lateral.host_scan import HostScan
from detector.lateral.remote_calls import RemoteCalls
from detector.lateral.shares import AdminShares
from detector.lateral.smb_exploit import SmbExploit

LATERAL_DETECTORS: tuple[Detector, ...] = (HostScan(), RemoteCalls(), AdminShares(), SmbExploit())
