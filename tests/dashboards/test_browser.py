"""The console in a real Chromium: each file of `browser/` in a process of its own.

Chromium now and then never answers a call that has no time limit (a new tab, a closed one), and the
whole run would stand still with it. A file whose browser stood still is run again; a test that
fails is not.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dashboards.browser.conftest import CHROMIUM, STOOD_STILL

_FILES = sorted((Path(__file__).parent / "browser").glob("test_*.py"))
_ROOT = Path(__file__).resolve().parents[2]
_TRIES = 3


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem.removeprefix("test_"))
def test_in_a_browser(file: Path, tmp_path: Path) -> None:
    if not CHROMIUM:
        pytest.skip("no Chromium; apt-get install chromium-headless-shell")
    logs = [tmp_path / f"try-{number}.txt" for number in range(_TRIES)]
    for log in logs:
        code = _run(file, log)
        print(log.read_text(errors="replace"))
        if code != STOOD_STILL:
            break
    assert code == 0, f"exit code {code} after {logs.index(log) + 1} tries"


def _run(file: Path, log: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(file)]
    with log.open("wb") as told:  # a pipe would stay open as long as any of Chromium's processes
        return subprocess.run(command, cwd=_ROOT, stdout=told, stderr=told, check=False).returncode
