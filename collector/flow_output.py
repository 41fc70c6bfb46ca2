"""Write flows for people and programs: JSON Lines, CSV, plain lines, or Parquet."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, Protocol, Self, assert_never

import numpy as np

from collector.apps import APPS
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.fastlane.text import (
    FIELDS,
    LONGEST_VALUE,
    SLACK,
    lay_words,
    new_scratch,
    write_lines,
)
from collector.flows import STATES, FlowBatch

Form = Literal["json", "csv", "text"]

#: Flows of one row group of Parquet, at least.
_ROW_GROUP: Final = 1 << 17
#: Rows that are turned into text at once.
_BATCH = 8192
_QUOTED = {"src", "dst", "src_mac", "dst_mac", "state", "app", "sensor", "community_id"}
#: What a person wants to see of a flow.
_PLAIN = (
    "first_ns", "proto", "src", "sport", "dst", "dport", "packets", "bytes", "reply_packets",
    "reply_bytes", "state", "app",
)  # fmt: skip


class FlowWriter(Protocol):
    """Takes batches of flows; use as a context manager, or close it."""

    def write(self, flows: FlowBatch) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_writer(form: Form | Literal["parquet"], target: BinaryIO | Path) -> FlowWriter:
    """Open a writer of the form: Parquet into a file, the others into a binary stream."""
    if form == "parquet":
        if not isinstance(target, Path):
            raise TypeError("Parquet is written into a file, not into a stream")
        return ParquetWriter(target)
    if isinstance(target, Path):
        raise TypeError(f"{form} is written into a stream, not into a file")
    return LineWriter(form, target)


def write_json(flows: FlowBatch, stream: BinaryIO) -> None:
    """One JSON object a line, as docs/flow-truth.md lists its fields."""
    LineWriter("json", stream).write(flows)


def write_csv(flows: FlowBatch, stream: BinaryIO) -> None:
    """The same fields as CSV, with a header."""
    LineWriter("csv", stream).write(flows)


def write_parquet(flows: FlowBatch, path: Path) -> None:
    """All columns, addresses and names as dictionary-coded text.

    DuckDB then hunts by plain equality (`source = '10.0.0.5'`), prunes row groups by their least
    and greatest text, and reads each distinct address once.
    """
    with ParquetWriter(path) as writer:
        writer.write(flows)


class _Closing:
    def close(self) -> None:
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LineWriter(_Closing):
    """Writes one line per flow, by a compiled loop: about a second per million flows."""

    def __init__(self, form: Form, stream: BinaryIO) -> None:
        self._stream = stream
        self._form: Form = form
        names = _PLAIN if form == "text" else FIELDS
        between = _between(form, names)
        self._chosen = np.array([FIELDS.index(name) for name in names], np.int64)
        self._between = lay_words(between)
        self._states = lay_words([name.encode() for name in STATES])
        self._apps = lay_words([name.encode() for name in APPS])
        self._longest = sum(map(len, between)) + LONGEST_VALUE * len(names)
        self._out = np.empty(0, np.uint8)
        self._scratch = new_scratch()
        if form != "json":
            stream.write((("," if form == "csv" else "\t").join(names) + "\n").encode())

    def write(self, flows: FlowBatch) -> None:
        names = [_quote(name, self._form) for name in flows.sensors]
        longest = self._longest + max(map(len, names), default=0)
        rows = np.ascontiguousarray(flows.rows).view(OUTPUT_DTYPE)
        room = min(_BATCH, len(rows)) * longest + SLACK
        if len(self._out) < room:
            self._out = np.empty(room, np.uint8)
        sensors = lay_words(names)
        for start in range(0, len(rows), _BATCH):
            some = rows[start : start + _BATCH]
            size = write_lines(
                some, self._out, self._chosen, self._between, self._states, self._apps, sensors,
                self._scratch,
            )  # fmt: skip
            self._stream.write(self._out[:size].data)


class ParquetWriter(_Closing):
    """Writes flows as row groups of one Parquet file; small batches wait for one another."""

    def __init__(self, path: Path) -> None:
        path.open("wb").close()  # a place that cannot be written is told before the work
        self._path = path
        self._writer: Any = None
        self._waiting: list[FlowBatch] = []

    def write(self, flows: FlowBatch) -> None:
        if self._waiting and flows.sensors != self._waiting[0].sensors:
            self._flush()
        if len(flows):
            self._waiting.append(flows)
        if sum(map(len, self._waiting)) >= _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        # Arrow takes a third of a second to load: here it does so beside the fast lane's kernels.
        from collector.arrow import arrow_schema, to_table

        if self._writer is None:
            from pyarrow.parquet import ParquetWriter as ArrowWriter

            self._writer = ArrowWriter(self._path, arrow_schema(), compression="zstd")
        if self._waiting:
            self._writer.write_table(to_table(FlowBatch.join(self._waiting)))
        self._waiting = []


class WriteBehind(_Closing):
    """Writes in a thread of its own, while the caller makes the next flows; faults come later.

    Worth a thread because turning flows into bytes releases the interpreter's lock.
    """

    def __init__(self, writer: FlowWriter) -> None:
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write-behind")
        self._last: Future[None] | None = None

    def write(self, flows: FlowBatch) -> None:
        self._wait()
        self._last = self._thread.submit(self._writer.write, flows)

    def close(self) -> None:
        try:
            self._wait()
        finally:
            self._thread.shutdown()
            self._writer.close()

    def _wait(self) -> None:
        if self._last is not None:
            last, self._last = self._last, None
            last.result()


def _between(form: Form, names: tuple[str, ...]) -> list[bytes]:
    """What stands before each value, and after the last."""
    if form == "json":
        words, closing = [], '{"type":"flow","schema":1,'
        for name in names:
            quote = '"' if name in _QUOTED else ""
            words.append(f'{closing}"{name}":{quote}')
            closing = f"{quote},"
        words.append(closing[:-1] + "}\n")
    elif form == "csv" or form == "text":
        separator = "," if form == "csv" else "\t"
        words = ["", *(separator for _ in names[1:]), "\n"]
    else:
        assert_never(form)
    return [word.encode() for word in words]


def _quote(name: str, form: Form) -> bytes:
    if form == "json":
        return json.dumps(name, ensure_ascii=False)[1:-1].encode()
    if form == "csv" and any(sign in name for sign in ',"\r\n'):
        return ('"' + name.replace('"', '""') + '"').encode()
    return name.encode()
