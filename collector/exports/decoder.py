"""The decoder: datagrams in, flows out; templates are learnt on the way."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from collector.capture.windows import Pool
from collector.exports.exporters import ExporterCounts, Exporters
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE, FlowBatch, address_text
from collector.rows import join_rows

if TYPE_CHECKING:
    from collector.exports.batch import Datagrams

#: Datagrams that are looked at together.
_TOGETHER: Final = 2048


class ExportSettings(BaseModel):
    """How flow exports are decoded, and how much is remembered of exporters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    most_exporters: int = Field(1024, ge=1, description="Exporters (and domains) remembered")
    most_templates: int = Field(512, ge=1, description="Templates remembered of one domain")
    most_waiting_bytes: int = Field(
        4 << 20, ge=0, description="Bytes of data kept until their template comes"
    )
    scale_sampled: bool = Field(
        True, description="Multiply packets and bytes of sampled flows by the sampling rate"
    )


class ExportDecoder:
    """Decodes NetFlow v5, v9, IPFIX and sFlow v5; how datagrams are batched changes nothing."""

    def __init__(self, settings: ExportSettings | None = None) -> None:
        self._settings = settings or ExportSettings()
        self._exporters = Exporters(
            self._settings.most_exporters,
            self._settings.most_templates,
            self._settings.most_waiting_bytes,
        )
        # New memory costs a page fault every 28 rows, a fifth of the time of filling them.
        self._outs = Pool(OUTPUT_DTYPE)

    @property
    def shed(self) -> dict[str, int]:
        """What was dropped to stay in bounds, by cause."""
        return dict(self._exporters.shed)

    @property
    def malformed(self) -> Counter[str]:
        """What could not be read, by kind, over all exporters."""
        total: Counter[str] = Counter()
        for counts in self._exporters.counts.values():
            total.update({f"export: {kind}": n for kind, n in counts.malformed.items()})
        return total

    @property
    def exporters(self) -> dict[str, ExporterCounts]:
        """Counts by the exporter's address."""
        return {address_text(*key): counts for key, counts in self._exporters.counts.items()}

    @property
    def waiting_bytes(self) -> int:
        """Bytes of data sets whose template has not come."""
        return self._exporters.waiting_bytes

    def remembered(self) -> str:
        """What exporters announced, as text, for `remember` after a restart."""
        return self._exporters.to_json()

    def remember(self, told: str) -> None:
        """Take over what an earlier decoder knew; "" is nothing."""
        if told:
            self._exporters.from_json(told)

    def decode(self, datagrams: Datagrams, sensors: tuple[str, ...] = ("local",)) -> FlowBatch:
        """The flows of these datagrams, in order of arrival; no bytes raise."""
        buffer = np.ascontiguousarray(datagrams.buffer)
        from collector.exports.batch import Batch

        rows: list[NDArray[Any]] = []
        for start in range(0, len(datagrams.offset), _TOGETHER):
            part = datagrams.take(slice(start, start + _TOGETHER))
            scales = self._settings.scale_sampled
            rows += Batch(self._exporters, buffer, part, scales, self._outs).decode()
        joined = rows[0] if len(rows) == 1 else join_rows(rows or [np.zeros(0, FLOW_DTYPE)])
        return FlowBatch(joined, sensors)
