"""Detectors of damage: encryption over file sharing."""

from detector.detection import Detector
from detector.impact.file_encryption import FileEncryption

IMPACT_DETECTORS: tuple[Detector, ...] = (FileEncryption(),)
