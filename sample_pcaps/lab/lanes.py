"""What the three sensors get: SPAN and VLAN-listener captures, and NetFlow of what is routed."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from sample_pcaps.lab.hosts import LabError, Machine, Program
from sample_pcaps.lab.switch import LISTENER, ROUTED, SPAN

LANES = ("span", "listener", "netflow")

#: Seconds that frames and exports need from the switch to the files.
_SETTLE_S = 0.5
_EXPORT_PORT = 2055


@dataclass
class Recording:
    """Running captures of one switch; `stop` ends them and returns the files by lane."""

    switch: Machine
    folder: Path
    captures: list[Program]

    def stop(self) -> dict[str, Path]:
        time.sleep(_SETTLE_S)
        *taps, exports = self.captures
        for capture in taps:
            _end(capture)
        self._export()
        time.sleep(_SETTLE_S)
        _end(exports)
        return {lane: self.folder / f"{lane}.pcap" for lane in LANES}

    def _export(self) -> None:
        """softflowd's export of what was routed, a minute's active timeout, as datagrams.

        It reads the routed mirror from a file: on a live interface softflowd 1.1.0 waits for ever
        (libpcap 1.10 on TPACKET_V2).
        """
        run = self.switch.folder / "run"
        self.switch.run(
            "softflowd", "-d", "-a", "-r", self.folder / "routed.pcap",
            "-n", f"127.0.0.1:{_EXPORT_PORT}", "-v", "9", "-T", "vlan", "-t", "maxlife=60",
            "-c", "none", "-p", run / "flow.pid",
        )  # fmt: skip
        (self.folder / "routed.pcap").unlink()


def record(switch: Machine, folder: Path) -> Recording:
    """Capture the mirror port, the listener port, the routed part and what is exported of it."""
    captures = [
        _capture(switch, lane, folder / f"{lane}.pcap") for lane in (SPAN, LISTENER, ROUTED)
    ]
    exports = _capture(switch, "lo", folder / "netflow.pcap", f"udp port {_EXPORT_PORT}")
    return Recording(switch, folder, [*captures, exports])


def _end(capture: Program) -> None:
    capture.stop(signal.SIGINT, patience_s=5.0)
    lost = re.search(r"^([1-9]\d*) packets dropped by kernel", capture.said(), re.M)
    if lost:
        raise LabError(f"{capture.name}: lost {lost[1]} packets; the truth would be wrong")


def _capture(switch: Machine, interface: str, file: Path, *chosen: str) -> Program:
    words = ["tcpdump", "-i", interface, "-w", str(file), "-U", "-n", "-B", "16384"]
    words += ["--immediate-mode", "-Z", "root"]
    return switch.start(*words, *chosen).until_says("listening on")
