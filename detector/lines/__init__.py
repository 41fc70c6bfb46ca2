"""Outside lines: tunnels, remote tools, rogue routers, leaks of a second network card."""

from __future__ import annotations

from detector.detection import Detector
from detector.lines.signatures import ToolSignatures

LINE_DETECTORS: tuple[Detector, ...] = (ToolSignatures(),)
