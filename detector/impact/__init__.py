"""Detectors of damage: encryption over file sharing and its wider signs."""

from detector.detection import Detector
from detector.impact.file_encryption import FileEncryption
from detector.impact.mass_effect import MassEffect

IMPACT_DETECTORS: tuple[Detector, ...] = (FileEncryption(), MassEffect())
