"""Flow exports on the wire: picked datagrams in, stitched flows out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.exports.batch import Datagrams
from collector.exports.decoder import ExportDecoder, ExportSettings
from collector.exports.stitcher import Stitcher
from collector.flows import FlowBatch
from collector.packet import Pick
from collector.rows import take_rows


class ExportLane:
    """Decodes the EXPORT picks of chunks and joins the two directions of what they report."""

    def __init__(self, settings: ExportSettings, sensor: str = "local") -> None:
        self._decoder = ExportDecoder(settings)
        self._stitcher = Stitcher()
        self._sensors = (sensor,)

    def with_exported(
        self, buffer: NDArray[np.uint8], picks: NDArray[Any], flows: FlowBatch, watermark_ns: int
    ) -> FlowBatch:
        """`flows` and those that the picked export datagrams complete, by `reported_ns`."""
        mine = take_rows(picks, picks["kind"] == Pick.EXPORT)
        exported = FlowBatch.empty()
        if len(mine):
            datagrams = Datagrams(
                buffer=buffer,
                offset=mine["payload_offset"],
                length=mine["payload_length"].astype(np.int64),
                time_ns=mine["time_ns"],
                exporter=mine["source"],
                port=mine["source_port"],
            )
            exported = self._decoder.decode(datagrams, self._sensors)
        if len(exported) or self._stitcher.waiting:
            exported = self._stitcher.feed(exported, watermark_ns)
        if not len(exported):
            return flows
        joined = FlowBatch.join([flows, exported])
        return joined.take(np.argsort(joined.reported_ns, kind="stable"))

    def finish(self, flows: FlowBatch) -> FlowBatch:
        """The last flows, with all that still waited for its other direction."""
        left = self._stitcher.finish(self._sensors)
        if not len(left):
            return flows
        joined = FlowBatch.join([flows, left])
        return joined.take(np.argsort(joined.reported_ns, kind="stable"))

    @property
    def shed(self) -> Counter[str]:
        """What was dropped or let go early to stay in bounds, by cause."""
        shed = Counter(self._decoder.shed)
        shed["exports_not_stitched"] += self._stitcher.released_early
        return shed

    @property
    def malformed(self) -> Counter[str]:
        return Counter(self._decoder.malformed)

    @property
    def note(self) -> str:
        """What a person should know at the end; "" if nothing."""
        waiting = self._decoder.waiting_bytes
        return (
            f"{waiting} bytes of flow export could not be read: their template was not in the input"
            if waiting
            else ""
        )
