"""The audit chain: who did what to which thing, with what result, from where.

Every row holds the SHA-256 of the row before and of its own content, so a row that is changed,
removed or put in between breaks the chain at that place. Who cuts rows off the end leaves a chain
that is whole but shorter: therefore the newest hash also goes to the log with every entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import structlog

from detector.database import Database

Result = Literal["allowed", "refused", "failed"]
START = "0" * 64
_log = structlog.get_logger("audit")
_MOST_DETAIL = 2000  # characters of one value


@dataclass(frozen=True)
class Entry:
    """One row of the chain; `number` counts from 1 without gaps."""

    number: int
    at_ns: int
    person: str
    key: str
    address: str
    action: str
    thing: str
    result: Result
    details: Mapping[str, Any] = field(default_factory=dict)
    hash: str = ""

    def hash_after(self, before: str) -> str:
        """SHA-256 over the previous hash and this entry as canonical JSON."""
        told = {k: v for k, v in asdict(self).items() if k != "hash"}
        canonical = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(before.encode() + canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What a check of the whole chain found; `broken_at` is the first broken row's number."""

    entries: int
    head: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None


class Audit:
    """Appends to and checks the chain."""

    def __init__(self, database: Database, now_ns: Callable[[], int]) -> None:
        self._database = database
        self._now_ns = now_ns

    def write(
        self,
        action: str,
        thing: str,
        result: Result,
        *,
        person: str,
        address: str,
        key: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Append one entry; it is on disk when this returns."""
        kept = {k: _bounded(v) for k, v in (details or {}).items()}
        with self._database.write() as connection:
            last = connection.execute(
                "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1"
            ).fetchone()
            number, before = (last["number"] + 1, last["hash"]) if last else (1, START)
            told = (number, self._now_ns(), person, key, address, action, thing, result, kept)
            entry = Entry(*told)
            entry = Entry(*told, hash=entry.hash_after(before))
            connection.execute(
                "INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?,?)",
                (*told[:-1], json.dumps(kept, ensure_ascii=False), entry.hash),
            )
        _log.info(
            "audit", number=number, person=person, key=key, address=address, action=action,
            thing=thing, result=result, head=entry.hash,
        )  # fmt: skip
        return entry

    def entries(
        self, *, person: str = "", action: str = "", before: int = 0, limit: int = 100
    ) -> list[Entry]:
        """Entries, newest first; `before` = number of the last one of the previous page."""
        rows = self._database.read(
            "SELECT * FROM audit WHERE ? IN ('', person) AND ? IN ('', action)"
            " AND (? = 0 OR number < ?) ORDER BY number DESC LIMIT ?",
            (person, action, before, before, limit),
        )
        return [_entry(dict(row)) for row in rows]

    def verify(self) -> Verdict:
        """Walk the chain from its start; name the first row that does not fit."""
        before, number, step = START, 0, 1000
        while True:
            rows = self._database.read(
                "SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?", (number, step)
            )
            if not rows:
                return Verdict(number, before)
            for row in rows:
                fault = _fault(dict(row), number + 1, before)
                if fault:
                    return Verdict(number, before, broken_at=number + 1, reason=fault)
                number, before = row["number"], row["hash"]


def _fault(row: dict[str, Any], number: int, before: str) -> str:
    if row["number"] != number:
        return f"row {number} is missing"
    try:
        fits = _entry(row).hash_after(before) == row["hash"]
    except (ValueError, TypeError):
        fits = False
    return "" if fits else f"row {number} or the one before it was changed"


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(**{**row, "details": json.loads(row["details"])})


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_MOST_DETAIL]
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    if isinstance(value, (list, tuple)):
        return [_bounded(v) for v in value[:100]]
    return str(value)[:_MOST_DETAIL]
