"""Where compiled kernels are kept: one folder for every state of their sources.

Numba compares a kernel with its own file only, not with the files that it imports kernels from; a
folder named by all of them makes an edit anywhere compile anew, and nobody deletes files by hand.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final
from zlib import crc32

_PACKAGE: Final = Path(__file__).resolve().parent
#: States of the sources whose kernels stay: going back to yesterday's branch compiles nothing.
_KEPT: Final = 3


def choose_kernel_cache() -> None:
    """Tell numba, before it is imported, where to keep kernels; NUMBA_CACHE_DIR has precedence.

    Where the folder cannot be written numba falls back to the user's own.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    folder = kernel_folder(_PACKAGE, _PACKAGE.parent / ".kernels")
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            _forget_oldest(folder)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        os.environ["NUMBA_CACHE_DIR"] = str(folder)


def kernel_folder(package: Path, kept_in: Path) -> Path:
    """The folder for the package's kernels as they are now."""
    state = crc32(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(set(folders) - {"__pycache__"})
        for name in sorted(names):
            source = Path(folder, name).read_bytes() if name.endswith(".py") else b""
            if b"njit" in source or b"@intrinsic" in source:
                state = crc32(source, crc32(name.encode(), state))
    return kept_in / f"{state:08x}"


def _forget_oldest(newest: Path) -> None:
    folders = sorted(newest.parent.iterdir(), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-_KEPT]:
        if folder != newest:
            shutil.rmtree(folder, ignore_errors=True)
