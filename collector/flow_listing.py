"""`mimawari flows`: captures to connections, on the fast lane alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.capture import CaptureError, open_capture
from collector.data import read_reference
from collector.exports.decoder import ExportSettings
from collector.exports.lane import ExportLane
from collector.fastlane.lane import FastLane
from collector.fastlane.settings import FastLaneSettings
from collector.flow_output import FlowWriter
from collector.identify.names import name_table
from collector.replay import find_captures


@dataclass
class FlowListing:
    """What became of a listing."""

    faults: list[CaptureError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    packets: int = 0
    flows: int = 0
    malformed: dict[str, int] = field(default_factory=dict)


def list_flows(paths: Sequence[Path], writer: FlowWriter) -> FlowListing:
    """Write every flow when it is complete; connections are never cut by an active timeout."""
    names = name_table(read_reference().name_suffixes())
    lane = FastLane(FastLaneSettings(), names=names)
    exports = ExportLane(ExportSettings())
    listing = FlowListing()
    for path in find_captures(paths):
        try:
            with open_capture(path) as capture:
                for chunk in capture:
                    out = lane.feed(chunk)
                    writer.write(
                        exports.with_exported(chunk, out.picks, out.flows, out.watermark_ns)
                    )
                listing.notes += capture.notes
        except CaptureError as fault:
            listing.faults.append(fault)
    writer.write(exports.finish(lane.finish().flows))
    counters = lane.counters
    listing.packets, listing.flows = counters.packets, counters.flows
    listing.malformed = counters.malformed
    if exports.note:
        listing.notes.append(exports.note)
    return listing
