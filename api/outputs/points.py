"""Line protocol for a time-series database: traffic by minute, segment and service; health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from influxdb_client import Point, WritePrecision

from collector.apps import APPS
from collector.flows import FlowBatch, address_text
from collector.observations import CollectorHealth
from detector.hospital import Hospital

MINUTE_NS: Final = 60_000_000_000
OUTSIDE: Final = "-"  # the originator is in no known segment
TrafficKey = tuple[int, str, str, str]  # minute, segment, service, sensor


class Traffic:
    """Sums of the minutes that are not yet over."""

    def __init__(self, hospital: Hospital) -> None:
        self._hospital = hospital
        self._segments: dict[tuple[int, int, int], str] = {}
        self._sums: dict[TrafficKey, list[int]] = {}

    def add(self, flows: FlowBatch) -> None:
        """Add flows to the minute in which they were reported."""
        if not len(flows):
            return
        segment = self._segments_of(flows)
        names, segment_index = np.unique(segment, return_inverse=True)
        keys = np.stack(
            [flows.reported_ns // MINUTE_NS, segment_index, flows.app, flows.sensor], axis=1
        ).astype(np.int64)
        distinct, index = np.unique(keys, axis=0, return_inverse=True)
        index = index.reshape(-1)
        columns = (
            np.ones(len(flows), np.uint64),
            flows.packets + flows.reply_packets,
            flows.bytes,
            flows.reply_bytes,
        )
        # float64 counts exactly up to 2^53, far above a batch's bytes.
        sums = [np.bincount(index, column, len(distinct)) for column in columns]
        for row, (minute, name, app, sensor) in enumerate(distinct.tolist()):
            key = minute, str(names[name]), APPS[app], flows.sensors[sensor]
            total = self._sums.setdefault(key, [0, 0, 0, 0])
            for column, values in enumerate(sums):
                total[column] += int(values[row])

    def take_until(self, watermark_ns: int) -> list[str]:
        """Lines of the minutes that are over at `watermark_ns`."""
        over = sorted(key for key in self._sums if (key[0] + 1) * MINUTE_NS <= watermark_ns)
        return [_traffic_line(key, self._sums.pop(key)) for key in over]

    def _segments_of(self, flows: FlowBatch) -> np.ndarray:
        ends = np.column_stack([flows.source, flows.vlan.astype(np.uint64)])
        distinct, index = np.unique(ends, axis=0, return_inverse=True)
        if len(self._segments) > 1 << 16:  # a scan from made-up addresses must not fill memory
            self._segments.clear()
        names = [self._segment(high, low, vlan) for high, low, vlan in distinct.tolist()]
        return np.array(names)[index.reshape(-1)]

    def _segment(self, high: int, low: int, vlan: int) -> str:
        key = high, low, vlan
        if key not in self._segments:
            segment = self._hospital.segment_of(address_text(high, low), vlan)
            self._segments[key] = segment.name if segment else OUTSIDE
        return self._segments[key]


def _traffic_line(key: TrafficKey, sums: list[int]) -> str:
    minute, segment, service, sensor = key
    point = Point("traffic").tag("segment", segment).tag("service", service).tag("sensor", sensor)
    for name, value in zip(("flows", "packets", "bytes", "reply_bytes"), sums, strict=True):
        point.field(name, value)
    return _line(point, minute * MINUTE_NS)


def alert_lines(counts: Mapping[tuple[str, str], int], at_ns: int) -> list[str]:
    """How many alerts there are, by (category, severity)."""
    return [
        _line(
            Point("alerts").tag("category", category).tag("severity", severity).field("count", n),
            at_ns,
        )
        for (category, severity), n in sorted(counts.items())
    ]


def health_lines(health: CollectorHealth, at_ns: int) -> list[str]:
    """The collector's counts since its start; what was shed and malformed by cause."""
    point = Point("sensor_health")
    for name in ("packets", "bytes", "flows", "sightings", "live_flows"):
        point.field(name, int(getattr(health, name)))
    point.field("blind_lanes", len(health.blind))
    lines = [_line(point, at_ns)]
    for measurement, counts in (("shed", health.shed), ("malformed", health.malformed)):
        lines += [
            _line(Point(measurement).tag("cause", cause).field("count", int(n)), at_ns)
            for cause, n in sorted(counts.items())
        ]
    return lines


def _line(point: Point, at_ns: int) -> str:
    return str(point.time(at_ns, WritePrecision.NS).to_line_protocol())
