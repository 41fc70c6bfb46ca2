"""A mapping that forgets its oldest entries, for what is remembered of strangers' traffic."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

V = TypeVar("V")
_ENTRIES: Final = 65536


class Recent(Generic[V]):
    """A bounded mapping: past its limit the oldest entry goes."""

    def __init__(self, limit: int = _ENTRIES) -> None:
        self._entries: dict[Hashable, V] = {}
        self._limit = limit

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: Hashable, value: V) -> None:
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > self._limit:
            del self._entries[next(iter(self._entries))]

    def get(self, key: Hashable) -> V | None:
        return self._entries.get(key)

    def take(self, key: Hashable) -> V | None:
        """Get and forget."""
        return self._entries.pop(key, None)
