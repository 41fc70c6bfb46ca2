"""`mimawari flows`: captures to connections, on the fast lane alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from collector.capture import CaptureError, open_capture
from collector.capture.finding import find_captures
from collector.data import read_reference
from collector.fastlane.lane import FastLane
from collector.fastlane.settings import FastLaneSettings
from collector.flow_output import FlowWriter
from collector.identify.names import name_table
from collector.packet import Pick

if TYPE_CHECKING:
    from collector.exports.lane import ExportLane

#: Of the packets for other lanes only flow exports are wanted here.
_AS_ZEEK: Final = FastLaneSettings(
    sighting_picks_per_s=1, deep_picks_per_s=1, count_offloaded=False
)


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
    lane = FastLane(_AS_ZEEK, names=names)
    exports: ExportLane | None = None
    listing = FlowListing()
    for path in find_captures(paths):
        try:
            with open_capture(path) as capture:
                for chunk in capture:
                    out = lane.feed(chunk)
                    flows = out.flows
                    if exports is None and (out.picks["kind"] == Pick.EXPORT).any():
                        exports = _export_lane()
                    if exports is not None:
                        flows = exports.with_exported(
                            chunk.buffer, out.picks, flows, out.watermark_ns
                        )
                    writer.write(flows)
                listing.notes += capture.notes
        except CaptureError as fault:
            listing.faults.append(fault)
    flows = lane.finish().flows
    writer.write(flows if exports is None else exports.finish(flows))
    counters = lane.counters
    listing.packets, listing.flows = counters.packets, counters.flows
    listing.malformed = counters.malformed
    if exports is not None and exports.note:
        listing.notes.append(exports.note)
    return listing


def _export_lane() -> ExportLane:
    """Imported on first need, because most captures hold no flow export."""
    from collector.exports.decoder import ExportSettings
    from collector.exports.lane import ExportLane

    return ExportLane(ExportSettings())
