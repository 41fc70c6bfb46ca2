"""Keeps the live processes running beside the server: starts them again when they end."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

import structlog

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_HEALTHY_S = 60.0
_GOODBYE_S = 60.0
_SET_DEATH_SIGNAL = 1


class Supervisor:
    """Runs commands as child processes until `end`; one that ends is started again."""

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        self._keepers = [_Keeper(command) for command in commands]

    def start(self) -> None:
        for keeper in self._keepers:
            keeper.start()

    def end(self) -> None:
        """Let them store what they have, one after another: a later one takes what is left."""
        for keeper in self._keepers:
            keeper.ending.set()
            keeper.join()


class _Keeper(threading.Thread):
    """Keeps one command running."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(name=command[2])
        self.ending = threading.Event()
        self._command = command

    def run(self) -> None:
        log, pause_s = structlog.get_logger(), _FIRST_PAUSE_S
        while not self.ending.is_set():
            started = time.monotonic()
            process = subprocess.Popen(self._command, preexec_fn=die_with_parent)
            while process.poll() is None and not self.ending.wait(0.2):
                pass
            if self.ending.is_set():
                _stop(process)
                return
            log.error("process ended", command=self.name, status=process.returncode)
            is_healthy = time.monotonic() - started > _HEALTHY_S
            pause_s = _FIRST_PAUSE_S if is_healthy else min(2 * pause_s, _LONGEST_PAUSE_S)
            self.ending.wait(pause_s)


def die_with_parent() -> None:
    """Linux: SIGTERM comes when the parent is gone, so that nothing runs on unsupervised."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GOODBYE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
