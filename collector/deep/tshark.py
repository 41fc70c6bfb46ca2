"""One tshark process: frames go in through a pipe, and a line comes back for each."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from collector.deep import pcapng
from collector.deep.fields import ARGUMENTS
from collector.deep.settings import DeepSettings

_ROOT: Final = 0
_WRITE_BYTES: Final = 1 << 16
_PIPE_BYTES: Final = 1 << 20
_READ_BYTES: Final = 1 << 18
_READ_PAUSE_S: Final = 0.001
_GOODBYE_S: Final = 5.0
#: It writes nothing but complaints.
_ERRORS_BYTES: Final = 16 << 20


class TsharkFailed(Exception):
    """tshark died, or did not answer in time; what it was fed is lost."""


class Tshark:
    """A running tshark. A thread reads its lines, so that writing to it can never wait for us."""

    def __init__(self, settings: DeepSettings) -> None:
        """Start the process; OSError if there is no such program."""
        self._timeout_s = settings.stall_timeout_s
        words = command(settings)
        self._home = tempfile.TemporaryDirectory(prefix="mimawari-deep-")
        Path(self._home.name).chmod(0o755)  # its own user must enter; it is and stays empty
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=self._home.name,
            env=_environment(self._home.name),
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._input = self._process.stdin.fileno()
        os.set_blocking(self._input, False)
        _widen(self._input)
        self._lines: list[str] = []
        self._answered = self._awaited = 0
        self._has_ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="tshark lines", daemon=True)
        self._reader.start()
        self._links: dict[int, int] = {}
        self._pending = bytearray(pcapng.section())
        self.fed = 0

    @property
    def answered(self) -> int:
        """Lines that came back so far."""
        return self._answered

    def feed(
        self, link_type: int, time_ns: int, frame: bytes | memoryview, wire_length: int
    ) -> None:
        """Hand over a frame; it leaves when enough have come together, or at `lines`."""
        number = self._links.get(link_type)
        if number is None:
            number = self._links[link_type] = len(self._links)
            self._pending += pcapng.interface(link_type)
        self._pending += pcapng.packet(number, time_ns, frame, wire_length)
        self.fed += 1
        if len(self._pending) >= _WRITE_BYTES:
            self._flush()

    def send(self) -> None:
        """Let all that was fed leave."""
        if self._pending:
            self._flush()

    def lines(self, but: int = 0) -> list[str]:
        """Wait until all that was fed is dissected; return the lines that were not yet taken.

        The last `but` frames are not waited for; all others must have been sent then.
        """
        if not but:
            self.send()
        with self._news:
            self._awaited = self.fed - but
            while self._answered < self._awaited and not self._has_ended:
                before = self._answered
                if not self._news.wait(self._timeout_s) and self._answered == before:
                    break
            if self._answered < self._awaited:
                raise TsharkFailed(self._last_words())
            taken, self._lines = self._lines, []
        return taken

    def taken(self) -> list[str]:
        """The lines that have come back and were not yet taken, without waiting."""
        with self._news:
            taken, self._lines = self._lines, []
        return taken

    def close(self) -> None:
        """Let it end, or kill it; nothing is waited for longer than a few seconds."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(0 if self.fed > self._answered else _GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._errors.close()
        self._home.cleanup()

    def _flush(self) -> None:
        view = memoryview(bytes(self._pending))
        self._pending.clear()
        deadline = time.monotonic() + self._timeout_s
        while view:
            _, ready, _ = select.select([], [self._input], [], 1.0)
            try:
                sent = os.write(self._input, view[:_WRITE_BYTES]) if ready else 0
            except BlockingIOError:
                sent = 0
            except OSError:
                raise TsharkFailed(self._last_words()) from None
            view = view[sent:]
            if sent:
                deadline = time.monotonic() + self._timeout_s
            elif time.monotonic() > deadline:
                raise TsharkFailed(self._last_words())

    def _read(self) -> None:
        assert self._process.stdout
        output, rest = self._process.stdout.fileno(), b""
        while chunk := os.read(output, _READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            with self._news:
                self._lines.extend(line.decode("utf-8", "backslashreplace") for line in lines)
                self._answered += len(lines)
                if self._answered >= self._awaited:
                    self._news.notify()
            # tshark writes line by line; woken for each, this thread would halve our speed.
            time.sleep(_READ_PAUSE_S)
        with self._news:
            self._has_ended = True
            self._news.notify()

    def _last_words(self) -> str:
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 300))
        words = self._errors.read().decode("utf-8", "replace").strip()
        return f"tshark {'ended' if self._has_ended else 'did not answer'}: {words}"


def command(settings: DeepSettings) -> list[str]:
    """tshark with its limits; as root it gives up root and may never gain rights again."""
    limits = ["nice", "-n", str(settings.niceness)]
    if shutil.which("prlimit"):
        limits += [
            "prlimit",
            f"--as={settings.memory_bytes}",
            "--core=0",
            f"--fsize={_ERRORS_BYTES}",
        ]
    if os.geteuid() == _ROOT and shutil.which("setpriv"):
        limits += ["setpriv", f"--reuid={settings.user}", f"--regid={_group(settings.user)}",
                   "--clear-groups", "--no-new-privs", "--bounding-set=-all"]  # fmt: skip
    return [*limits, settings.program, *ARGUMENTS]


def _widen(pipe: int) -> None:
    """Let more wait in the pipe, so that we seldom wait for tshark; refused to some accounts."""
    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _environment(home: str) -> dict[str, str]:
    folders = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "TMPDIR"), home)
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", **folders}
