"""The spool: observations on their way from the collector to the detector, as numbered files.

A file is whole or absent: it is written under another name, brought to the disk, and renamed. Its
name tells its number and how many flows and sightings it holds, so that what has to go is counted
without reading it: `000000000042-1234-56.arrow`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from collector.flows import FLOW_DTYPE, FlowBatch
from collector.journal import NOTHING, Mark
from collector.observations import CollectorHealth, Observations
from collector.sightings import SIGHTINGS, Sighting

_KINDS: Final = {kind.kind: kind for kind in SIGHTINGS}
#: A reader must know the same columns in the same order.
_LAYOUT: Final = json.dumps(FLOW_DTYPE.descr)


class SpoolWriter:
    """Appends observations. Only one may write a folder."""

    def __init__(self, folder: Path, most_bytes: int, most_waiting: int = 64) -> None:
        """`most_waiting`: observations kept in memory while the disk refuses them."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._waiting: list[tuple[Observations, Mark]] = []
        self.shed: Counter[str] = Counter()
        self.fault = ""  # why the disk refuses, in words
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob(".*.part"):
            part.unlink()
        self._next = 0
        #: Of the last file: what the journal need no longer keep.
        self.stored = NOTHING
        # The detector removes what it has taken, so the last number is kept apart.
        self._last = folder / "last"
        if self._last.exists():
            number, *mark = map(int, self._last.read_text().split())
            self._next, self.stored = number + 1, Mark(*mark)
        for number, _, _, path in _listed(folder)[-1:]:
            if number >= self._next:  # written, but killed before it was noted
                self._next, self.stored = number + 1, _mark(path)

    def append(self, seen: Observations, mark: Mark = NOTHING) -> bool:
        """Write it; False if the disk refuses: then it waits, and is written before the next.

        `mark`: how far the journal is stored once this is.
        """
        self._waiting.append((seen, mark))
        while len(self._waiting) > self._most_waiting:
            lost, _ = self._waiting.pop(0)
            self.shed["spool: flows, the disk refused"] += len(lost.flows)
            self.shed["spool: sightings, the disk refused"] += len(lost.sightings)
        self._make_room()
        while self._waiting:
            try:
                self._write(*self._waiting[0])
            except OSError as fault:
                self.fault = f"{self._folder}: {fault.strerror or fault}"
                return False
            self._waiting.pop(0)
        self.fault = ""
        return True

    def _write(self, seen: Observations, mark: Mark) -> None:
        rows = np.ascontiguousarray(seen.flows.rows)
        column = pa.Array.from_buffers(
            pa.binary(FLOW_DTYPE.itemsize), len(rows), [None, pa.py_buffer(rows.view(np.uint8))]
        )
        told = {
            "layout": _LAYOUT,
            "sensors": json.dumps(seen.flows.sensors),
            "watermark_ns": str(seen.watermark_ns),
            "health": json.dumps(seen.health.to_json()),
            "mark": f"{mark.number} {mark.until_ns}",
            "sightings": json.dumps([_told(s) for s in seen.sightings]),
        }
        table = pa.Table.from_arrays([column], schema=pa.schema([("flow", column.type)], told))
        name = f"{self._next:012d}-{len(rows)}-{len(seen.sightings)}.arrow"
        part = self._folder / f".{name}.part"
        try:
            with part.open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.rename(self._folder / name)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        number, self._next, self.stored = self._next, self._next + 1, mark
        with suppress(OSError):  # the next file notes it; until then this one tells
            part.write_text(f"{number} {mark.number} {mark.until_ns}")
            part.replace(self._last)

    def _make_room(self) -> None:
        """The oldest go where the detector has not taken them for too long."""
        listed = _listed(self._folder)
        sizes = [_size(path) for *_, path in listed]
        total = sum(sizes)
        for (_, flows, sightings, path), size in zip(listed, sizes, strict=True):
            if total <= self._most_bytes:
                return
            path.unlink(missing_ok=True)
            self.shed["spool: flows, the detector lags"] += flows
            self.shed["spool: sightings, the detector lags"] += sightings
            total -= size


class SpoolReader:
    """Reads what the writer has finished, in order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def after(self, number: int) -> Iterator[tuple[int, Observations]]:
        """(number, observations) of every file there is now with a higher number."""
        for found, _, _, path in _listed(self._folder):
            if found > number:
                try:
                    yield found, _read(path)
                except FileNotFoundError:
                    continue  # the writer needed the room, and counted it

    def forget(self, number: int) -> None:
        """Remove files up to this number: what they held is stored."""
        for found, _, _, path in _listed(self._folder):
            if found > number:
                return
            path.unlink(missing_ok=True)


def _listed(folder: Path) -> list[tuple[int, int, int, Path]]:
    """(number, flows, sightings, path), in order."""
    found = []
    for path in folder.glob("*.arrow"):
        parts = path.stem.split("-")
        if len(parts) == 3 and all(part.isdigit() for part in parts):
            found.append((*map(int, parts), path))
    return sorted(found)  # type: ignore[arg-type]  # three numbers, by the test above


def _mark(path: Path) -> Mark:
    """The mark in a whole file."""
    with pa.memory_map(str(path)) as file:
        told = (pa.ipc.open_file(file).schema.metadata or {}).get(b"mark", b"0 0")
    return Mark(*map(int, told.split()))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read(path: Path) -> Observations:
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
        told = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        if told["layout"] != _LAYOUT:
            raise ValueError(f"{path}: written by another version; remove the folder to go on")
        chunks = [chunk for chunk in table.column(0).chunks if len(chunk)]
        raw = b"".join(
            bytes(
                memoryview(c.buffers()[1])[
                    c.offset * FLOW_DTYPE.itemsize : (c.offset + len(c)) * FLOW_DTYPE.itemsize
                ]
            )
            for c in chunks
        )
    rows = np.frombuffer(bytearray(raw), FLOW_DTYPE)
    return Observations(
        FlowBatch(rows, tuple(json.loads(told["sensors"]))),
        tuple(_sighting(t) for t in json.loads(told["sightings"])),
        int(told["watermark_ns"]),
        CollectorHealth.from_json(json.loads(told["health"])),
    )


def _told(sighting: Sighting) -> list[Any]:
    """The kind, and the fields that differ from their default."""
    values = {f.name: (getattr(sighting, f.name), f.default) for f in fields(sighting)}
    return [sighting.kind, {name: v for name, (v, default) in values.items() if v != default}]


def _sighting(told: Sequence[Any]) -> Sighting:
    name, values = told
    kind: Any = _KINDS[name]
    # JSON has no tuples, and no sighting has a list.
    found: Sighting = kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    return found
