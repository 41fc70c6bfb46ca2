"""What the deep lane remembers of connections, so that later packets can be told what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.recent import Recent


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
    trees: Recent[str] = field(default_factory=Recent)  # (connection, tree id) → share
    interfaces: Recent[str] = field(default_factory=Recent)  # (connection, handle, context) → UUID
