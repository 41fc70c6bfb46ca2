"""Daily snapshots of what was learnt, chained by hashes, so that no one can rewrite the past.

Each line of `chain.jsonl` names a day, its file's SHA-256, and the hash of the line before; the
last 14 days and one a month for two years are kept. A file that went by plan stays in the chain.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_DAYS_KEPT: Final = 14
_MONTHS_KEPT: Final = 24
_BEGINNING: Final = "0" * 64


@dataclass(frozen=True)
class Link:
    """One snapshot in the chain."""

    day: str  # 2026-11-22, UTC
    file: str
    sha256: str
    before: str  # hash of the line before

    @property
    def hash(self) -> str:
        told = json.dumps(asdict(self), sort_keys=True).encode()
        return hashlib.sha256(told).hexdigest()


class Snapshots:
    """A folder of snapshots and their chain."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chain = folder / "chain.jsonl"

    def links(self) -> list[Link]:
        """The chain, oldest first; ValueError where a line is not one."""
        if not self._chain.exists():
            return []
        lines = self._chain.read_text(encoding="utf-8").splitlines()
        try:
            return [Link(**json.loads(line)) for line in lines if line]
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{self._chain}: not a chain of snapshots: {error}; move {self._folder} away to"
                " begin a new one"
            ) from error

    def take(self, source: Path, now_ns: int) -> Link | None:
        """Keep a copy of a saved baseline, at most one a day of event time."""
        day = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y-%m-%d")
        links = self.links()
        if not source.exists() or (links and links[-1].day >= day):
            return None
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{source.stem}-{day}{source.suffix}"
        part = self._folder / f"{name}.part"
        shutil.copyfile(source, part)
        part.replace(self._folder / name)
        before = links[-1].hash if links else _BEGINNING
        link = Link(day, name, _hash_of(self._folder / name), before)
        with self._chain.open("a", encoding="utf-8") as chain:
            chain.write(json.dumps(asdict(link), sort_keys=True) + "\n")
            chain.flush()
            os.fsync(chain.fileno())
        self._forget([*links, link])
        return link

    def faults(self) -> list[str]:
        """What does not fit: broken links, and files that are not what the chain says."""
        found, before = [], _BEGINNING
        for link in self.links():
            if link.before != before:
                found.append(f"{link.day}: the chain is broken before this day")
            path = self._folder / link.file
            if path.exists() and _hash_of(path) != link.sha256:
                found.append(f"{link.day}: {link.file} was changed after it was kept")
            before = link.hash
        return found

    def restore(self, day: str, target: Path) -> Link:
        """Put the snapshot of a day in place of the present baseline, which is kept beside it.

        KeyError if there is none; ValueError if it is not what the chain says.
        """
        link = next((n for n in reversed(self.links()) if n.day == day), None)
        if link is None or not (self._folder / link.file).exists():
            kept = ", ".join(n.day for n in self.links() if (self._folder / n.file).exists())
            raise KeyError(f"no snapshot of {day}; there are: {kept or 'none'}")
        if _hash_of(self._folder / link.file) != link.sha256:
            raise ValueError(f"{link.file} was changed after it was kept; choose another day")
        if target.exists():
            shutil.copyfile(target, target.with_suffix(target.suffix + ".before-restore"))
        part = target.with_suffix(target.suffix + ".part")
        shutil.copyfile(self._folder / link.file, part)
        part.replace(target)
        return link

    def _forget(self, links: list[Link]) -> None:
        """Of files older than 14 days, the last of each month stays, for two years."""
        older = links[:-_DAYS_KEPT]
        months = {link.day[:7]: link.file for link in older}
        monthly = set(list(months.values())[-_MONTHS_KEPT:])
        for link in older:
            if link.file not in monthly:
                (self._folder / link.file).unlink(missing_ok=True)


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
