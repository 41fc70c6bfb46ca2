"""Programs that do the same work, for comparison; Python ones live in a folder of the bench's own.

NFStream and pyshark are installed into `.venv-peers` on first use, never into the product. What
cannot be installed is left out, and the table says so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / ".venv-peers"
_PACKAGES: Final = ("nfstream", "pyshark")

_NFSTREAM = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    print(sum(1 for _ in NFStreamer(source=sys.argv[1], accounting_mode=1, n_dissections=0)))
"""
_PYSHARK = """
import sys
import pyshark
with pyshark.FileCapture(sys.argv[1], keep_packets=False) as capture:
    print(sum(1 for _ in capture))
"""


@dataclass(frozen=True)
class Peer:
    """A program that reads a capture; `most_packets` is how many it is given, 0 for all."""

    name: str
    command: list[str]
    most_packets: int = 0

    @property
    def is_here(self) -> bool:
        return shutil.which(self.command[0]) is not None


def peers(capture: Path, excerpt: Path, folder: Path, packets: int) -> Iterator[Peer]:
    """The other programs, with what they read; slow ones read an excerpt of `packets` packets."""
    store = str(folder / "nf")
    yield Peer("nfpcapd", ["nfpcapd", "-r", str(capture), "-w", store])
    yield Peer(
        "softflowd",
        ["softflowd", "-r", str(capture), "-n", "127.0.0.1:9", "-v", "9", "-d", "-c", "none",
         "-m", "2000000"],
    )  # fmt: skip
    python = str(VENV / "bin" / "python")
    yield Peer("NFStream, no DPI", [python, "-c", _NFSTREAM, str(excerpt)], packets)
    yield Peer("tshark -z conv,ip", ["tshark", "-n", "-q", "-z", "conv,ip", "-r", str(excerpt)],
               packets)  # fmt: skip
    tenth = excerpt.with_name("tenth.pcap")
    yield Peer("pyshark", [python, "-c", _PYSHARK, str(tenth)], packets // 10)


def install() -> None:
    """Install the Python peers, if they are not; a failure is told and costs only their rows."""
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-q",
           "--disable-pip-version-check"]  # fmt: skip
    for package in _PACKAGES:
        is_here = subprocess.run(
            [str(VENV / "bin" / "python"), "-c", f"import {package}"],
            capture_output=True,
            check=False,
        )
        if is_here.returncode and subprocess.run([*pip, package], check=False).returncode:
            print(f"{package} could not be installed; its row will be missing", file=sys.stderr)


def cut(capture: Path, excerpt: Path, packets: int) -> int:
    """Copy the capture's first packets (classic pcap, host order); returns how many there were."""
    count = 0
    with capture.open("rb") as source, excerpt.open("wb") as target:
        target.write(source.read(24))
        while count < packets and len(head := source.read(16)) == 16:
            target.write(head + source.read(int.from_bytes(head[8:12], sys.byteorder)))
            count += 1
    return count
