"""Administrative shares (LM-4): programs and tool files written where only administrators write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.apps import APP_CODE
from collector.sightings import Smb
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import (
    Calls,
    is_admin_share,
    is_executable,
    is_open,
    is_tree_connect,
    is_write,
    share_of,
    tool_of,
)
from detector.lateral.rounds import Rounds
from detector.words import Text, Wording

#: How a tool runs what it is told to, where it is not by a service.
_MEANS: Final = {
    "wmiexec": ("T1047",), "atexec / secretsdump": ("T1053.005", "T1003.002"),
}  # fmt: skip
#: Versions and times in files' names.
_NUMBERS: Final = re.compile(r"\d+")

_NEXT_STEP = Text(
    ja="情報システム担当に、{source} から {target} へソフトを配布する作業があるか確認してください。"
    "なければ {source} を LAN から外し、{target} で書き込まれたファイル（{files}）"
    "を実行前に隔離し、"
    "ウイルス対策ソフトの検知履歴を見てください。",
    en="Ask IT whether software is being distributed from {source} to {target}. If not, take "
    "{source} "
    "off the LAN, isolate the written files on {target} ({files}) before they run, and look at "
    "the antivirus history.",
)

_SHARE_WORDS = {
    "write": Wording(
        Text(
            "{source} が {target} の管理共有 {share} に書き込みました（{files}）",
            "{source} wrote to the administrative share {share} of {target} ({files})",
        ),
        Text(
            "管理共有（C$・ADMIN$）への書き込みは管理者だけができ、攻撃者が道具やランサムウェアを"
            "送り込む最初の動きでもあります。",
            "Only administrators write to C$ and ADMIN$; it is also how intruders send over tools "
            "and ransomware before they run them.",
        ),
        _NEXT_STEP,
    ),
    "program": Wording(
        Text(
            "{source} が {target} の管理共有 {share} にプログラムを置きました（{files}）",
            "{source} placed a program on the administrative share {share} of {target} ({files})",
        ),
        Text(
            "置かれたプログラムは次に遠隔実行されるのが普通です。"
            "ランサムウェアの一斉配布もこの形です。",
            "What is placed is usually run remotely next; ransomware is rolled out this way too.",
        ),
        _NEXT_STEP,
    ),
    "tool": Wording(
        Text(
            "{source} が {target} で遠隔実行ツール（{tool}）の痕跡を残しました（{files}）",
            "{source} left the mark of a remote-execution tool ({tool}) on {target} ({files})",
        ),
        Text(
            "ファイルやパイプの名前が、侵入者が好んで使う遠隔実行ツールのものです。管理者が "
            "PsExec を使う"
            "こともありますが、必ず予定と照合してください。",
            "The name of the file or pipe belongs to a remote-execution tool that intruders like. "
            "Administrators use PsExec too: compare with the plan, always.",
        ),
        _NEXT_STEP,
    ),
    "many": Wording(
        Text(
            "{source} が {count} 台の機器の管理共有に続けて接続しました",
            "{source} connected to administrative shares of {count} hosts in a row",
        ),
        Text(
            "使える管理者パスワードがどこまで通じるかを試す動きです。"
            "一斉配布の直前にも見られます。",
            "This tests how far an administrator's password reaches, or precedes a roll-out.",
        ),
        Text(
            "情報システム担当に、一斉配布や点検の予定を確認してください。なければ {source} を LAN "
            "から外し、"
            "その機器で使われた管理者アカウントのパスワードを変更してください。",
            "Ask IT about planned roll-outs or inspections. If none, take {source} off the LAN and "
            "change the password of the administrator account used on it.",
        ),
    ),
}


@dataclass
class _Memory:
    opened: dict[str, dict[str, int]] = field(default_factory=dict)  # source → target → when
    rounds: Rounds = field(default_factory=Rounds)


class AdminShares(Detector):
    """A host writes files to another's administrative share, or leaves a tool's own names.

    A tree connect alone is not reported (MITRE BZAR advises so); a write is, a program more so,
    and most of all the names that PsExec, RemCom, winexe, smbexec, wmiexec, atexec, secretsdump or
    Cobalt Strike leave.
    Three or more hosts whose administrative shares one source opens in an hour are one alert.

    Why it matters: this is how tools and ransomware reach the next machine.

    False alarms: software distribution (SCCM, SKYSEA, LANSCOPE), backup agents, administrators at
    work; give them the roles `admin`, `wsus` or `backup`, or approve the edge. What one host places
    on four others and more is one alert; after three days of the same files it goes on as low.
    """

    id = "admin_shares"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1021.002",)
    reads = Reads(sightings=(Smb,))
    wordings = _SHARE_WORDS

    round_targets: int = Field(default=4, ge=2, description="targets in a week told as one alert")
    many_hosts: int = Field(default=3, ge=2, description="hosts opened in an hour that tell")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        seen: dict[tuple[str, str, str, str, str], Calls] = {}
        for smb in window.of(Smb):
            if smb.is_response or not smb.ip:
                continue
            is_told = is_open(smb) or is_write(smb)
            tool = tool_of(smb.file, is_admin_share(smb)) if is_told else ""
            variant = "tool" if tool else self._variant(smb)
            if variant:
                key = (smb.ip, smb.peer_ip, variant, share_of(smb), tool)
                seen.setdefault(key, Calls()).add(smb, smb.file.rsplit("\\", 1)[-1] or "?")
            if is_tree_connect(smb) and is_admin_share(smb):
                yield from self._opened(window, memory, smb)
        for (source, target, variant, share, tool), calls in seen.items():
            files = [_NUMBERS.sub("#", name.lower()) for name in calls.names]
            told = memory.rounds.tell(
                source, target, variant, calls.first_ns, calls.last_ns, self.round_targets, files,
                who=window.hosts.at(source).identity,
            )  # fmt: skip
            score = self._score(window, source, target, variant, calls)
            techniques = {"write": ("T1021.002",), "tool": _techniques_of(tool)}
            yield Finding(
                source=source,
                targets=told.targets,
                score=score * told.weight,
                confidence=0.95,
                first_ns=told.first_ns,
                last_ns=calls.last_ns,
                facts={"share": share, "files": list(calls.names), "tool": tool},
                variant=variant,
                key=told.key,
                is_round=len(told.targets) > 1,
                is_settled=told.is_settled,
                techniques=techniques.get(variant, ("T1570", "T1021.002")),
                app="smb",
                flows=calls.flows(),
            )

    def _variant(self, smb: Smb) -> str:
        if not is_admin_share(smb) or not is_write(smb):
            return ""
        return "program" if is_executable(smb) else "write"

    def _score(self, window: Window, source: str, target: str, variant: str, calls: Calls) -> float:
        score = {"write": 55.0, "program": 75.0, "tool": 85.0}[variant]
        edge = window.edges.find(source, target, APP_CODE["smb"])
        if edge is not None and edge.approved:
            return score * 0.3
        if window.hosts.at(source).role in ("admin", "wsus", "backup", "bastion"):
            return score * 0.7
        return score

    def _opened(self, window: Window, memory: _Memory, smb: Smb) -> Iterator[Finding]:
        if len(memory.opened) > 10_000:
            memory.opened.clear()
        opened = memory.opened.setdefault(smb.ip, {})
        opened[smb.peer_ip] = smb.time_ns
        recent = {t: w for t, w in opened.items() if smb.time_ns - w <= 3_600_000_000_000}
        memory.opened[smb.ip] = recent
        host = window.hosts.at(smb.ip)
        turn = memory.rounds.note(host.identity, "many", smb.peer_ip, smb.time_ns)
        role = host.role
        if len(recent) < self.many_hosts or role in ("admin", "wsus", "backup", "scanner"):
            return
        calls = Calls()
        calls.add(smb, "")
        score = min(85.0, 65 + 3 * (len(recent) - self.many_hosts))
        yield Finding(
            source=smb.ip,
            targets=tuple(recent),
            score=score * turn.weight,
            confidence=0.8,
            first_ns=turn.since_ns(min(recent.values())),
            last_ns=smb.time_ns,
            facts={"count": len(recent)},
            variant="many",
            key=turn.key(smb.ip),
            is_settled=turn.is_settled,
            techniques=("T1021.002", "T1570"),
            app="smb",
            flows=calls.flows(),
        )


def _techniques_of(tool: str) -> tuple[str, ...]:
    return ("T1021.002", *_MEANS.get(tool, ("T1569.002", "T1570")))
