"""Detectors of behaviour towards the outside."""

from detector.detection import Detector
from detector.outbound.beacon import Beacon
from detector.outbound.exfiltration import Exfiltration
from detector.outbound.fetched_program import FetchedProgram
from detector.outbound.odd_post import OddPost

OUTBOUND_DETECTORS: tuple[Detector, ...] = (Beacon(), FetchedProgram(), OddPost(), Exfiltration())
