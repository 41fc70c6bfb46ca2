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
_QUERY: Final = 105
_DELETE: Final = 97  # SET_INFO that deletes; renaming is longer, by the name
_WAS_SET: Final = 66  # the answer to any SET_INFO; no other message is as long
_READ_HEAD, _WRITE_HEAD = 80, 112
#: Chained requests travel as one message, each but the last filled up to eight bytes (§2.2.1):
#: answered that it was opened, set and closed; asked to open and read; written and closed.
_SET_CHAIN: Final = 152 + 72 + 124
_READ_CHAIN: Final = 120 + _READ
_READ_CHAIN_HEAD: Final = 152 + _READ_HEAD
_WRITE_CHAIN: Final = 80 + 124
_FILL: Final = 7
#: Encryptors leave a key and their sign in each file; seldom more than this.
_MOST_TRAILER: Final = 1100
#: Requests about a file that is open.
_ON_HANDLE: Final = frozenset({_READ, _CLOSE, _QUERY, _SET_END, _SET_TIMES, _DELETE})
#: Shorter data could be a CREATE with a long name, or a list of a folder.
_DATA: Final = 1024
_DAY_NS: Final = 86_400_000_000_000
_MOST_PAIRS: Final = 4096
_MOST_FILES: Final = 2048
_HABIT_DAYS: Final = 3
_SCORES: Final = {"": 85.0, "in_place": 60.0, "moved": 40.0}


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read and written, and when it was done."""

    time_ns: int
    growth: int | None  # bytes written more than read, at least, if one can tell
    is_moved: bool  # a copy that kept the times and was followed by a deletion, or may have been


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
    has_kept_times: bool = False  # since the last renamed file
    has_deleted: bool = False
    is_chaining: bool = False  # the last request may hold several
    has_chained_set: bool = False  # unless a file is open now (its CREATE's answer can be as long)
    is_equal_chain: bool = False  # written as long as read, as far as a chain tells
    growth: int | None = None  # of the file written and closed last
    renamed: deque[_File] = field(default_factory=lambda: deque(maxlen=_MOST_FILES))
    in_place: deque[_File] = field(default_factory=lambda: deque(maxlen=_MOST_FILES))

    def begin_reading(self) -> None:
        """Count anew if this is another file than was read before."""
        if self.is_closed:
            self.bytes_read, self.is_closed = 0, False


@dataclass
class _Memory:
    sessions: OrderedDict[tuple[str, str], _Session] = field(default_factory=OrderedDict)
    days: OrderedDict[tuple[str, str], list[int]] = field(default_factory=OrderedDict)


class SealedRewriting(Detector):
    """Inside SMB3 encryption, a client reads, writes and renames one file after another.

    SMB3 tells the length of each encrypted message, and requests for reading, closing and setting
    have lengths of their own. A file counts when something was read, something was written, and
    then a file was renamed or deleted; in another way (*in_place*), when about as much was
    written as was read of the file before, and its times were not set, as copying does. Clients
    that chain requests into one message (Linux, macOS) are told by the lengths of such chains. Ten
    files within 20 seconds alert: medium, and high where both have been watched for three days
    and never did so. Where they did so on three days before, the alert is a note (low).

    *moved*: where nearly every file kept its times and then one was deleted, or a chaining client
    wrote exactly what it had read, files are most likely moved to another folder, and the alert is
    a note (low). Not so where files grew by a little: encryptors leave a key in each, copies add
    nothing.

    Why it matters: clients since Windows 8 encrypt SMB on demand; encryption must not hide
    ransomware.

    False alarms: programs that replace files by way of a temporary one (rsync between shares of one
    server), batch conversion of images, copies by programs other than Windows' own. Backups and
    virus scans only read, archives write without renaming, roaming profiles write what they did
    not read, databases and mail files stay open.

    Blind: without deep packets (NetFlow) two seconds of work cannot be told from documents being
    Blind: without deep packets (NetFlow) two seconds of work cannot be told from documents being
    edited; `mass_effect` tells minutes of it. An encryptor that keeps lengths and times, writes
    another file and deletes the first is a note only.
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
            files.append(_file(session, smb.time_ns, is_done=files is session.renamed))
            while files[0].time_ns < smb.time_ns - self.span_s * 1_000_000_000:
                files.popleft()
            if len(files) >= self.min_files:
                variant = _variant(files) if files is session.renamed else "in_place"
                known = told.get((*pair, variant))
                if known is None or len(files) > known.facts["files"]:
                    told[(*pair, variant)] = _finding(window, memory, pair, session, variant)
        for (client, server, variant), found in told.items():
            if not (variant and (client, server, "") in told):
                yield found

    def _request(self, session: _Session, size: int) -> deque[_File] | None:
        """Take in what the client asks; the list of files that this completes one of."""
        is_open = size in _ON_HANDLE or size >= _WRITE_HEAD + _DATA
        has_chained_set = session.has_chained_set and not is_open
        session.has_chained_set = False
        session.is_chaining |= _READ_CHAIN <= size < _READ_CHAIN + _DATA
        if has_chained_set:
            return session.renamed
        if size == _READ:
            session.begin_reading()
            session.reading = min(session.reading + 1, _MOST_FILES)
            session.has_read = True
        elif size == _CLOSE:
            return self._close(session)
        elif size in (_SET_END, _SET_TIMES):
            session.setting = min(session.setting + 1, _MOST_FILES)
            session.has_set_times |= size == _SET_TIMES
            session.has_kept_times |= size == _SET_TIMES
        elif size == _DELETE:
            session.has_deleted = True
        elif size >= _WRITE_HEAD + _DATA:
            session.bytes_written += size - _WRITE_HEAD
            session.has_written = True
        return None

    def _answer(self, session: _Session, size: int) -> deque[_File] | None:
        if size == _WAS_SET:
            if session.setting:
                session.setting -= 1
            elif session.has_read and session.has_written:
                return session.renamed
        elif session.reading and size >= _READ_HEAD + _DATA:
            session.reading -= 1
            session.bytes_read += size - _READ_HEAD
        elif session.is_chaining:
            self._chain(session, size)
        elif size == _WRITE_CHAIN and session.bytes_written:
            session.bytes_written -= _CLOSE + _FILL
            files = self._close(session)
            session.is_equal_chain = session.growth is not None and -_FILL <= session.growth <= 0
            return None if session.is_equal_chain else files
        return None

    def _chain(self, session: _Session, size: int) -> None:
        """Take in the answer to requests of which the first opens a file."""
        session.is_chaining = False
        if size >= _READ_CHAIN_HEAD + _DATA:
            session.is_closed = True
            session.begin_reading()
            session.bytes_read += size - _READ_CHAIN_HEAD
            session.has_read = True
        elif size == _SET_CHAIN and session.has_read and session.has_written:
            session.has_chained_set = True

    def _close(self, session: _Session) -> deque[_File] | None:
        session.is_closed = True
        session.reading = 0
        if not session.bytes_written:
            return None
        growth = session.bytes_written - session.bytes_read
        session.growth = growth if session.bytes_read else None
        is_alike = session.bytes_read > 0 and abs(growth) <= self.most_growth
        is_copy = session.has_set_times
        session.bytes_read = session.bytes_written = 0
        session.has_set_times = False
        return session.in_place if is_alike and not is_copy else None


