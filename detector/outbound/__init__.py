"""Detectors of behaviour towards the outside."""

from detector.detection import Detector

OUTBOUND_DETECTORS: tuple[Detector, ...] = ()
