"""Damaged files of the lake stand aside, so that they keep neither hunts nor merges from the rest.

A power cut or a failing disk leaves them. They keep their name with another ending, for who can
still save something, and go with their day.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from collector.lake_merging import DAMAGED, LIST, rows_of


def set_aside(files: Sequence[Path]) -> int:
    """Take those that cannot be read out of the way; how many there were.

    Reads them whole: to be asked only when something has failed.
    """
    damaged = [file for file in files if not _can_be_read(file)]
    for file in damaged:
        with suppress(FileNotFoundError):  # another process met it too
            file.rename(file.with_name(file.name + DAMAGED))
    return len(damaged)


def rows_aside(folder: Path) -> int:
    """How many flows the lake's damaged files held, as their names say."""
    return sum(rows_of(Path(file.stem)) for file in folder.glob(f"day=*/flows-*{DAMAGED}"))


def lists_aside(folder: Path) -> int:
    """How many days lost their list of what was merged."""
    return sum(1 for _ in folder.glob(f"day=*/{LIST}{DAMAGED}"))


def _can_be_read(file: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            for _ in opened.iter_batches():
                pass
    except FileNotFoundError:  # gone with its day, or merged
        return True
    except (OSError, ValueError, pa.ArrowException):
        return False
    return True
