"""Ransom notes: one client leaves a document of one name in many folders, and little else."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import Smb
from detector.detection import Category, Detector, Finding, FlowKey, Reads, Window
from detector.lateral.calls import flow_of, is_write
from detector.words import Text, Wording

_S: Final = 1_000_000_000
#: What people can read without a program of their own; notes are made to be read.
_READABLE: Final = frozenset({"txt", "html", "htm", "hta", "rtf", "url", "png", "jpg", "bmp"})
_MOST_PAIRS: Final = 4096
_MOST_WRITES: Final = 1024


@dataclass
class _Pair:
    """Names and folders that one client wrote on one server lately, each once."""

    flow: FlowKey
    writes: deque[tuple[int, str, str]] = field(
        default_factory=lambda: deque(maxlen=_MOST_WRITES)
    )  # time, name, folder


class DroppedNotes(Detector):
    """Within a minute, one client writes a readable file of one name into ten folders.

    Four of five files that it writes on this server in that minute must bear the name, and end as
    texts, pages and pictures do (.txt, .html, .hta, .rtf, .png …).

    Why it matters: the notes are often laid before or while files are encrypted, also by programs
    that encrypt on the server itself, where no reading and writing crosses the network.

    False alarms: an administrator who lays the same notice in many folders. Copies of whole folders
    write other files besides.

    Blind: under SMB3 encryption names are not visible.
    """

    id: ClassVar[str] = "dropped_notes"
    category: ClassVar[Category] = "impact"
    techniques: ClassVar[tuple[str, ...]] = ("T1486",)
    reads = Reads(sightings=(Smb,))
    urgent: ClassVar[bool] = True
    wordings: ClassVar[dict[str, Wording]] = {
        "": Wording(
            title=Text(
                ja="{source} が {target} の {folders} 個のフォルダーに同じ名前の文書「{note}」を"
                "置きました",
                en="{source} left '{note}' in {folders} folders on {target}",
            ),
            why=Text(
                ja="{seconds} 秒のあいだに、ほかのファイルをほとんど書かずに同じ名前の文書だけを"
                "置いています。ランサムウェアの脅迫文の置き方です。",
                en="Within {seconds} s it wrote this one name into folder after folder and hardly "
                "anything else, as ransom notes are left.",
            ),
            next_step=Text(
                ja="{target} でその文書を開き、同じフォルダーのファイルが読めるか確認してください。"
                "脅迫文であれば {source} のLANケーブルを抜き（電源は切らない）、バックアップを"
                "ネットワークから切り離して、安全管理責任者に連絡します。",
                en="Open the document on {target} and see whether the files beside it can be read. "
                "If it is a ransom note, unplug {source} (leave the power on), disconnect the "
                "backups and call the safety manager.",
            ),
        )
    }

    span_s: int = Field(60, ge=1, le=600, description="seconds in which folders are counted")
    min_folders: int = Field(10, ge=3, description="folders with the one name before we alert")
    least_share: float = Field(0.8, gt=0, le=1, description="share of the files written")

    def remember(self) -> OrderedDict[tuple[str, str], _Pair]:
        return OrderedDict()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        touched: dict[tuple[str, str], _Pair] = {}
        for smb in window.of(Smb):
            if not is_write(smb) or not smb.file:
                continue
            ends = (smb.ip, smb.peer_ip)
            if ends not in memory:
                memory[ends] = _Pair(flow_of(smb))
                if len(memory) > _MOST_PAIRS:
                    memory.popitem(last=False)
            pair = touched[ends] = memory[ends]
            folder, _, name = smb.file.rpartition("\\")
            written = (name.lower(), f"{smb.tree}\\{folder}".lower())
            if pair.writes and pair.writes[-1][1:] == written:  # the next piece of the file
                pair.writes.pop()
            pair.writes.append((smb.time_ns, *written))
            while pair.writes[0][0] < smb.time_ns - self.span_s * _S:
                pair.writes.popleft()
        for ends, pair in touched.items():
            found = self._judge(ends, pair)
            if found is not None:
                yield found

    def _judge(self, ends: tuple[str, str], pair: _Pair) -> Finding | None:
        folders: dict[str, set[str]] = {}
        for _, name, folder in pair.writes:
            folders.setdefault(name, set()).add(folder)
        files = sum(map(len, folders.values()))
        note = max(folders, key=lambda name: len(folders[name]))
        count = len(folders[note])
        is_note = note.rpartition(".")[2] in _READABLE and count >= self.least_share * files
        if count < self.min_folders or not is_note:
            return None
        times = [time for time, name, _ in pair.writes if name == note]
        return Finding(
            source=ends[0],
            targets=(ends[1],),
            score=min(90.0, 70.0 + count),
            confidence=0.85,
            first_ns=times[0],
            last_ns=times[-1],
            facts={
                "note": note[-80:],
                "folders": count,
                "seconds": max(1, round((times[-1] - times[0]) / _S)),
            },
            app="smb",
            flows=(pair.flow,),
        )
