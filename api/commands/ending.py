"""How a command ends: 0 done, 1 done but part of its input was faulty, 2 it could not be done.

What a person can mend (a path, a full disk, a file of another program) is told in one line, never
as a traceback; 130 is Ctrl-C.
"""

from __future__ import annotations

import atexit
import errno
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import Final, NoReturn

import typer

from detector.database import UnusableState

_NOT_DONE: Final = 2
#: What to do about what the system refuses.
_TO_DO: Final = {
    errno.ENOENT: "correct the path, or make the folder",
    errno.EACCES: "run as the user who owns it, or change its owner",
    errno.EPERM: "run as the user who owns it, or change its owner",
    errno.ENOSPC: "make room there, then run the command again",
    errno.EDQUOT: "make room there, then run the command again",
    errno.EROFS: "name another folder with --state or --out",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "a file stands where a folder should be; name another",
    errno.EEXIST: "a file stands where a folder should be; name another",
    errno.EADDRINUSE: "end the other program, or name another port",
    errno.EADDRNOTAVAIL: "name an address of this machine",
}


@contextmanager
def told_in_words() -> Iterator[None]:
    """Turn what the system refuses into one line on stderr and exit status 2."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # here and not at the end of Python, which would show a traceback
    except BrokenPipeError:  # `| head` has seen enough
        _forget_stdout()
        raise SystemExit(1) from None
    except (OSError, sqlite3.Error, UnusableState) as fault:
        _forget_stdout()
        typer.echo(refusal(fault), err=True)
        raise SystemExit(_NOT_DONE) from None


def write_what_the_terminal_cannot() -> None:
    """Characters that the locale lacks are written by their numbers, instead of ending a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def leave(status: str | int | None) -> NoReturn:
    """End the process, but do not take apart what it holds, which takes a third of a second.

    Threads are waited for and exit handlers run, as Python itself does before.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status if isinstance(status, int) else status is not None)


def refusal(fault: Exception) -> str:
    """What was refused, where, and what to do."""
    if not isinstance(fault, OSError):
        return f"the state's database: {fault}" if isinstance(fault, sqlite3.Error) else str(fault)
    where = fault.filename if isinstance(fault.filename, str) else ""
    what = fault.strerror or str(fault)
    to_do = _TO_DO.get(fault.errno or 0, "")
    return ": ".join(filter(None, [where, what])) + (f"; {to_do}" if to_do else "")


def _forget_stdout() -> None:
    """Nothing more can be written there; Python would try again when it ends."""
    with suppress(OSError, ValueError):
        sys.stdout.close()
