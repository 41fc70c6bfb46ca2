"""Runs mark what they made, so that a later run can clear away what a crash left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO

#: One locked file a living run; the file's name is the prefix of the run's namespaces.
MARKS = Path("/run/mimawari-lab")
PREFIX = "mwlab"


def claim() -> tuple[str, IO[str]]:
    """A prefix nobody else uses, and the open file that keeps it ours until it is closed."""
    MARKS.mkdir(parents=True, exist_ok=True)
    for number in range(1000):
        mark = (MARKS / f"{PREFIX}{number}").open("w")
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mark.close()
            continue
        if os.fstat(mark.fileno()).st_nlink:  # 0: another run swept it in between
            return Path(mark.name).name, mark
        mark.close()
    raise RuntimeError(f"{MARKS}: a thousand runs hold their marks; are they all alive?")


def sweep() -> list[str]:
    """Remove what dead runs left: their programs, namespaces and marks. Returns the namespaces."""
    gone: list[str] = []
    for path in sorted(MARKS.glob(f"{PREFIX}*")) if MARKS.is_dir() else []:
        with path.open("w") as mark, suppress(BlockingIOError):
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone += remove_namespaces(path.name)
            path.unlink(missing_ok=True)
    return gone


def remove_namespaces(prefix: str) -> list[str]:
    """End every process in the namespaces of one run and delete them."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    mine = [name for line in listed.stdout.splitlines() if (name := line.split()[0])]
    mine = [name for name in mine if name.startswith(f"{prefix}-")]
    for name in mine:
        end_processes(name)
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)
    return mine


def end_processes(namespace: str) -> None:
    """End every process that lives in a namespace; only ours are ever put there."""
    told = subprocess.run(
        ["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False
    )
    for pid in told.stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
