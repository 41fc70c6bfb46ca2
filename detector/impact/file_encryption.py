"""Ransomware over SMB: one client transforms many files of a share within seconds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal

from pydantic import Field

from collector.sightings import Smb
from detector.detection import Category, Detector, Finding, FlowKey, Reads, Window
from detector.words import Text, Wording

_S: Final = 1_000_000_000
_CREATE, _READ, _WRITE, _SET_INFO = 5, 8, 9, 17
_RENAME, _DELETE = 10, 13
_MOST_PAIRS: Final = 4096
_MOST_ACTS: Final = 2048

_TITLE: Final = Text(
    ja="{source} が {target} のファイルを次々に書き換えています（{seconds} 秒で {files} 個、"
    "ランサムウェアの疑い）",
    en="{source} is rewriting files on {target}: {files} in {seconds} s (ransomware suspected)",
)
_UNPLUG: Final = Text(
    ja="ただちに {source} のLANケーブルを抜き（電源は切らない）、バックアップ装置を"
    "ネットワークから切り離してください。その後、安全管理責任者に連絡します。",
    en="Unplug the network cable of {source} now (leave the power on), disconnect the backup"
    " system from the network, then call the safety manager.",
)

Deed = Literal["read", "write", "rename", "delete"]


@dataclass(frozen=True, slots=True)
class _Act:
    time_ns: int
    deed: Deed
    file: str
    new_name: str


@dataclass
class _Pair:
    """What one client did on one server lately."""

    acts: deque[_Act] = field(default_factory=lambda: deque(maxlen=_MOST_ACTS))
    flow: FlowKey | None = None
    count: int = 0


class FileEncryption(Detector):
    """One client transforms ten files or more on a file server within seconds.

    A file counts when it was read and then overwritten, renamed after being written, or written new
    while the old one was deleted. Ten files in 20 seconds alert when most of them end in one
    extension that the files read before did not have, or when a file of one name was left in five
    folders (the ransom note). Ten files in a minute alert when each was read or written and then
    had one extension appended to its whole name, which no conversion does.

    Why it matters: this is the moment of encryption. Every minute counts, and the backups are next.
    False alarms: archiving, image recompression and profile synchronisation read and write many
    files, but do not give them all one new extension, nor leave notes. Backups only read.
    Blind: under SMB3 encryption names are not visible; see `sealed_rewriting`.
    Source: Morato et al. 2018; MS-SMB2 §2.2.39 (SET_INFO: FileRenameInformation 10,
    FileDispositionInformation 13).
    """

    id: ClassVar[str] = "file_encryption"
    category: ClassVar[Category] = "impact"
    techniques: ClassVar[tuple[str, ...]] = ("T1486",)
    reads = Reads(sightings=(Smb,))
    urgent: ClassVar[bool] = True
    wordings: ClassVar[dict[str, Wording]] = {
        "": Wording(
            title=_TITLE,
            why=Text(
                ja="読んだファイルを上書きし、拡張子を「{extension}」に変える動きは暗号化そのものです。"
                "次に狙われるのはバックアップです。",
                en="Reading, overwriting and renaming files to '{extension}' is what encryption"
                " looks like. The backups are the next target.",
            ),
            next_step=_UNPLUG,
        ),
        "note": Wording(
            title=_TITLE,
            why=Text(
                ja="読んだファイルを上書きしながら、同じ名前の文書「{note}」を多くのフォルダに"
                "置いています。脅迫文の置き方です。次に狙われるのはバックアップです。",
                en="It overwrites files that it has read and leaves '{note}' in many folders, as"
                " ransom notes are left. The backups are the next target.",
            ),
            next_step=_UNPLUG,
        ),
    }

    span_s: int = Field(20, ge=1, le=600, description="seconds in which files are counted")
    slow_span_s: int = Field(
        60, ge=1, le=600, description="seconds in which files with an appended extension count"
    )
    min_files: int = Field(10, ge=3, description="files transformed before we alert (score 90)")
    sure_files: int = Field(30, ge=3, description="files transformed for a score of 99")
    extension_share: float = Field(0.6, gt=0, le=1, description="share with the one new extension")
    note_folders: int = Field(5, ge=2, description="folders in which one name was left")

    def remember(self) -> dict[tuple[str, str], _Pair]:
        return {}

    def find(self, window: Window, memory: dict[tuple[str, str], _Pair]) -> Iterator[Finding]:
        burst: dict[tuple[str, str], Finding] = {}
        touched: dict[tuple[str, str], _Pair] = {}
        for smb in window.of(Smb):
            act = _act(smb)
            if act is None:
                continue
            ends = (smb.ip, smb.peer_ip)
            pair = touched[ends] = _pair(memory, smb)
            pair.acts.append(act)
            longest = max(self.span_s, self.slow_span_s)
            while pair.acts[0].time_ns < act.time_ns - longest * _S:
                pair.acts.popleft()
            pair.count += 1
            # Looking at every eighth act still tells within seconds, and keeps bursts cheap.
            if pair.count % 8 == 0:
                self._look(ends, pair, burst)
        for ends, pair in touched.items():
            self._look(ends, pair, burst)
        yield from burst.values()

    def _look(
        self, ends: tuple[str, str], pair: _Pair, burst: dict[tuple[str, str], Finding]
    ) -> None:
        found = self._judge(*ends, pair)
        if found is not None and _is_more(found, burst.get(ends)):
            burst[ends] = found

    def _judge(self, client: str, server: str, pair: _Pair) -> Finding | None:
        now = pair.acts[-1].time_ns
        acts = [a for a in pair.acts if a.time_ns >= now - self.span_s * _S]
        after = _transformed(acts)
        extension = note = ""
        if len(after) >= self.min_files:
            extension = self._new_extension({a.file for a in acts if a.deed == "read"}, after)
            note = self._note(acts)
        if not extension and not note:
            acts = [a for a in pair.acts if a.time_ns >= now - self.slow_span_s * _S]
            extension, after = _appended(acts)
            if len(after) < self.min_files:
                return None
        seconds = max(1, round((now - acts[0].time_ns) / _S))
        return Finding(
            source=client,
            targets=(server,),
            score=99 if len(after) >= self.sure_files else 90,
            confidence=1.0,
            first_ns=acts[0].time_ns,
            last_ns=now,
            facts={
                "files": len(after),
                "seconds": seconds,
                "extension": extension or "-",
                "note": note or "-",
            },
            app="smb",
            flows=(pair.flow,) if pair.flow else (),
            variant="" if extension else "note",
        )

    def _new_extension(self, before: set[str], after: set[str]) -> str:
        """The one extension that most transformed files have and that none had before."""
        old = {_extension(name) for name in before}
        counts = Counter(_extension(name) for name in after)
        extension, count = counts.most_common(1)[0]
        is_new = bool(extension) and extension not in old
        return extension if is_new and count >= self.extension_share * len(after) else ""

    def _note(self, acts: Sequence[_Act]) -> str:
        """A name that was written into many folders."""
        folders: dict[str, set[str]] = {}
        for act in acts:
            if act.deed == "write":
                folder, _, name = act.file.rpartition("\\")
                folders.setdefault(name, set()).add(folder)
        most = max(folders, key=lambda name: len(folders[name]), default="")
        return most if most and len(folders[most]) >= self.note_folders else ""


def _act(smb: Smb) -> _Act | None:
    if smb.is_response or smb.dialect != 2 or not smb.file:
        return None
    deeds: dict[tuple[int, int], Deed] = {
        (_SET_INFO, _RENAME): "rename",
        (_SET_INFO, _DELETE): "delete",
    }
    plain: dict[int, Deed] = {_READ: "read", _WRITE: "write"}
    deed = deeds.get((smb.command, smb.info_class)) or plain.get(smb.command)
    return _Act(smb.time_ns, deed, smb.file, smb.new_name) if deed else None


def _pair(memory: dict[tuple[str, str], _Pair], smb: Smb) -> _Pair:
    """The pair's memory; the pair that was made first goes when there are too many."""
    key = (smb.ip, smb.peer_ip)
    if key not in memory:
        if len(memory) >= _MOST_PAIRS:
            del memory[next(iter(memory))]
        flow = FlowKey(smb.time_ns, smb.ip, smb.port, smb.peer_ip, smb.peer_port, 6)
        memory[key] = _Pair(flow=flow)
    return memory[key]


