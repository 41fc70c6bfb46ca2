"""Which edges are kept when the memory is full or old, and its file between runs."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_VERSION: Final = 1
_KEPT_NS: Final = 400 * 86_400_000_000_000


def worth_keeping(edges: NDArray[Any], now_ns: int, capacity: int) -> tuple[NDArray[Any], int]:
    """Those edges (EDGE_DTYPE) that are not too old, and how many more had to go for want of room.

    People's approvals go last, then what is most familiar.
    """
    kept = edges[now_ns - edges["last_ns"] <= _KEPT_NS]
    if len(kept) <= capacity:
        return kept.copy(), 0
    # A sixteenth more goes than must, so that a full memory is not sorted every window.
    least = capacity - capacity // 16
    order = np.lexsort((kept["last_ns"], kept["active_days"], kept["approved"]))
    return kept[np.sort(order[-least:])], len(kept) - least


@dataclass(frozen=True)
class SavedEdges:
    """An edge memory by address, as it lies in a file."""

    days: Set[int]
    now_ns: int
    frozen_ns: int
    edges: NDArray[Any]  # EDGE_DTYPE
    addresses: NDArray[np.uint64]  # (2, n, 2): of each edge's source and of its target

    def write(self, path: Path) -> None:
        """Replace the file only once the new one is whole."""
        head = {
            "version": _VERSION,
            "days": sorted(self.days),
            "now_ns": self.now_ns,
            "frozen_ns": self.frozen_ns,
        }
        part = path.with_suffix(path.suffix + ".part")
        with part.open("wb") as file:
            np.savez_compressed(
                file,
                head=np.frombuffer(json.dumps(head).encode(), np.uint8),
                edges=self.edges,
                addresses=self.addresses,
            )
            file.flush()
            os.fsync(file.fileno())  # a power cut leaves the file of before, or this one whole
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> SavedEdges:
        """ValueError if the file is damaged or another version's."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                head, edges, addresses = (saved[name] for name in ("head", "edges", "addresses"))
            told = json.loads(head.tobytes())
            version = told["version"]
            days, now_ns = set(told["days"]), told["now_ns"]
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as fault:
            raise ValueError(f"{path}: not a whole edge memory ({fault})") from fault
        if version != _VERSION:
            raise ValueError(
                f"{path}: edge memory of version {version}, this program reads {_VERSION}"
            )
        return cls(days, now_ns, told.get("frozen_ns", 0), edges, addresses)
