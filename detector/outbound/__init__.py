"""Detectors of behaviour towards the outside."""

from detector.detection import Detector
from detector.outbound.beacon import Beacon

OUTBOUND_DETECTORS: tuple[Detector, ...] = (Beacon(),)
