"""Detectors of lateral movement: scans, admin connections, remote execution, credentials."""

from detector.detection import Detector
from detector.lateral.host_scan import HostScan

LATERAL_DETECTORS: tuple[Detector, ...] = (HostScan(),)
