"""Shared local administrator (LM-5): one local account opens one machine after another."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import Ntlm, Smb
from detector.detection import Category, Detector, Finding, FlowKey, Reads, Window
from detector.lateral.calls import flow_of
from detector.words import Text, Wording

_HOUR_NS: Final = 3_600_000_000_000
#: What stands for "no domain, this machine".
_NO_DOMAIN: Final = frozenset({"", ".", "workgroup"})

Logon = tuple[str, int, str]  # client, its port, server


@dataclass
class _Memory:
    asked: OrderedDict[Logon, str] = field(default_factory=OrderedDict)  # → local account
    names: OrderedDict[str, str] = field(default_factory=OrderedDict)  # server → its own name
    opened: OrderedDict[tuple[str, str], dict[str, tuple[int, FlowKey]]] = field(
        default_factory=OrderedDict
    )  # (client, account) → server → (when, connection)


class SharedLocalAccount(Detector):
    """One source logs on with the same local account to three or more machines within an hour.

    A local account belongs to one machine. That the same name and password open several means
    that the administrator's password is shared, and that somebody is using it to move on. Read from
    NTLM (domain empty, WORKGROUP or the machine's own name) where the SMB session set-up succeeds.

    Why it matters: the password shared by servers and terminals is what let the attackers of a
    Japanese hospital in 2024 reach everything from one maintenance line.

    False alarms: software distribution or backup that logs on with a shared local account; give the
    source the role `admin` or `backup`, and better, give each machine its own password (LAPS).
    """

    id = "shared_local_account"
    category: ClassVar[Category] = "credential_access"
    techniques = ("T1078.003", "T1550.002", "T1021.002")
    reads = Reads(sightings=(Ntlm, Smb))
    wordings = {
        "": Wording(
            Text(
                "{source} が同じローカルアカウント {user} で {count} 台の機器にログオンしました",
                "{source} logged on to {count} machines with the same local account {user}",
            ),
            Text(
                "機器ごとに別であるはずのローカル管理者のパスワードが共通になっており、"
                "それを使って機器を"
                "渡り歩く動きです。一つ盗まれると全てに入られます。",
                "The local administrator's password, which should differ on each machine, is "
                "shared "
                "and used to go from one to the next. One theft opens them all.",
            ),
            Text(
                "情報システム担当に、{source} からの一斉作業の予定を確認してください。なければ "
                "{source} を LAN "
                "から外し、{user} のパスワードを全機器で変更してください（機器ごとに別の値に）。",
                "Ask IT whether work on many machines from {source} is planned. If not, take it "
                "off "
                "the LAN and change the password of {user} on every machine, each to its own.",
            ),
        ),
    }

    least_machines: int = Field(default=3, ge=2, description="machines in an hour that tell")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        several = sorted((*window.of(Ntlm), *window.of(Smb)), key=lambda s: s.time_ns)
        for seen in several:
            if isinstance(seen, Ntlm):
                self._note(memory, seen)
            elif isinstance(seen, Smb) and _is_session_granted(seen):
                account = memory.asked.pop((seen.peer_ip, seen.peer_port, seen.ip), "")
                if account:
                    yield from self._granted(window, memory, seen, account)
        for kept in (memory.asked, memory.names, memory.opened):
            while len(kept) > 20_000:
                kept.popitem(last=False)

    def _note(self, memory: _Memory, logon: Ntlm) -> None:
        if logon.message == "challenge" and logon.server_name:
            memory.names[logon.ip] = logon.server_name.lower()
        if logon.message != "authenticate" or not logon.user or logon.user.endswith("$"):
            return
        own = {logon.workstation.lower(), memory.names.get(logon.peer_ip, "")}
        if logon.domain.lower() in _NO_DOMAIN | own:
            memory.asked[logon.ip, logon.port, logon.peer_ip] = logon.user

    def _granted(
        self, window: Window, memory: _Memory, seen: Smb, account: str
    ) -> Iterator[Finding]:
        source = seen.peer_ip
        opened = memory.opened.setdefault((source, account.lower()), {})
        opened[seen.ip] = (seen.time_ns, flow_of(seen, from_server=True))
        for server in [s for s, (t, _) in opened.items() if seen.time_ns - t > _HOUR_NS]:
            del opened[server]
        role = window.hosts.at(source).role
        if len(opened) < self.least_machines or role in ("admin", "backup", "scanner", "wsus"):
            return
        yield Finding(
            source=source,
            targets=tuple(opened),
            score=80.0,
            confidence=0.9,
            first_ns=min(t for t, _ in opened.values()),
            last_ns=seen.time_ns,
            facts={"user": account, "count": len(opened)},
            key=f"{source} {account.lower()}",
            app="smb",
            flows=tuple(key for _, key in opened.values())[:20],
        )


def _is_session_granted(smb: Smb) -> bool:
    return smb.is_response and smb.status == 0 and smb.command == (0x73 if smb.dialect == 1 else 1)
