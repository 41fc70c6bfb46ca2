"""All detectors, in the order in which they are asked."""

from detector.detection import Detector
from detector.ids_alert import IdsAlerts
from detector.impact import IMPACT_DETECTORS
from detector.lateral import LATERAL_DETECTORS
from detector.lines import LINE_DETECTORS
from detector.outbound import OUTBOUND_DETECTORS
from detector.source_trouble import SourceTrouble

DETECTORS: tuple[Detector, ...] = (
    *LATERAL_DETECTORS,
    *LINE_DETECTORS,
    *OUTBOUND_DETECTORS,
    *IMPACT_DETECTORS,
    IdsAlerts(),
    SourceTrouble(),
)
