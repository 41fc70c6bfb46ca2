"""Captures read in a process of their own, while this one detects: two cores share a replay.

The child starts before the settings are known, so that its modules load beside this one's. It is
told the settings and the files, and sends one message a stretch of event time. What it sends is
exactly what `collector.replay` yields, so that nothing depends on where captures are read.
"""

from __future__ import annotations

import gc
import os
import pickle
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collector.capture import CaptureError
    from collector.observations import CollectorHealth, Observations
    from collector.replay import Progress, Replay
    from collector.settings import CollectorSettings

#: A second process costs a second of processor time; smaller captures are read before that.
_WORTH_BYTES: Final = 64 << 20
#: Stretches of event time that may wait for the detectors.
_AHEAD: Final = 4
_GOODBYE_S: Final = 10.0
_ROOT: Final = Path(__file__).resolve().parent.parent


@contextmanager
def reading_process(captures: Sequence[Path]) -> Iterator[ReadingProcess | None]:
    """A process that is ready to read these captures, or None where they are too few."""
    if sum(map(_size, captures)) < _WORTH_BYTES:
        yield None
        return
    process = ReadingProcess()
    try:
        yield process
    finally:
        process.close()


class ReadingProcess:
    """The child as the parent sees it."""

    def __init__(self) -> None:
        """Start it; it loads what reading needs and waits."""
        self._connection, theirs = Pipe()
        paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            # -P: files beside the captures, which others may have written, are no modules.
            [sys.executable, "-P", "-m", "collector.reading_process", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": paths},
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
        )
        theirs.close()
        self._has_begun = False

    def begin(self, settings: CollectorSettings, paths: Sequence[Path]) -> None:
        """Let it read these captures from now on, until some of it waits to be taken."""
        self._has_begun = True
        with suppress(OSError):  # it has ended; whoever reads on is told
            self._connection.send((settings, list(paths)))

    def replay(
        self, settings: CollectorSettings, on_progress: Callable[[Progress], None] | None
    ) -> ReplayApart:
        """What reads in the child as `Replay` would here; only once."""
        begin = None if self._has_begun else partial(self.begin, settings)
        return ReplayApart(self._connection, self._process, begin, on_progress)

    def close(self) -> None:
        """End it: it ends by itself once nobody listens."""
        self._connection.close()
        try:
            self._process.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class ReplayApart:
    """Has what `collector.replay.Replay` has; its reading happens in another process."""

    def __init__(
        self,
        connection: Connection,
        process: subprocess.Popen[bytes],
        begin: Callable[[Sequence[Path]], None] | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        from collector.observations import CollectorHealth

        self._connection = connection
        self._process = process
        self._begin = begin
        self._on_progress = on_progress
        self.faults: list[CaptureError] = []
        self.health: CollectorHealth = CollectorHealth()

    def read(self, paths: Sequence[Path]) -> Generator[Observations, None, None]:
        """Yield observations, of what it has begun with if it has begun.

        RuntimeError if the process fails or ends before its work is done.
        """
        if self._begin is not None:
            self._begin(paths)
        while True:
            kind, told = self._next()
            if kind == "progress":
                if self._on_progress is not None:
                    self._on_progress(told)
            elif kind == "seen":
                self.health = told.health
                yield told
            elif kind == "end":
                self.faults, self.health = told
                return
            else:
                raise RuntimeError(f"captures could not be read:\n{told}")

    def _next(self) -> tuple[str, Any]:
        try:
            told: tuple[str, Any] = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - own child
        except (EOFError, OSError):
            status = self._process.wait(_GOODBYE_S)
            raise RuntimeError(
                f"the process that reads the captures ended too early (status {status}); "
                "if the system was short of memory, replay fewer files at once"
            ) from None
        return told


def _size(path: Path) -> int:
    """Bytes of a file, or of a folder's files; 0 where nothing can be read."""
    with suppress(OSError):
        if path.is_dir():
            return sum(inside.stat().st_size for inside in path.iterdir())
        return path.stat().st_size
    return 0


class _Sender(threading.Thread):
    """Sends what the child has read while it reads on; `_AHEAD` messages wait at most."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(name="sender", daemon=True)
        self._connection = connection
        self._waiting: queue.Queue[bytes] = queue.Queue(_AHEAD)
        self._is_alone = False

    def send(self, kind: str, told: Any) -> None:
        """Lay it out as it is now; BrokenPipeError if nobody listens any more."""
        if self._is_alone:
            raise BrokenPipeError
        self._waiting.put(pickle.dumps((kind, told), pickle.HIGHEST_PROTOCOL))

    def end(self) -> None:
        self._waiting.put(b"")
        self.join()

    def run(self) -> None:
        try:
            while message := self._waiting.get():
                self._connection.send_bytes(message)
        except BaseException as fault:
            self._is_alone = True
            while self._waiting.get():
                pass  # what waits is taken, so that nothing waits for ever
            if not isinstance(fault, OSError):  # nobody listens: the parent knows why
                raise


def _serve(connection: Connection) -> None:
    """Read what the parent asks for, and tell it."""
    import collector.lanes  # noqa: F401 - loaded while the parent reads its settings
    from collector.replay import Replay

    try:
        settings, paths = connection.recv()
    except EOFError:
        return
    sender = _Sender(connection)
    sender.start()
    replay = Replay(settings, lambda progress: sender.send("progress", progress))
    try:
        _read(replay, paths, sender)
    except BrokenPipeError:
        pass  # the parent has ended before the captures
    except Exception:
        sender.send("fault", traceback.format_exc())
    sender.end()


def _read(replay: Replay, paths: Sequence[Path], sender: _Sender) -> None:
    with closing(replay.read(paths)) as reading:  # ends tshark, whatever happens
        for seen in reading:
            sender.send("seen", seen)
    sender.send("end", (replay.faults, replay.health))


if __name__ == "__main__":
    gc.set_threshold(1_000_000, 50, 50)  # as a replay does
    _serve(Connection(int(sys.argv[1])))
    os._exit(0)  # all is sent; to take apart what it holds would take a third of a second
