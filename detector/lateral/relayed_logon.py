"""NTLM relay (LM-5): a server's challenge is passed on to somebody else, who answers it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import Ntlm
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import flow_of
from detector.words import Text, Wording

#: What password catchers send to everybody, so that tables made beforehand fit the answers.
_CAUGHT: Final = "1122334455667788"
#: Reverse proxies and load balancers pass web logons on, challenge and all.
_WEB_PORTS: Final = frozenset({80, 443, 8080, 8443})
_MOST_KEPT: Final = 20_000
_NEXT_STEP = Text(
    ja="{source} を直ちに LAN から外し、使用者を確認してください。{target} のログオン記録を"
    "調べ、そこに現れるアカウントのパスワード変更を、情報システム責任者に依頼してください。",
    en="Take {source} off the LAN at once and find out who uses it. Have the head of IT look at "
    "the logons of {target} and change the passwords of the accounts found there.",
)


class RelayedLogon(Detector):
    """A host sends one client the NTLM challenge that it just got from another server.

    A challenge is eight random bytes, so two servers never choose the same. Whoever got it as a
    client and sends it as a server lets somebody else answer it, and is logged on in their name.
    A challenge of 11 22 33 44 55 66 77 88 is what password catchers (Responder, Metasploit) send.

    Why it matters: no password is cracked; the relayed logon works at once, on a domain controller
    it takes the domain. Signing of SMB and LDAP stops it.

    False alarms: reverse proxies and load balancers that pass web logons on (they weigh little, and
    those with the role `gateway` nothing).
    """

    id = "relayed_logon"
    category: ClassVar[Category] = "credential_access"
    techniques = ("T1557.001",)
    reads = Reads(sightings=(Ntlm,))
    wordings = {
        "relayed": Wording(
            Text(
                "{source} が {target} の間でログオンを中継しています（NTLM リレー）",
                "{source} relays a logon between {target} (NTLM relay)",
            ),
            Text(
                "サーバーが出した使い捨ての乱数（チャレンジ）を {source} が別の機器に渡し、"
                "その答えで本人になりすましています。パスワードを知らなくても成功する攻撃です。",
                "{source} handed the server's one-time challenge to another machine, and uses the "
                "answer to be logged on in its name. It works without knowing any password.",
            ),
            _NEXT_STEP,
        ),
        "caught": Wording(
            Text(
                "{source} が {target} の認証情報を集めています（固定チャレンジ）",
                "{source} collects the logon of {target} (a fixed challenge)",
            ),
            Text(
                "本物のサーバーは毎回違う乱数を出しますが、{source} は Responder などの道具が使う"
                "決まった値を出しました。受け取った答えからパスワードを解読できます。",
                "A real server takes a new random challenge each time; {source} sent the value "
                "that Responder and its like use, whose answers let a password be cracked.",
            ),
            _NEXT_STEP,
        ),
    }

    within_s: int = Field(default=60, ge=1, description="seconds from the challenge to its relay")

    def remember(self) -> OrderedDict[str, Ntlm]:
        return OrderedDict()  # challenge → who first sent it, and to whom

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for sent in window.of(Ntlm):
            if sent.message != "challenge" or len(sent.challenge) != 16:
                continue
            if sent.challenge == _CAUGHT:
                yield _finding(sent, "caught", 85.0, (sent.peer_ip,), sent.time_ns)
                continue
            first = memory.setdefault(sent.challenge, sent)
            is_late = sent.time_ns - first.time_ns > self.within_s * 1_000_000_000
            # The client of the first now plays the server, even to the first itself (reflection).
            if sent.ip != first.peer_ip or is_late:
                continue
            if window.hosts.at(sent.ip).role == "gateway":
                continue
            is_web = {first.port, sent.port} <= _WEB_PORTS
            targets = tuple(dict.fromkeys((first.ip, sent.peer_ip)))
            yield _finding(sent, "relayed", 45.0 if is_web else 95.0, targets, first.time_ns)
        while len(memory) > _MOST_KEPT:
            memory.popitem(last=False)


def _finding(
    sent: Ntlm, variant: str, score: float, targets: tuple[str, ...], first_ns: int
) -> Finding:
    return Finding(
        source=sent.ip,
        targets=targets,
        score=score,
        confidence=0.95,
        first_ns=first_ns,
        last_ns=sent.time_ns,
        variant=variant,
        techniques=("T1557.001",),
        app="smb",
        flows=(flow_of(sent, from_server=True),),
    )
