"""What the deep lane remembers of connections, so that later packets can be told what they mean."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

V = TypeVar("V")
_ENTRIES: Final = 65536


class Recent(Generic[V]):
    """A bounded mapping: past its limit the oldest entry goes."""

    def __init__(self, limit: int = _ENTRIES) -> None:
        self._entries: dict[Hashable, V] = {}
        self._limit = limit

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


@dataclass(frozen=True, slots=True)
class Asked:
    """An SMB2 request that its answer refers to by number only."""

    tree: str
    file: str
    handle: str


@dataclass(slots=True)
class Memory:
    """Keys begin with the connection, which is the same for both directions."""

    asked: Recent[Asked] = field(default_factory=Recent)  # (connection, message id)
    files: Recent[str] = field(default_factory=Recent)  # (connection, handle) → name
    interfaces: Recent[str] = field(default_factory=Recent)  # (connection, handle, context) → UUID
