"""How the process ends: at once, but with nothing left undone."""

import subprocess
import sys
from pathlib import Path

import pytest

_ENDS = """
import atexit, sys, threading, time
from pathlib import Path
from api.commands.ending import leave
here = Path(sys.argv[1])
def late():
    time.sleep(0.2)
    (here / "thread").write_text("done")
threading.Thread(target=late).start()
atexit.register(lambda: (here / "handler").write_text(str((here / "thread").exists())))
print("told", end="")
leave({status!r})
"""


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (2, 2), (None, 0), ("a fault", 1)])
def test_threads_handlers_and_output_are_done_before_the_end(
    tmp_path: Path, status: object, expected: int
) -> None:
    code = _ENDS.replace("{status!r}", repr(status))
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (expected, b"told"), done.stderr
    assert (tmp_path / "handler").read_text() == "True"