def _file(session: _Session, time_ns: int, is_done: bool) -> _File:
    """The file that was written; the next one begins if it is done with."""
    if session.bytes_written and session.bytes_read:  # not yet closed
        session.growth = session.bytes_written - session.bytes_read
    is_moved = (session.has_kept_times and session.has_deleted) or session.is_equal_chain
    made = _File(time_ns, session.growth, is_moved)
    if is_done:
        session.has_read = session.has_written = False
        session.has_kept_times = session.has_deleted = session.is_equal_chain = False
        session.growth = None
    return made


def _variant(files: deque[_File]) -> str:
    """What files that were renamed or deleted tell together."""
    if sum(file.is_moved for file in files) < 0.8 * len(files):
        return ""
    return "" if _has_trailers(files) else "moved"


def _has_trailers(files: deque[_File]) -> bool:
    """Did nearly all grow by a little? Copies never do."""
    grown = sum(f.growth is not None and 0 < f.growth <= _MOST_TRAILER for f in files)
    return grown >= 0.8 * len(files)


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
    files = session.in_place if variant == "in_place" else session.renamed
    today = files[-1].time_ns // _DAY_NS
    who = (window.hosts.at(pair[0]).identity, window.hosts.at(pair[1]).identity)
    days = memory.days.setdefault(who, [])
    if today not in days and variant != "moved":
        days.append(today)
        del days[: -_HABIT_DAYS - 1]
    while len(memory.days) > _MOST_PAIRS:
        memory.days.popitem(last=False)
    before = sum(day < today for day in days)
    is_watched = window.edges.active_days >= 3
    score = _SCORES[variant]
    confidence = 0.9 if is_watched and not before else 0.85 if variant == "in_place" else 0.75
    if before >= _HABIT_DAYS:
        confidence = 0.5
    return Finding(
        source=pair[0],
        targets=(pair[1],),
        score=score,
        confidence=confidence,
        first_ns=files[0].time_ns,
        last_ns=files[-1].time_ns,
        facts={
            "files": len(files),
            "seconds": max(1, round((files[-1].time_ns - files[0].time_ns) / 1e9)),
            "days": before,
        },
        variant=variant,
        app="smb",
        flows=(session.flow,),
        warmth=window.edges.warmth,
    )
