"""`mimawari collect` as a test runs it: started, watched by its health, killed, ended."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.flows import FlowBatch
from collector.spool import SpoolReader
from tests.collector.wires import Wire, mimawari, settings_file, spooled

_WAIT_S = 300  # compiling the loops anew takes minutes on a small machine


class Collecting:
    """A collector with one source."""

    def __init__(self, folder: Path, source: dict[str, object], cable: Wire | None = None) -> None:
        self.state = folder / "state"
        self._command = mimawari("collect", settings_file(folder, [source]), self.state)
        place = source.get("interface", source.get("folder", "127.0.0.1 0"))
        self._name = f"{source['kind']} {place}"
        self._cable = cable
        self.start()

    def start(self) -> None:
        self._before = max((number for number, _ in self._sources()), default=-1)
        if self._cable is None:
            self._process = subprocess.Popen([str(word) for word in self._command])
        else:
            self._process = self._cable.start(self._cable.far, *self._command)

    def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What this process says of its source as soon as it is so."""
        deadline, told = time.monotonic() + _WAIT_S, {}
        while time.monotonic() < deadline:
            seen = [sources for number, sources in self._sources() if number > self._before]
            told = seen[-1].get(self._name, {}) if seen else {}
            if told.get("state") == "up" and is_so(told):
                return told
            time.sleep(0.02)
        raise AssertionError(f"never so: {told}")

    def until_flows(self, count: int) -> FlowBatch:
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            if len(flows := self.flows()) >= count:
                return flows
            time.sleep(0.1)
        raise AssertionError("the flows never came")

    def flows(self) -> FlowBatch:
        """All that is in the spool, of every process."""
        return FlowBatch.join([seen.flows for seen in spooled(self.state)])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> FlowBatch:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(_WAIT_S) == 0
        return self.flows()

    def _sources(self) -> list[tuple[int, dict[str, Any]]]:
        return [(n, s.health.sources) for n, s in SpoolReader(self.state / "spool").after(-1)]
