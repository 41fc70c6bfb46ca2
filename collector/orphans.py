"""Lasting memory whose state folder is gone: nobody will ever take it up, and it fills the RAM."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from collector.lasting import OWNER, PLACE

#: A state folder that was taken away may come back (a disk that is mounted late, a restore).
_GRACE_S: Final = 3600


@dataclass(frozen=True)
class Orphan:
    """A folder in shared memory, and the state folder that is gone."""

    folder: Path
    state_dir: Path
    bytes: int
    is_in_use: bool  # a collector still runs there
    is_fresh: bool  # used within the hour

    @property
    def may_go(self) -> bool:
        return not self.is_in_use and not self.is_fresh


def orphans(place: Path = PLACE) -> Iterator[Orphan]:
    """Folders of this user whose state folder no longer exists; none that another user owns."""
    for folder in sorted(place.glob(f"mimawari-{os.geteuid()}-*")):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            state_dir = Path((folder / OWNER).read_text("utf-8"))
            if state_dir.exists():
                continue
            files = [path.lstat() for path in (folder, *folder.rglob("*"))]
            latest_s = max(told.st_mtime for told in files)
            yield Orphan(
                folder, state_dir, sum(told.st_blocks * 512 for told in files),
                _is_held(folder / OWNER), time.time() - latest_s < _GRACE_S,
            )  # fmt: skip
        except (OSError, ValueError):  # it went meanwhile, or never told whose it is
            continue


def remove_orphans(place: Path = PLACE) -> list[Orphan]:
    """Remove those that may go; what was removed."""
    gone = [orphan for orphan in orphans(place) if orphan.may_go]
    for orphan in gone:
        shutil.rmtree(orphan.folder, ignore_errors=True)
    return [orphan for orphan in gone if not orphan.folder.exists()]


def _is_held(owner: Path) -> bool:
    """Whoever uses the memory holds a shared lock on the file that names its owner."""
    with owner.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
