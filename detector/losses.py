"""What the detector had no room for or did not believe, by cause (words: `collector.shedding`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from detector.assets import AssetLog
from detector.detection import Detector
from detector.edges import EdgeMemory


def losses(
    shed: Counter[str],
    assets: AssetLog,
    edges: EdgeMemory,
    detectors: Iterable[tuple[Detector, Any]],
) -> Counter[str]:
    """The engine's own counts, those of its parts, and each detector's of its memory."""
    told = Counter(shed)
    told["assets: beyond the list"] = assets.turned_away
    told["edges: forgotten, the memory was full"] = edges.forgotten
    told += Counter({f"identity: {c}": n for c, n in assets.identities.refused.items()})
    for detector, memory in detectors:
        told += Counter(detector.shed(memory))
    return +told
