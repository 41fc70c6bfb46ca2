"""Encryption of files as it looks from outside SMB3 encryption: by lengths and order alone."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import Smb
from detector.detection import Category, Detector, Finding, FlowKey, Reads, Window
from detector.impact.sealed_words import WORDINGS

# Lengths of whole messages, 64 bytes of header included (MS-SMB2 §2.2.15-40, MS-FSCC §2.4).
_READ: Final = 113
_CLOSE: Final = 88
_SET_END, _SET_TIMES = 104, 136  # SET_INFO of the file's end, and of its times
_WAS_SET: Final = 66  # the answer to any SET_INFO; no other message is as long
_READ_HEAD, _WRITE_HEAD = 80, 112
#: Shorter data could be a CREATE with a long name, or a list of a folder.
_DATA: Final = 1024
_DAY_NS: Final = 86_400_000_000_000
_MOST_PAIRS: Final = 4096
_MOST_FILES: Final = 2048
_HABIT_DAYS: Final = 3


@dataclass
class _Session:
    """Where a client stands with the file that it works on."""

    flow: FlowKey
    reading: int = 0  # READ requests without an answer
    bytes_read: int = 0  # of the file read last
    bytes_written: int = 0
    is_closed: bool = False  # since it was read
    has_read: bool = False  # since the last renamed file
    has_written: bool = False
    setting: int = 0  # ends and times being set, without an answer
    has_set_times: bool = False
    renamed: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_FILES))
    in_place: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_FILES))


@dataclass
class _Memory:
    sessions: OrderedDict[tuple[str, str], _Session] = field(default_factory=OrderedDict)
    days: OrderedDict[tuple[str, str], list[int]] = field(default_factory=OrderedDict)


class SealedRewriting(Detector):
    """Inside SMB3 encryption, a client reads, writes and renames one file after another.

    SMB3 tells the length of each encrypted message, and requests for reading, closing and setting
    have lengths of their own. A file counts when something was read, something was written, and
    then a file was renamed or deleted; in another way (*in_place*), when about as much was
    written as was read of the file before, and its times were not set, as copying does. Ten files
    within 20 seconds alert: medium, and high where both have been watched for three days
    and never did so. Where they did so on three days before, the alert is a note (low).

    Why it matters: clients since Windows 8 encrypt SMB on demand; encryption must not hide
    ransomware.

    False alarms: programs that replace files by way of a temporary one (rsync between shares of one
    server), batch conversion of images, copies by programs other than Windows' own. Backups and
    virus scans only read, archives write without renaming, roaming profiles write what they did
    not read, databases and mail files stay open.

    Blind: without deep packets (NetFlow) two seconds of work cannot be told from documents being
    edited; `mass_effect` tells minutes of it. Clients that chain requests into one message (Linux,
    macOS) are told by reading and writing alike only.
    """

    id: ClassVar[str] = "sealed_rewriting"
    category: ClassVar[Category] = "impact"
    techniques: ClassVar[tuple[str, ...]] = ("T1486",)
    reads = Reads(sightings=(Smb,))
    urgent: ClassVar[bool] = True
    wordings = WORDINGS

    span_s: int = Field(20, ge=1, le=600, description="seconds in which files are counted")
    min_files: int = Field(10, ge=3, description="files in that time before we alert")
    most_growth: int = Field(1100, ge=0, description="bytes that rewriting in place may add")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        told: dict[tuple[str, str, str], Finding] = {}
        for smb in window.of(Smb):
            if not smb.sealed_bytes:
                continue
            pair = (smb.peer_ip, smb.ip) if smb.is_response else (smb.ip, smb.peer_ip)
            session = _session(memory, pair, smb)
            if smb.is_response:
                files = self._answer(session, smb.sealed_bytes)
            else:
                files = self._request(session, smb.sealed_bytes)
            if files is None:
                continue
            files.append(smb.time_ns)
            while files[0] < smb.time_ns - self.span_s * 1_000_000_000:
                files.popleft()
            if len(files) >= self.min_files:
                variant = "" if files is session.renamed else "in_place"
                known = told.get((*pair, variant))
                if known is None or len(files) > known.facts["files"]:
                    told[(*pair, variant)] = _finding(window, memory, pair, session, variant)
        for (client, server, variant), found in told.items():
            if not (variant and (client, server, "") in told):
                yield found

    def _request(self, session: _Session, size: int) -> deque[int] | None:
        """Take in what the client asks; the list of files that this completes one of."""
        if size == _READ:
            if session.is_closed:
                session.bytes_read, session.is_closed = 0, False
            session.reading = min(session.reading + 1, _MOST_FILES)
            session.has_read = True
        elif size == _CLOSE:
            return self._close(session)
        elif size in (_SET_END, _SET_TIMES):
            session.setting = min(session.setting + 1, _MOST_FILES)
            session.has_set_times |= size == _SET_TIMES
        elif size >= _WRITE_HEAD + _DATA:
            session.bytes_written += size - _WRITE_HEAD
            session.has_written = True
        return None

    def _answer(self, session: _Session, size: int) -> deque[int] | None:
        if size == _WAS_SET:
            if session.setting:
                session.setting -= 1
            elif session.has_read and session.has_written:
                session.has_read = session.has_written = False
                return session.renamed
        elif session.reading and size >= _READ_HEAD + _DATA:
            session.reading -= 1
            session.bytes_read += size - _READ_HEAD
        return None

    def _close(self, session: _Session) -> deque[int] | None:
        session.is_closed = True
        session.reading = 0
        if not session.bytes_written:
            return None
        growth = session.bytes_written - session.bytes_read
        is_alike = session.bytes_read > 0 and abs(growth) <= self.most_growth
        is_copy = session.has_set_times
        session.bytes_read = session.bytes_written = 0
        session.has_set_times = False
        return session.in_place if is_alike and not is_copy else None


def _session(memory: _Memory, pair: tuple[str, str], smb: Smb) -> _Session:
    session = memory.sessions.get(pair)
    if session is None:
        if len(memory.sessions) >= _MOST_PAIRS:
            memory.sessions.popitem(last=False)
        ports = (smb.peer_port, smb.port) if smb.is_response else (smb.port, smb.peer_port)
        flow = FlowKey(smb.time_ns, pair[0], ports[0], pair[1], ports[1], 6)
        session = memory.sessions[pair] = _Session(flow)
    return session


def _finding(
    window: Window, memory: _Memory, pair: tuple[str, str], session: _Session, variant: str
) -> Finding:
    files = session.in_place if variant else session.renamed
    today = files[-1] // _DAY_NS
    who = (window.hosts.at(pair[0]).identity, window.hosts.at(pair[1]).identity)
    days = memory.days.setdefault(who, [])
    if today not in days:
        days.append(today)
        del days[: -_HABIT_DAYS - 1]
    while len(memory.days) > _MOST_PAIRS:
        memory.days.popitem(last=False)
    before = sum(day < today for day in days)
    is_watched = window.edges.active_days >= 3
    score = 60.0 if variant else 85.0
    confidence = 0.9 if is_watched and not before else 0.85 if variant else 0.75
    if before >= _HABIT_DAYS:
        confidence = 0.5
    return Finding(
        source=pair[0],
        targets=(pair[1],),
        score=score,
        confidence=confidence,
        first_ns=files[0],
        last_ns=files[-1],
        facts={
            "files": len(files),
            "seconds": max(1, round((files[-1] - files[0]) / 1e9)),
            "days": before,
        },
        variant=variant,
        app="smb",
        flows=(session.flow,),
        warmth=window.edges.warmth,
    )
