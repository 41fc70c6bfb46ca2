"""A machine of the lab: a namespace with its own network, name and /run, and its programs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: Seconds between two looks at whether a program is ready.
_LOOK_S = 0.05


class LabError(Exception):
    """Something of the lab did not work; the message says which program and what it last said."""


def call(*words: str, given: str = "", fine: tuple[int, ...] = (0,)) -> str:
    """Run a program outside any namespace; raise `LabError` with its words if it ended badly."""
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if done.returncode not in fine:
        raise LabError(f"{' '.join(words)}: status {done.returncode}: {done.stderr[-600:]}")
    return done.stdout


@dataclass
class Program:
    """A program that runs on a machine; its output is in `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float = 15.0) -> Program:
        """Wait until it is ready; raise `LabError` with its last words if it ends or takes long."""
        until = time.monotonic() + timeout_s
        while not is_ready():
            if self.process.poll() not in (None, 0):
                raise LabError(f"{self.name} ended: {self.said()[-600:]}")
            if time.monotonic() > until:
                raise LabError(f"{self.name} not ready in {timeout_s:.0f} s: {self.said()[-600:]}")
            time.sleep(_LOOK_S)
        return self

    def until_says(self, pattern: str, timeout_s: float = 15.0) -> Program:
        """Wait until its output matches a regular expression."""
        return self.wait_until(lambda: re.search(pattern, self.said()) is not None, timeout_s)

    def wait(self, timeout_s: float = 60.0) -> str:
        """Wait for its end; returns what it said."""
        self.process.wait(timeout_s)
        return self.said()

    def stop(self, how: signal.Signals = signal.SIGTERM, patience_s: float = 2.0) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(patience_s)


@dataclass
class Machine:
    """One namespace seen as a machine. `folder` holds its files; it goes with the run."""

    name: str
    ip: str
    mac: str
    namespace: str
    folder: Path
    name_server: str = ""
    programs: list[Program] = field(default_factory=list)

    def __post_init__(self) -> None:
        for sub in ("run", "files"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        self.ask_names_of(self.name_server)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{self.ip} {self.name}\n")
        (self.folder / "enter").write_text(self._entering())

    def _entering(self) -> str:
        """What a program sees as its machine: own host name, /run and name server."""
        binds = {"run": "/run", "resolv.conf": "/etc/resolv.conf",
                 "hosts": "/etc/hosts"}  # fmt: skip
        lines = [f"mount --bind '{self.folder / own}' {seen}" for own, seen in binds.items()]
        return "\n".join(["set -e", f"hostname {self.name}", *lines, 'exec "$@"\n'])

    def ask_names_of(self, server: str) -> None:
        """Make this the name server of all programs started from now on; none if empty."""
        resolver = f"nameserver {server}\n" if server else ""
        (self.folder / "resolv.conf").write_text(resolver + "options timeout:1 attempts:1\n")

    def command(self, *words: str | Path) -> list[str]:
        """The whole command line that runs `words` on this machine."""
        entered = ["nsenter", f"--net=/run/netns/{self.namespace}", "unshare", "--mount", "--uts"]
        return [*entered, "sh", str(self.folder / "enter"), *map(str, words)]

    def run(
        self,
        *words: str | Path,
        timeout_s: float = 30.0,
        check: bool = True,
        given: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a program to its end; returns what it said on both outputs."""
        try:
            done = subprocess.run(
                self.command(*words),
                input=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
                cwd=self.folder / "files",
                env={**os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired as late:
            if check:
                raise LabError(f"{self.name}: {words[0]} took over {timeout_s:.0f} s") from late
            return str(late.output or "")
        if check and done.returncode != 0:
            told = f"{self.name}: {' '.join(map(str, words))}: status {done.returncode}"
            raise LabError(f"{told}: {done.stdout[-600:]}")
        return done.stdout

    def start(
        self, *words: str | Path, environment: Mapping[str, str] | None = None, given: bytes = b""
    ) -> Program:
        """Start a program that stays; it is stopped with the lab at the latest."""
        name = f"{Path(words[0]).name}"
        log = self.folder / f"{len(self.programs):02}-{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(*words),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder / "files",
                env={**os.environ, **(environment or {})},
            )
        program = Program(f"{self.name}: {name}", process, log)
        self.programs.append(program)
        if process.stdin is not None and given:
            process.stdin.write(given)
            process.stdin.flush()
        return program

    def serve(
        self,
        port: int,
        *words: str | Path,
        udp: bool = False,
        timeout_s: float = 15.0,
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        """Start a server and wait until something listens on its port."""
        program = self.start(*words, environment=environment)
        return program.wait_until(lambda: self.listens(port, udp=udp), timeout_s)

    def listens(self, port: int, *, udp: bool = False) -> bool:
        """True if a socket of this machine is bound to the port."""
        asked = ["nsenter", f"--net=/run/netns/{self.namespace}", "ss", "-Hn"]
        told = call(*asked, "-ul" if udp else "-tl", f"sport = :{port}")
        return bool(told.strip())

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write one of the machine's files; returns its path."""
        path = self.folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def stop(self) -> None:
        """Stop all programs, the last started first."""
        for program in reversed(self.programs):
            if program.process.stdin is not None:
                with suppress(OSError):
                    program.process.stdin.close()
            program.stop()
