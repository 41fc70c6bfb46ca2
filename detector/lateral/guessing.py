"""Password guessing (LM-5): many failed logons, or many short sessions that look like them."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.apps import APPS, app_name
from collector.sightings import Http, Kerberos, Ldap, Ntlm, Sighting, Smb, WebLogon
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import Calls, flow_of
from detector.lateral.contacts import flow_keys
from detector.lateral.logon_sessions import (
    LogonSessions,
    least_of,
    logon_sessions,
)
from detector.logon_services import LOGON_APPS
from detector.words import Text, Wording

_KRB_UNKNOWN, _KRB_REVOKED, _KRB_PREAUTH_FAILED = 6, 18, 24
#: Wrong, unknown, locked, disabled; and what a right password meets that may not be used: expired,
#: to be changed, wrong hour, wrong host, kind of logon not granted (MS-ERREF §2.3.1).
_NTLM_FAILURES: Final = frozenset(
    {0xC000006D, 0xC000006A, 0xC0000064, 0xC0000234, 0xC0000072, 0xC000006E, 0xC0000193,
     0xC0000071, 0xC0000224, 0xC000006F, 0xC0000070, 0xC000015B}
)  # fmt: skip
_APP_OF: Final[dict[type[Sighting], str]] = {
    Kerberos: "kerberos", Ldap: "ldap", Smb: "smb", Ntlm: "http", WebLogon: "http"
}  # fmt: skip
_LDAP_WRONG: Final = 49  # invalidCredentials (RFC 4511 §4.1.9)

_NEXT_STEP = Text(
    ja="情報システム担当は {target} の認証ログで成功したログオンがないか確認し、"
    "あればそのアカウントを止めて"
    "パスワードを変更してください。{source} の利用者に、"
    "パスワード変更直後の自動ログオンなどの心当たりが"
    "ないかも聞いてください。",
    en="IT: look in the logon log of {target} for a success among the failures; if there is one, "
    "disable that account and change its password. Ask the user of {source} about a saved password "
    "that no longer fits.",
)


@dataclass
class _Tries:
    """Failed logons of one source: (when, account, target)."""

    failures: deque[tuple[int, str, str]] = field(default_factory=lambda: deque(maxlen=4096))
    entered: OrderedDict[str, int] = field(default_factory=OrderedDict)  # account → got in when


@dataclass
class _Memory:
    tries: OrderedDict[str, _Tries] = field(default_factory=OrderedDict)
    asked: OrderedDict[tuple[str, int, str], str] = field(default_factory=OrderedDict)
    named: OrderedDict[tuple[str, int, str], str] = field(default_factory=OrderedDict)
    sessions: OrderedDict[tuple[int, int, int], LogonSessions] = field(default_factory=OrderedDict)


class PasswordGuessing(Detector):
    """One source fails to log on: with many accounts (spray), or again and again (brute force).

    Failures are read from Kerberos errors (6 unknown, 18 locked, 24 wrong password), from the
    status of SMB session set-ups, from refused LDAP binds and from web servers that refuse a logon
    by NTLM, Basic or Digest.
    Where logons are encrypted (SSH, RDP, …), many short sessions of alike size to one service of
    one host within ten minutes stand for them; three that begin within a second count twice. Mail
    and FTP take three to five times as many, databases ten times, for programs log on there by
    themselves. Pairs that mostly do get in (longer sessions), or that did a third as much on a day
    before, are silent. An account that gets in after its wrong password (Kerberos) is a person who
    mistyped, and no part of a spray.

    Why it matters: a hospital's shared and simple passwords are the quickest way in; a spray finds
    the one weak account without locking any.

    False alarms: a service whose password expired (one account, one host: counted as brute force
    only from 20 failures), monitoring that opens SSH sessions, backup jobs over SSH.
    """

    id = "password_guessing"
    category: ClassVar[Category] = "credential_access"
    techniques = ("T1110",)
    reads = Reads(sightings=(Http, Kerberos, Ldap, Ntlm, Smb, WebLogon), apps=LOGON_APPS)
    wordings = {
        "spray": Wording(
            Text(
                "{source} が {accounts} 個のアカウントでログオンを試し、失敗しています",
                "{source} fails to log on with {accounts} different accounts",
            ),
            Text(
                "少数のパスワードを多くのアカウントに試す「パスワードスプレー」か、"
                "アカウント名の洗い出しです。"
                "一人でも弱いパスワードがあれば侵入されます。",
                "A password spray (few passwords, many accounts) or a search for valid names. One "
                "weak password is enough.",
            ),
            _NEXT_STEP,
        ),
        "brute_force": Wording(
            Text(
                "{source} が {target} へのログオンに {failures} 回失敗しています",
                "{source} failed {failures} times to log on to {target}",
            ),
            Text(
                "パスワードを総当たりで試す動きです。期限切れパスワードの自動ログオンでも起きます"
                "。",
                "Guessing a password by trying; an expired saved password does the same.",
            ),
            _NEXT_STEP,
        ),
        "sessions": Wording(
            Text(
                "{source} が {target} の {app} に短い接続を {failures} 回繰り返しています",
                "{source} opened {failures} short {app} sessions to {target}",
            ),
            Text(
                "ログオンに失敗しては繋ぎ直す、パスワード総当たりの形です（暗号化のため失敗自体は"
                "見えません）。",
                "It looks like logging on, failing and trying again (encrypted, so the failures "
                "themselves are not seen).",
            ),
            _NEXT_STEP,
        ),
    }

    spray_accounts: int = Field(default=8, ge=3, description="accounts failing in half an hour")
    brute_failures: int = Field(default=20, ge=5, description="failures of one pair in 10 minutes")
    short_sessions: int = Field(default=10, ge=5, description="alike sessions in 10 minutes")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        touched: dict[str, Calls] = {}
        for failure, source, target, account in self._failures(window, memory):
            tries = memory.tries.setdefault(source, _Tries())
            memory.tries.move_to_end(source)
            tries.failures.append((failure.time_ns, account, target))
            touched.setdefault(source, Calls()).add(failure, account)
        self._note_entered(window, memory)
        for source, calls in touched.items():
            yield from self._judge(memory.tries[source], source, calls)
        yield from self._failing_sessions(window, memory)
        for kept in (memory.tries, memory.asked, memory.named, memory.sessions):
            while len(kept) > 50_000:
                kept.popitem(last=False)

    def _failures(
        self, window: Window, memory: _Memory
    ) -> Iterator[tuple[Sighting, str, str, str]]:
        """(packet, source, target, account) of every failed logon, in time order per kind."""
        for ticket in window.of(Kerberos):
            if ticket.message == "as_req":
                memory.asked[ticket.ip, ticket.port, ticket.peer_ip] = ticket.client
            elif ticket.message == "krb_error" and ticket.error in (
                _KRB_UNKNOWN, _KRB_REVOKED, _KRB_PREAUTH_FAILED,
            ):  # fmt: skip
                asked = memory.asked.get((ticket.peer_ip, ticket.peer_port, ticket.ip), "")
                account = ticket.client or asked or f"port {ticket.peer_port}"
                yield ticket, ticket.peer_ip, ticket.ip, account
        several = (Http, Ntlm, WebLogon, Ldap, Smb)  # a request stands before the name in it
        for seen in sorted((s for kind in several for s in window.of(kind)), key=_when):
            yield from self._answered(seen, memory)

    def _answered(
        self, seen: Sighting, memory: _Memory
    ) -> Iterator[tuple[Sighting, str, str, str]]:
        """Keep whom a connection names; a server's refusal is a failure of whom it named last."""
        named, back = memory.named, (seen.peer_ip, seen.peer_port, seen.ip)
        forth = (seen.ip, seen.port, seen.peer_ip)
        if isinstance(seen, Http):
            named.pop(forth, None)  # what it got before was no refusal
        elif isinstance(seen, Ntlm | WebLogon):
            if seen.message in ("authenticate", "asked"):
                named[forth] = seen.user
                named.move_to_end(forth)
            elif seen.message == "refused" and (user := named.pop(back, "")):
                yield seen, seen.peer_ip, seen.ip, user  # before a name it is only asked for
        elif isinstance(seen, Ldap):
            if seen.operation == "bind" and seen.name:
                named[forth] = seen.name
                named.move_to_end(forth)
            elif seen.operation == "bind_answer" and seen.result == _LDAP_WRONG:
                yield seen, seen.peer_ip, seen.ip, named.get(back) or f"port {seen.peer_port}"
        elif isinstance(seen, Smb):
            is_setup = seen.command == (0x73 if seen.dialect == 1 else 1)
            if seen.is_response and is_setup and seen.status in _NTLM_FAILURES:
                yield seen, seen.peer_ip, seen.ip, named.get(back) or "?"

    def _note_entered(self, window: Window, memory: _Memory) -> None:
        """Who mistypes gets in a moment later: accounts that a source with failures then used."""
        for ticket in window.of(Kerberos):
            tries = memory.tries.get(ticket.peer_ip)
            if ticket.message == "as_rep" and tries is not None and ticket.client:
                tries.entered[ticket.client] = ticket.time_ns
                tries.entered.move_to_end(ticket.client)
                while len(tries.entered) > 4096:
                    tries.entered.popitem(last=False)

    def _judge(self, tries: _Tries, source: str, calls: Calls) -> Iterator[Finding]:
        now = calls.last_ns
        recent = [f for f in tries.failures if now - f[0] <= 1_800_000_000_000]
        accounts: dict[str, int] = {}
        for _, account, _ in recent:
            accounts[account] = accounts.get(account, 0) + 1
        last = {account: when for when, account, _ in recent}
        sprayed = [
            a for a, count in accounts.items() if count <= 3 and tries.entered.get(a, 0) < last[a]
        ]
        targets = tuple(dict.fromkeys(t for _, _, t in recent))
        flows = tuple({flow_of(s, from_server=True): None for s in calls.sightings})[:20]
        if len(sprayed) >= self.spray_accounts:
            yield Finding(
                source=source, targets=targets, score=min(85.0, 68 + len(sprayed) / 4),
                confidence=0.9, first_ns=recent[0][0], last_ns=now,
                facts={"accounts": len(sprayed), "names": sprayed[:20]},
                variant="spray", key=source, techniques=("T1110.003", "T1087.002"),
                app=_APP_OF[type(calls.sightings[0])],
                flows=flows,
            )  # fmt: skip
        by_target: dict[str, int] = {}
        for when, _, target in recent:
            by_target[target] = by_target.get(target, 0) + (now - when <= 600_000_000_000)
        for target, count in by_target.items():
            if count >= self.brute_failures and len(sprayed) < self.spray_accounts:
                yield Finding(
                    source=source, targets=(target,), score=min(80.0, 60 + count / 10),
                    confidence=0.8, first_ns=recent[0][0], last_ns=now,
                    facts={"failures": count, "names": list(accounts)[:20]},
                    variant="brute_force", techniques=("T1110.001",), flows=flows,
                )  # fmt: skip

    def _failing_sessions(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        flows = window.flows
        for key, at, kept, has_short in logon_sessions(window):
            sessions = memory.sessions.pop(key, None) or LogonSessions()
            memory.sessions[key] = sessions  # the latest stands last
            sessions.keep(kept)
            if not has_short:
                continue
            short = kept[:, 3] != 0
            source, target, app = window.hosts.ip(key[0]), window.hosts.ip(key[1]), APPS[key[2]]
            starts = sessions.failing(least_of(key[2], self.short_sessions))
            if len(starts):
                yield Finding(
                    source=source, targets=(target,), score=min(75.0, 60 + len(starts) / 5),
                    confidence=0.85, first_ns=int(starts[0]), last_ns=int(flows.last_ns[at].max()),
                    facts={"failures": len(starts), "app": app_name(app)},
                    variant="sessions", key=f"{target} {app}", techniques=("T1110.001",),
                    app=app, flows=flow_keys(flows, at[short]),
                )  # fmt: skip


def _when(seen: Sighting) -> int:
    return seen.time_ns
