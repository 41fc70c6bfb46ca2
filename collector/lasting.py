"""Memory that outlives this process, though not the machine: files of a tmpfs, mapped.

A process that is killed by force leaves here what it had not yet brought to the disk.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.capture.windows import Pool

PLACE: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, for our user only
#: The file that tells whose memory it is; whoever uses it holds a shared lock on it.
OWNER: Final = ".state"
_PIECE: Final = 8 << 20


class LastingMemory:
    """Named arrays in a folder of our own, one for each state folder."""

    def __init__(self, state_dir: Path, needed_bytes: int, place: Path = PLACE) -> None:
        """OSError, in words, where there is no such memory or not enough of it."""
        mark = blake2b(str(state_dir.resolve()).encode(), digest_size=8).hexdigest()
        self.folder = place / f"mimawari-{os.geteuid()}-{mark}"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        told = self.folder.lstat()
        if told.st_uid != os.geteuid() or self.folder.is_symlink():
            raise PermissionError(1, f"{self.folder} belongs to somebody else; remove it")
        free = shutil.disk_usage(place).free
        if free < needed_bytes:
            raise OSError(
                28, f"{place} has {free >> 20} MiB free and {needed_bytes >> 20} are needed"
            )
        anew = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._owner = _private(str(self.folder / OWNER), anew)
        os.write(self._owner, str(state_dir.resolve()).encode())
        fcntl.flock(self._owner, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def new(self, name: str, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """A zeroed array, which takes the place of what stands under this name with `settle`."""
        part = self._part(name)
        part.unlink(missing_ok=True)
        return self._mapped(part, dtype, count)

    def settle(self, name: str) -> None:
        """What was left under this name is no longer needed."""
        self._part(name).replace(self.folder / name)

    def grown(self, name: str, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        """The array under this name with at least so many rows; what is in it stays."""
        part = self._part(name)
        return self._mapped(part if part.exists() else self.folder / name, dtype, count)

    def _part(self, name: str) -> Path:
        return self.folder / f".{name}.part"

    def _mapped(self, path: Path, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        with open(path, "a+b", opener=_private) as file:
            size = max(count * dtype.itemsize, os.fstat(file.fileno()).st_size, 1)
            os.ftruncate(file.fileno(), size)  # only what is written takes memory
            mapped = mmap.mmap(file.fileno(), size)
        return np.frombuffer(mapped, dtype, count)

    def kept(self, name: str, dtype: np.dtype[Any], where: str = "") -> NDArray[Any]:
        """A copy of what was left under this name; with `where`, rows that are not 0 there.

        Nothing that stands beyond what was ever written is touched.
        """
        found = [np.zeros(0, dtype)]
        rows_a_piece = _PIECE // dtype.itemsize
        try:
            with (self.folder / name).open("rb", buffering=0) as file:
                while piece := file.read(rows_a_piece * dtype.itemsize):
                    rows = np.frombuffer(
                        piece[: len(piece) // dtype.itemsize * dtype.itemsize], dtype
                    )
                    found.append(rows[rows[where] != 0] if where else rows)
        except FileNotFoundError:
            pass
        return np.concatenate(found)

    def names(self) -> list[str]:
        return sorted(p.name for p in self.folder.iterdir() if not p.name.startswith("."))

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def let_go(self) -> None:
        """This process uses it no longer; what is in it stays."""
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1

    def remove_all(self) -> None:
        """Nothing is left to be saved."""
        self.let_go()
        shutil.rmtree(self.folder, ignore_errors=True)


class LastingPool(Pool):
    """Room for records that outlives the process; one taker at a time, who forgets what he kept."""

    def __init__(self, memory: LastingMemory, name: str, dtype: np.dtype[Any]) -> None:
        super().__init__(dtype)
        self._memory, self._name = memory, name
        self._array = memory.new(name, dtype, 1)

    def take(self, size: int) -> NDArray[Any]:
        if len(self._array) < size:
            self._array = self._memory.grown(self._name, self._array.dtype, size)
        return self._array

    def forget(self, count: int) -> None:
        """The first rows are safe elsewhere."""
        self._array[:count].view(np.uint8)[:] = 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
