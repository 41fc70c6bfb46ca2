"""A few facts that a source keeps over a restart, as one small JSON file."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Final

_MOST: Final = 20_000


class Notebook:
    """Name → text; past its limit the oldest entry goes. Every `put` is on disk when it returns."""

    def __init__(self, folder: Path, owner: str) -> None:
        name = hashlib.blake2b(owner.encode(), digest_size=8).hexdigest()
        self._path = folder / f"{name}.json"
        self._lock = threading.Lock()
        self._told: dict[str, str] = {}
        if self._path.exists():
            self._told = json.loads(self._path.read_text(encoding="utf-8"))

    def beside(self, name: str) -> Path:
        """Where this owner keeps a larger thing of this name."""
        mark = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return self._path.with_name(f"{self._path.stem}-{mark}")

    def get(self, name: str) -> str:
        return self._told.get(name, "")

    def put(self, name: str, value: str) -> None:
        with self._lock:
            self._told.pop(name, None)
            self._told[name] = value
            while len(self._told) > _MOST:
                del self._told[next(iter(self._told))]
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps(self._told, ensure_ascii=False), encoding="utf-8")
            part.replace(self._path)
