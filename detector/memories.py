"""What detectors remember between windows, kept in one file so that a restart forgets nothing.

The file holds, each with its SHA-256: the hosts' addresses in the order of their numbers, what was
inferred of roles, and the memory of each detector. A part that does not fit (another shape of its
records after an update, damage) is left out and told, the others are used. Records are rebuilt by
a reader that knows the product's own records and plain values only: the file can run no code.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from detector.hosts import HostTable

_MAGIC: Final = b"mimawari memories 1\n"
#: No part is larger; what would be is told and begins anew.
_MOST_BYTES: Final = 512 << 20
_MOST_HEAD: Final = 16 << 20
_PLAIN: Final = frozenset(
    {
        ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "bytearray"),
        ("builtins", "complex"), ("builtins", "int"), ("builtins", "float"), ("builtins", "str"),
        ("builtins", "list"), ("builtins", "dict"), ("builtins", "tuple"), ("builtins", "bool"),
        ("collections", "OrderedDict"), ("collections", "deque"), ("collections", "defaultdict"),
        ("collections", "Counter"), ("datetime", "date"), ("datetime", "datetime"),
        ("datetime", "timedelta"), ("datetime", "timezone"),
        ("ipaddress", "IPv4Network"), ("ipaddress", "IPv6Network"),
        ("ipaddress", "IPv4Address"), ("ipaddress", "IPv6Address"),
        ("numpy", "ndarray"), ("numpy", "dtype"),
    }
)  # fmt: skip
#: How numpy rebuilds arrays and numbers; the module's name differs by version.
_NUMPY: Final = frozenset({"_reconstruct", "scalar", "_frombuffer"})
_NUMPY_MODULES: Final = ("numpy.core.", "numpy._core.")
_HOSTS: Final = "hosts"


class MemoryUnfit(ValueError):
    """A part of the file that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Kept:
    """What a file held: parts by name, and up to when windows had been looked at."""

    until_ns: int
    parts: Mapping[str, Any]
    faults: tuple[str, ...]


def save_memories(
    path: Path, hosts: HostTable, parts: Mapping[str, Any], until_ns: int
) -> list[str]:
    """Write all parts, or leave the file as it was; returns what could not be kept, and why.

    Whoever is killed meanwhile leaves the file of before: it is replaced in one step.
    """
    faults: list[str] = []
    blobs = {_HOSTS: zlib.compress(hosts.table().tobytes(), 1)}
    shapes: dict[str, dict[str, list[str]]] = {}
    for name, part in parts.items():
        writer = _Writer()
        try:
            raw = writer.write(part)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as fault:
            faults.append(f"memory of {name}: {type(fault).__name__}: {fault}")
            continue
        if len(raw) > _MOST_BYTES:
            faults.append(f"memory of {name}: {len(raw) >> 20} MiB is more than is kept")
            continue
        blobs[name], shapes[name] = zlib.compress(raw, 1), writer.shapes
    told = [
        {
            "name": name, "bytes": len(blob), "shapes": shapes.get(name, {}),
            "sha256": hashlib.sha256(blob).hexdigest(),
        }
        for name, blob in blobs.items()
    ]  # fmt: skip
    head = json.dumps({"until_ns": until_ns, "parts": told}).encode()
    part_file = path.with_suffix(path.suffix + ".part")
    with part_file.open("wb") as out:
        out.write(_MAGIC + len(head).to_bytes(8, "big") + hashlib.sha256(head).digest() + head)
        for blob in blobs.values():
            out.write(blob)
        out.flush()
        os.fsync(out.fileno())
    part_file.replace(path)
    return faults


