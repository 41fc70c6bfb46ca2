"""The supervisor: what is killed comes again, and what is ended may store what it has."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from api.supervising import Supervisor

WORK = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[2])
def end(*_):
    (folder / "stored").write_text("all")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(folder / f"{time.monotonic_ns()}.pid").write_text(str(os.getpid()))
while True:
    time.sleep(0.05)
"""


def lives(folder: Path, count: int) -> list[int]:
    """Process ids in order of their start, once there are so many."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told = [path.read_text() for path in sorted(folder.glob("*.pid"))]
        if len(told) >= count and all(told):
            return [int(pid) for pid in told]
        time.sleep(0.05)
    raise AssertionError(f"there were never {count} lives")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_killed_is_started_again_and_ends_in_peace(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(WORK)
    supervisor = Supervisor([[sys.executable, str(script), "collect", str(tmp_path)]])
    supervisor.start()
    try:
        (first,) = lives(tmp_path, 1)
        os.kill(first, signal.SIGKILL)
        _, second = lives(tmp_path, 2)
        assert is_alive(second)
    finally:
        supervisor.end()
    assert (tmp_path / "stored").read_text() == "all"
    assert not is_alive(second)
    assert len(lives(tmp_path, 2)) == 2
