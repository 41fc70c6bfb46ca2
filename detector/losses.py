"""What the detector failed at, had no room for or did not believe, by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from detector.assets import AssetLog
from detector.detection import Detector
from detector.edges import EdgeMemory
from detector.hosts import HostTable

#: Wordings of detectors' faults that are told one by one.
_MOST_FAULTS: Final = 200


def failure_of(detector: Detector, fault: Exception, known: Counter[str]) -> str:
    """How a detector's fault is counted; past two hundred wordings by its kind alone.

    A fault that quotes what was sent has as many wordings as its sender likes.
    """
    kind = f"{detector.id}: {type(fault).__name__}"
    told = f"{kind}: {str(fault)[:200]}"
    return told if told in known or len(known) < _MOST_FAULTS else kind


def losses(
    shed: Counter[str],
    hosts: HostTable,
    assets: AssetLog,
    edges: EdgeMemory,
    detectors: Iterable[tuple[Detector, Any]],
) -> Counter[str]:
    """The engine's own counts, those of its parts, and each detector's of its memory.

    `collector.shedding` has the words for each cause.
    """
    told = Counter(shed)
    told["assets: beyond the list"] = assets.turned_away
    told["hosts: no number left"] = hosts.turned_away
    told["edges: forgotten, the memory was full"] = edges.forgotten
    told += Counter({f"identity: {c}": n for c, n in assets.identities.refused.items()})
    for detector, memory in detectors:
        told += Counter(detector.shed(memory))
    return +told