def _transformed(acts: Sequence[_Act]) -> set[str]:
    """Names that files have after they were read and overwritten, renamed, or replaced."""
    read: set[str] = set()
    written: dict[str, str] = {}  # name without its last extension → name
    after: dict[str, str] = {}
    for act in acts:
        if act.deed == "read":
            read.add(act.file)
        elif act.deed == "write":
            written[act.file.rpartition(".")[0]] = act.file
            if act.file in read:
                after.setdefault(act.file, act.file)
        elif act.deed == "rename" and act.new_name:
            after[act.file] = act.new_name
        elif act.deed == "delete" and act.file in read and act.file in written:
            after[act.file] = written[act.file]
    return set(after.values())


def _appended(acts: Sequence[_Act]) -> tuple[str, set[str]]:
    """The extension that most files, read or written before, had appended; and these files."""
    worked: set[str] = set()
    longer: dict[str, str] = {}  # name without its last extension → name
    appended: dict[str, set[str]] = {}
    for act in acts:
        name = ""
        if act.deed == "rename" and act.new_name.rpartition(".")[0] == act.file:
            name = act.new_name
        elif act.deed == "delete":
            name = longer.get(act.file, "")
        else:
            worked.add(act.file)
            longer[act.file.rpartition(".")[0]] = act.file
        if name and act.file in worked:
            appended.setdefault(_extension(name), set()).add(name)
    most = max(appended, key=lambda extension: len(appended[extension]), default="")
    return most, appended.get(most, set())


def _is_more(found: Finding, known: Finding | None) -> bool:
    return known is None or found.facts["files"] > known.facts["files"]


def _extension(name: str) -> str:
    base = name.rpartition("\\")[2]
    return base.rpartition(".")[2].lower() if "." in base else ""
