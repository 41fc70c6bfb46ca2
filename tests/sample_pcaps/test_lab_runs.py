"""Short stories of the lab hospital, played by real programs and told by Mimawari."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sample_pcaps.lab.check import Verdict, check
from sample_pcaps.lab.hosts import LabError
from sample_pcaps.lab.needs import missing
from sample_pcaps.lab.network import Network
from sample_pcaps.lab.stories import STORIES
from sample_pcaps.lab.story import Story, play

NOTHING = Story("nothing", "nothing", lambda stage: time.sleep(30), limit_s=1)
PLAYED = ("openvpn-tls-crypt", "router-mobile", "tether-ios-dns-update", "scan-syn-sweep",
          "tools-copied", "benign-files")  # fmt: skip

pytestmark = pytest.mark.skipif(
    bool(missing(NOTHING)), reason="; ".join(missing(NOTHING)) or "all there"
)


def namespaces() -> str:
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return listed.stdout


@pytest.mark.parametrize("name", PLAYED)
def test_a_story_is_told(name: str, tmp_path: Path) -> None:
    story = next(s for s in STORIES if s.name == name)
    if causes := missing(story):
        pytest.skip("; ".join(causes))
    verdicts = check(play(story, tmp_path), ("span", "listener"))
    assert on(verdicts, "span").word == ("quiet" if story.is_benign else "found")
    assert on(verdicts, "listener").word in ("quiet", "found", "blind")


def on(verdicts: list[Verdict], lane: str) -> Verdict:
    return next(v for v in verdicts if v.lane == lane)


def test_nothing_leaves_the_lab_and_nothing_stays_behind(tmp_path: Path) -> None:
    with Network(tmp_path) as network:
        terminal = network.join("EMR-3E-01")
        mine = network.switch.machine.namespace.split("-")[0]
        assert f"{mine}-" in namespaces()
        network.outside_address("198.51.100.7")
        assert " 0% packet loss" in terminal.run("ping", "-c", "1", "198.51.100.7")
        # The machine's own network is not reachable from anywhere in the lab.
        with pytest.raises(LabError):
            network.outside.run("ping", "-c", "1", "-W", "1", "9.9.9.9")
    assert f"{mine}-" not in namespaces()


def test_a_run_is_bounded_in_time(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="over 1 s"):
        play(NOTHING, tmp_path)


def test_what_a_crash_left_is_swept(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from sample_pcaps.lab.network import Network
        with Network(Path({str(tmp_path)!r})) as network:
            print(network.switch.machine.namespace, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert told.returncode == -signal.SIGKILL
    left = told.stdout.strip()
    assert left in namespaces()
    swept = [sys.executable, "-m", "sample_pcaps.lab", "--clean"]
    assert left in subprocess.run(swept, capture_output=True, text=True, check=True).stdout
    assert left not in namespaces()
