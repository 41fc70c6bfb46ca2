"""Reads a flow log of another program, a piece at a time, in the order of event time."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Final

import numpy as np
import pyarrow as pa

from collector.capture.chunk import CaptureError
from collector.flows import FlowBatch
from collector.foreign import argus, zeek
from collector.foreign.columns import Rows
from collector.foreign.opening import open_log, stripped
from collector.foreign.parsing import parse_json, parse_table

_PIECE: Final = 8 << 20  # bytes of text
#: Zeek writes a connection when it ends, or is forgotten: lines stand out of order by minutes.
_ROWS_IN_ORDER: Final = 500_000


@dataclass
class FlowLog:
    """One log; `malformed` counts lines that could not be read, by kind."""

    path: Path
    malformed: Counter[str] = field(default_factory=Counter)
    position: int = 0  # bytes of the file read so far

    def read(self) -> Iterator[FlowBatch]:
        """Flows ordered by `reported_ns`; a line that comes too late counts when it came.

        Raises CaptureError if the file cannot be opened, is no flow log, or breaks off.
        """
        waiting: list[FlowBatch] = []
        count, told_ns = 0, 0
        for flows in self._pieces():
            waiting.append(flows)
            count += len(flows)
            if count >= 2 * _ROWS_IN_ORDER:
                ordered = _in_order(waiting, told_ns)
                yield ordered.take(slice(0, _ROWS_IN_ORDER))
                told_ns = int(ordered.reported_ns[_ROWS_IN_ORDER - 1])
                waiting = [ordered.take(slice(_ROWS_IN_ORDER, None))]
                count = len(waiting[0])
        if count:
            yield _in_order(waiting, told_ns)

    def _pieces(self) -> Iterator[FlowBatch]:
        try:
            with open_log(self.path) as (raw, file):
                head = file.readline(1 << 16)
                convert, parse = self._form(head, file)
                for text in _whole_lines(file, head, self.malformed):
                    self.position = raw.tell()
                    lines = Rows(parse(text), self.malformed)
                    yield convert(lines)
        except (OSError, EOFError, gzip.BadGzipFile) as fault:
            raise CaptureError(self.path, self.position, f"cannot be read: {fault}") from None

    def _form(
        self, head: bytes, file: IO[bytes]
    ) -> tuple[Callable[[Rows], FlowBatch], Callable[[bytes], pa.Table]]:
        """How this log is written, from its first line (and Zeek's head)."""
        head = stripped(head)
        if head.startswith(b"{"):
            return zeek.flows_of, partial(parse_json, names=zeek.FIELDS, malformed=self.malformed)
        if head.startswith(b"StartTime"):
            comma = head.count(b",") > head.count(b"\t")
            names = head.decode("utf-8", "replace").strip().split("," if comma else "\t")
            delimiter = "," if comma else "\t"
            return argus.flows_of, self._table(names, delimiter)
        if head.startswith(b"#"):
            for line in chain([head], iter(lambda: file.readline(1 << 16), b"")):
                if line.startswith(b"#fields"):
                    names = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")[1:]
                    if not {"ts", "id.orig_h", "id.resp_h", "conn_state"} <= set(names):
                        break
                    return zeek.flows_of, self._table(names, "\t")
        raise CaptureError(self.path, 0, "is no conn.log of Zeek and no binetflow of Argus")

    def _table(self, names: list[str], delimiter: str) -> Callable[[bytes], pa.Table]:
        return partial(parse_table, names=names, delimiter=delimiter, malformed=self.malformed)


def _whole_lines(file: IO[bytes], head: bytes, malformed: Counter[str]) -> Iterator[bytes]:
    """Pieces that end with a line's end; a line longer than a piece is dropped and counted."""
    rest = head if head.startswith(b"{") else b""
    while piece := file.read(_PIECE):
        end = piece.rfind(b"\n")
        if end < 0:
            rest += piece
            if len(rest) > _PIECE:
                malformed["flow log: line without an end"] += 1
                rest = b""
            continue
        yield rest + piece[: end + 1]
        rest = piece[end + 1 :]
    if rest.strip():
        yield rest


def _in_order(waiting: list[FlowBatch], told_ns: int) -> FlowBatch:
    flows = FlowBatch.join(waiting)
    rows = flows.take(np.argsort(flows.reported_ns, kind="stable")).rows
    rows["reported_ns"] = np.maximum(rows["reported_ns"], told_ns)
    return FlowBatch(rows, flows.sensors)
