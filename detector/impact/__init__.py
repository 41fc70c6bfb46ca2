"""Detectors of damage: encryption over file sharing and its wider signs, and what goes before."""

from detector.detection import Detector
from detector.impact.dropped_notes import DroppedNotes
from detector.impact.file_encryption import FileEncryption
from detector.impact.mass_effect import MassEffect
from detector.impact.sealed_rewriting import SealedRewriting
from detector.impact.silence import Silence

IMPACT_DETECTORS: tuple[Detector, ...] = (
    FileEncryption(),
    SealedRewriting(),
    DroppedNotes(),
    MassEffect(),
    Silence(),
)
