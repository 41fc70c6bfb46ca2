"""Data sets of one template, decoded together into their places among the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.exports import fill
from collector.exports.exporters import Domain
from collector.exports.records import Context, Records, flow_rows
from collector.exports.templates import Template
from collector.flows import FLOW_DTYPE
from collector.identify.kernels import identify_ports

Numbers = NDArray[np.int64]


class Run:
    """Sets at `at` (bytes into `buffer`) of `length` bytes; `counts` tells the records of each.

    `context` holds a row for each set (columns of `fill`). Records of variable length are brought
    to a fixed one first.
    """

    def __init__(
        self,
        domain: Domain,
        template: Template,
        buffer: NDArray[np.uint8],
        at: Numbers,
        length: Numbers,
        context: Numbers,
    ) -> None:
        self._domain, self._template = domain, template
        self._buffer, self._at, self._context = buffer, at, context
        self._size = template.dtype.itemsize
        if template.is_variable:
            self.counts = self._pack(length)
        else:
            self.counts = length // self._size

    def _pack(self, length: Numbers) -> Numbers:
        room = int((length // self._template.shortest).sum())
        packed = np.zeros((room, self._size), np.uint8)
        counts, whole = np.zeros_like(length), np.zeros_like(length)
        lengths, shortest = self._template.lengths, self._template.shortest
        fill.pack(self._buffer, self._at, length, lengths, shortest, packed, counts, whole)
        cut = int(np.count_nonzero(whole == 0))
        if cut:
            self._domain.counts.malformed["record cut short"] += cut
        self._buffer = packed.reshape(-1)
        self._at = (np.cumsum(counts) - counts) * self._size
        return counts

    def bodies(self) -> bytes:
        """The records, side by side."""
        places = zip(self._at.tolist(), (self.counts * self._size).tolist(), strict=True)
        return b"".join(self._buffer[at : at + size].tobytes() for at, size in places)

    def write(self, out: NDArray[Any], out_at: Numbers, scales: bool) -> None:
        """Fill rows of `out` (OUTPUT_DTYPE): those of a set stand from `out_at` on."""
        self._domain.counts.flows += int(self.counts.sum())
        plan = self._template.plan
        has_sampler = {"302", "48"} & set(self._template.dtype.names or ())
        if plan is not None and not (has_sampler and self._domain.rates):
            fill.fill(
                self._buffer, self._at, self.counts, self._size, plan, self._context, scales, out,
                out_at,
            )  # fmt: skip
            return
        rows = flow_rows(self._records(), scales)
        ports = ("protocol", "source_port", "destination_port", "app", "app_confidence")
        identify_ports(*(rows[name] for name in ports))
        ends = np.cumsum(self.counts)
        inside = np.arange(len(rows)) - np.repeat(ends - self.counts, self.counts)
        out.view(FLOW_DTYPE)[np.repeat(out_at, self.counts) + inside] = rows

    def _records(self) -> Records:
        contexts = [
            Context(0, reported, export, uptime, boot, rate, self._domain.rates)
            for reported, export, uptime, boot, rate in self._context.tolist()
        ]
        rows = np.frombuffer(self.bodies(), self._template.dtype)
        return Records(rows, contexts, self.counts.tolist())
