"""Many small files of a day become a few: fewer to open for a hunt, and better compressed.

Each day's folder holds a list, `.merged.json`: by merged file, the files that it replaces. The
list is written before the merged file gets its name, and that one rename is what counts: before
it, readers take the small files, after it the merged one. Whoever dies in between leaves nothing
twice and nothing lost. The list stays, so that flows which are handed over once more (a spool
read again, a capture replayed) are still known to be there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

LIST: Final = ".merged.json"
#: What cannot be read keeps its name with this ending (`collector.lake_damage`).
DAMAGED: Final = ".damaged"
_BEGUN: Final = ".merge-"
#: So many files of like size are merged at a time; fewer in a day that has ended.
_FEW: Final = 8
_MANY: Final = 64
#: Files below an eighth, a 64th … of a whole one are of like size.
_TIER: Final = 8


def rows_of(file: Path) -> int:
    """How many flows a file holds, as its name says."""
    return int(file.stem.split("-")[3])


def first_ns(file: Path) -> int:
    return int(file.stem.split("-")[1])


def replaced_in(folder: Path) -> frozenset[str]:
    """Names of files that a merged one of this day holds."""
    told = _read(folder)
    return frozenset(old for new, olds in told.items() if (folder / new).exists() for old in olds)


def files_of(folder: Path) -> list[Path]:
    """The files of a day that count, by time.

    Files are listed before the list is read: what was replaced meanwhile is then either in the
    list or gone, and a reader who misses a file asks again.
    """
    found = sorted(folder.glob("flows-*.parquet"), key=lambda file: (first_ns(file), file.name))
    replaced = replaced_in(folder)
    return [file for file in found if file.name not in replaced]


def merge_day(folder: Path, rows_a_file: int, has_ended: bool) -> int:
    """Merge one group of small files of a day, if there is one; how many files went into it.

    At most `rows_a_file` flows are in memory at a time. OSError if the disk refuses: the day stays
    as it was.
    """
    _clear(folder)
    group = _group(files_of(folder), rows_a_file, has_ended)
    if len(group) < 2:
        return 0
    _merge(folder, group)
    return len(group)


def _group(files: Sequence[Path], rows_a_file: int, has_ended: bool) -> list[Path]:
    """Small files of like size, the smallest first; of a day that has ended, all small ones."""
    small = [file for file in files if rows_of(file) < rows_a_file // 2]
    tiers: dict[int, list[Path]] = {}
    for file in small:
        tiers.setdefault(0 if has_ended else _tier(rows_of(file)), []).append(file)
    for _, alike in sorted(tiers.items()):
        if len(alike) >= (2 if has_ended else _FEW):
            return _within(alike, rows_a_file)
    return []


def _tier(rows: int) -> int:
    tier = 0
    while rows >= _TIER:
        rows, tier = rows // _TIER, tier + 1
    return tier


def _within(files: Sequence[Path], rows_a_file: int) -> list[Path]:
    """The first of them that one file may hold."""
    group: list[Path] = []
    room = rows_a_file
    for file in files[:_MANY]:
        room -= rows_of(file)
        if room < 0 and len(group) > 1:
            break
        group.append(file)
    return group


def _merge(folder: Path, group: Sequence[Path]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables([pq.read_table(file, partitioning=None) for file in group])
    table = table.sort_by("reported_ns")
    times = table.column("reported_ns")
    mark = crc32("\n".join(file.name for file in group).encode())
    span = f"{times[0].as_py()}-{times[len(table) - 1].as_py()}-{len(table)}-{mark:08x}"
    part, name = folder / f"{_BEGUN}{span}.part", f"flows-{span}.parquet"
    pq.write_table(table, part, compression="zstd")
    sync(part)
    told = dict(_read(folder))
    replaced = [old for file in group for old in (file.name, *told.get(file.name, ()))]
    _write(folder, {**told, name: replaced})
    part.rename(folder / name)
    sync(folder)
    _clear(folder)


def _clear(folder: Path) -> None:
    """Take away what was replaced, and what somebody who died had begun."""
    told = _read(folder)
    for name in replaced_in(folder):
        (folder / name).unlink(missing_ok=True)
    # A merged file that was merged again is told by the later one.
    kept = {new: olds for new, olds in told.items() if (folder / new).exists()}
    if kept != told:
        _write(folder, kept)
    for part in folder.glob(f"{_BEGUN}*.part"):
        part.unlink(missing_ok=True)


def _read(folder: Path) -> Mapping[str, Sequence[str]]:
    try:
        told: Mapping[str, Sequence[str]] = json.loads((folder / LIST).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:  # it stands aside as damaged flows do, and a new one is begun
        with suppress(FileNotFoundError):
            (folder / LIST).rename(folder / (LIST + DAMAGED))
        return {}
    return told


def _write(folder: Path, told: Mapping[str, Sequence[str]]) -> None:
    part = folder / f"{_BEGUN}list.part"
    part.write_text(json.dumps(told), "utf-8")
    sync(part)
    part.rename(folder / LIST)


def sync(path: Path) -> None:
    """Have a file or folder on disk before what follows."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
