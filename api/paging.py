"""Pages of a list: some items, and the opaque cursor that leads to the next ones."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from api.faults import Unacceptable

T = TypeVar("T")
MOST = 500


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items; `next_cursor` is empty on the last page."""

    items: tuple[T, ...]
    next_cursor: str = ""


def write_cursor(*place: int | str) -> str:
    """Pack where a page ended."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> tuple[int | str, ...]:
    """Unpack a cursor that holds values of these types; Unacceptable for any other text."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        place = None
    if not isinstance(place, list) or [type(p) for p in place] != list(kinds):
        raise Unacceptable("cursor: not one that this list gave out; start from the first page")
    if any(isinstance(p, int) and not -(2**63) <= p < 2**63 for p in place):
        raise Unacceptable("cursor: not one that this list gave out; start from the first page")
    return tuple(place)


def check_limit(limit: int) -> int:
    """A page's size, 1 to 500."""
    if not 1 <= limit <= MOST:
        raise Unacceptable(f"limit: must be 1 to {MOST}, got {limit}")
    return limit
