"""Use cases of evidence: an alert's packets, to download or to look at taken apart."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import api
from api.faults import NotFound, Unacceptable, Unavailable
from api.people import Person
from api.services.gate import Gate
from api.settings import ApiSettings
from detector.store import Store

_ALERT_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_MAGICS = (
    b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip
_MOST_ANSWER = 32 << 20  # bytes of JSON


@dataclass(frozen=True)
class Layer:
    """One protocol of a packet and the fields that are shown."""

    name: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class PacketSummary:
    """One packet without its payload; `time` is seconds since 1970 UTC, as tshark writes it."""

    number: int
    time: str
    length: int
    captured: int
    protocols: tuple[str, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Dissection:
    """Packets of one alert's evidence; `note` tells what could not be read."""

    packets: tuple[PacketSummary, ...]
    has_more: bool = False
    note: str = ""


class EvidenceService:
    """Evidence captures stand at `state_dir/evidence/<alert id>.pcap`."""

    def __init__(self, store: Store, gate: Gate, settings: ApiSettings) -> None:
        self._store = store
        self._gate = gate
        self._folder = settings.state_dir / "evidence"
        self._timeout_s = settings.dissect_timeout_s
        self._most_packets = settings.dissect_most_packets
        self._turns = BoundedSemaphore(2)

    def size(self, person: Person | None, alert_id: str) -> int:
        """Bytes of an alert's capture; 0 if none was kept. Needs alerts.read."""
        self._gate.look(person, "alerts.read", "evidence.size", f"alert/{alert_id}")
        path = self._path(alert_id)
        return path.stat().st_size if path.is_file() else 0

    def download(self, person: Person | None, alert_id: str) -> Path:
        """The capture file of an alert. Needs evidence.read."""
        with self._gate.act(person, "evidence.read", "evidence.download", f"alert/{alert_id}"):
            return self._existing(alert_id)

    def redacted(self, person: Person | None, alert_id: str) -> bytes:
        """The same capture with every payload cut off. Needs evidence.read."""
        from collector.capture import CaptureError
        from collector.evidence import redact_capture

        with self._gate.act(person, "evidence.read", "evidence.redacted", f"alert/{alert_id}"):
            try:
                return redact_capture(self._existing(alert_id))
            except CaptureError as fault:
                raise Unacceptable(f"the evidence cannot be read: {fault.reason}") from None

    def dissect(self, person: Person | None, alert_id: str, limit: int = 100) -> Dissection:
        """The packets of an alert, taken apart by tshark, without payload. Needs evidence.read."""
        with self._gate.act(person, "evidence.read", "evidence.dissect", f"alert/{alert_id}"):
            if not 1 <= limit <= self._most_packets:
                raise Unacceptable(f"limit: must be 1 to {self._most_packets}, got {limit}")
            path = self._existing(alert_id)
            with path.open("rb") as capture:
                if capture.read(4) not in _MAGICS:
                    raise Unacceptable(f"the evidence of alert {alert_id} is not a capture file")
            if shutil.which("tshark") is None:
                raise Unavailable("tshark is not installed here; `mimawari doctor` says more")
            if not self._turns.acquire(timeout=self._timeout_s):
                raise Unavailable("other dissections are running; try again", retry_after_s=10)
            try:
                return _run(path, limit, self._timeout_s)
            finally:
                self._turns.release()

    def _existing(self, alert_id: str) -> Path:
        path = self._path(alert_id)
        if not path.is_file():
            raise NotFound(f"no packets were kept for alert {alert_id}")
        return path

    def _path(self, alert_id: str) -> Path:
        # The pattern also keeps "../" out of the path.
        if not _ALERT_ID.fullmatch(alert_id) or self._store.alert(alert_id) is None:
            raise NotFound(f"there is no alert {alert_id[:40]!r}")
        return self._folder / f"{alert_id}.pcap"


def _run(path: Path, limit: int, timeout_s: float) -> Dissection:
    """Ask `api.dissect` in a process group of its own, so that tshark dies with it."""
    with tempfile.TemporaryDirectory(prefix="mimawari-") as home, tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.dissect", str(path.resolve()), str(limit)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=home,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": str(Path(api.__file__).resolve().parent.parent),
                "HOME": home,
                "LC_ALL": "C.UTF-8",
            },
            start_new_session=True,
        )
        note = ""
        try:
            if process.wait(timeout_s) != 0:
                note = "tshark stopped before the end: the capture is damaged there"
        except subprocess.TimeoutExpired:
            note = f"stopped after {timeout_s:g} s; ask for fewer packets"
        finally:
            _end(process)
        out.seek(0)
        return _read(out.read(_MOST_ANSWER), note)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(answer: bytes, note: str) -> Dissection:
    told: list[dict[str, Any]] = []
    for line in answer.splitlines(keepends=True):
        if line.endswith(b"\n"):  # the last line may be cut off
            told.append(json.loads(line))
    has_more = bool(told) and "more" in told[-1]
    packets = tuple(_packet(t) for t in (told[:-1] if has_more else told))
    if not packets and note:
        raise Unacceptable(f"the evidence cannot be taken apart: {note}")
    return Dissection(packets, has_more, note)


def _packet(told: dict[str, Any]) -> PacketSummary:
    return PacketSummary(
        **{
            **told,
            "protocols": tuple(told["protocols"]),
            "layers": tuple(Layer(**layer) for layer in told["layers"]),
        }
    )