def load_memories(path: Path, hosts: HostTable) -> Kept:
    """Number the hosts as they were and read every part that fits.

    `hosts` must be empty, for parts speak of hosts by number. MemoryUnfit if none can be used.
    """
    read = _parts_of(path)
    until_ns = next(read)
    assert isinstance(until_ns, int)
    parts: dict[str, Any] = {}
    faults: list[str] = []
    for told, blob in read:
        name = str(told["name"])
        if hashlib.sha256(blob).hexdigest() != told["sha256"]:
            faults.append(f"memory of {name}: damaged; it begins anew")
            blob = b""
        if name == _HOSTS:
            if not blob or not hosts.begin(_addresses(path, blob)):
                raise MemoryUnfit(f"{path}: the hosts' numbers do not fit; memories begin anew")
            continue
        if not blob:
            continue
        try:
            parts[name] = _Reader(_inflated(blob), told["shapes"]).load()
        except Exception as fault:  # whatever the bytes are, the others are used
            faults.append(f"memory of {name}: {fault}; it begins anew")
    return Kept(until_ns, parts, tuple(faults))


def _parts_of(path: Path) -> Iterator[Any]:
    """Until when, then (head, bytes) of each part."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise MemoryUnfit(f"{path}: written by another version; memories begin anew")
        size, seal = int.from_bytes(file.read(8), "big"), file.read(32)
        head = file.read(min(size, _MOST_HEAD))
        if hashlib.sha256(head).digest() != seal:
            raise MemoryUnfit(f"{path}: damaged; memories begin anew")
        told = json.loads(head)
        yield int(told["until_ns"])
        for part in told["parts"]:
            yield part, file.read(int(part["bytes"]))


def _addresses(path: Path, blob: bytes) -> np.ndarray[Any, np.dtype[np.uint64]]:
    raw = _inflated(blob)
    if len(raw) % 16:
        raise MemoryUnfit(f"{path}: the hosts' numbers do not fit; memories begin anew")
    return np.frombuffer(raw, np.uint64).reshape(-1, 2)


def _inflated(blob: bytes) -> bytes:
    opened = zlib.decompressobj()
    raw = opened.decompress(blob, _MOST_BYTES)
    if opened.unconsumed_tail:
        raise MemoryUnfit("more than is ever kept")
    return raw


class _Writer(pickle.Pickler):
    """Notes the fields of each record, so that another version can tell whether they fit."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self.shapes: dict[str, list[str]] = {}
        self._met: set[type] = set()
        super().__init__(self._out, 5)

    def write(self, part: Any) -> bytes:
        self.dump(part)
        return self._out.getvalue()

    def reducer_override(self, record: Any) -> Any:
        kind = record if isinstance(record, type) else type(record)
        if kind not in self._met:
            self._met.add(kind)
            if _is_ours(kind.__module__):
                self.shapes[f"{kind.__module__}.{kind.__qualname__}"] = _shape(kind)
        return NotImplemented


class _Reader(pickle.Unpickler):
    """Rebuilds plain values, arrays and the product's own records; refuses all else."""

    def __init__(self, raw: bytes, shapes: Mapping[str, list[str]]) -> None:
        super().__init__(io.BytesIO(raw))
        self._shapes = shapes

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.startswith(_NUMPY_MODULES) and name in _NUMPY:
            return super().find_class(module, name)
        if not _is_ours(module) or module not in sys.modules:
            raise MemoryUnfit(f"holds {module}.{name}, which is no record")
        kind = super().find_class(module, name)
        # A dotted or imported name would reach what the module merely uses, such as files.
        if not isinstance(kind, type) or (kind.__module__, kind.__qualname__) != (module, name):
            raise MemoryUnfit(f"holds {module}.{name}, which is no record")
        if self._shapes.get(f"{module}.{name}") != _shape(kind):
            raise MemoryUnfit(f"{name} has other fields now")
        return kind


def _is_ours(module: str) -> bool:
    """Detectors and what they keep: records only, nothing that opens files or starts programs."""
    return module.startswith("detector.") or module == "collector.sightings"


def _shape(kind: type) -> list[str]:
    """Names and types of a record's fields; of another class, what it is made of."""
    if is_dataclass(kind):
        return [f"{f.name}: {f.type}" for f in fields(kind)]
    named = getattr(kind, "_fields", None) or getattr(kind, "model_fields", None) or ()
    return [str(name) for name in named]
