"""Where compiled kernels are kept: one folder for every state of their sources.

Numba compares a kernel with its own file only, not with those that it imports kernels and constants
from; a folder named by all of these makes an edit there compile anew, and nobody deletes files.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

_PACKAGE: Final = Path(__file__).resolve().parent
#: States of the sources whose kernels stay: going back to yesterday's branch compiles nothing.
_KEPT: Final = 3


_IMPORT: Final = re.compile(r"^from ([\w.]+) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_NAME: Final = re.compile(r"\w+")


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
    """The folder for the package's kernels as they are now.

    Named by all modules that kernels import, for their functions and for constants compiled
    into them; a kernel's own file numba watches itself: an edit there compiles that one only.
    """
    sources = dict(_sources(package))
    waiting = [name for name, source in sources.items() if b"njit" in source]
    imported: set[str] = set()
    while waiting:
        names = _imports(sources[waiting.pop()]) & sources.keys()
        waiting += names - imported
        imported |= names
    state = crc32(os.environ.get("NUMBA_BOUNDSCHECK", "").encode())
    for name in sorted(imported):
        state = crc32(sources[name], crc32(name.encode(), state))
    return kept_in / f"{state:08x}"


def _sources(package: Path) -> Iterator[tuple[str, bytes]]:
    """Modules of the package by their full names."""
    for folder, folders, names in os.walk(package):
        folders[:] = [name for name in folders if name != "__pycache__"]
        prefix = ".".join((package.name, *Path(folder).relative_to(package).parts))
        for name in names:
            if name.endswith(".py") and name != "__init__.py":
                yield f"{prefix}.{name[:-3]}", Path(folder, name).read_bytes()


def _imports(source: bytes) -> set[str]:
    """Names that might be modules, of all `from x import y` lines."""
    names = set()
    for module, listed in _IMPORT.findall(source.decode()):
        names |= {module, *(f"{module}.{name}" for name in _NAME.findall(listed))}
    return names


def _forget_oldest(newest: Path) -> None:
    folders = sorted(newest.parent.iterdir(), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-_KEPT]:
        if folder != newest:
            shutil.rmtree(folder, ignore_errors=True)
