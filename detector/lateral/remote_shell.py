"""Remote shells by WinRM (LM-4): one Windows host gives commands to another over HTTP."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.apps import APP_CODE
from collector.decoders.wsman import is_remote_shell
from collector.sightings import Http, Ntlm
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import Calls
from detector.lateral.rounds import Rounds
from detector.words import Text, Wording

#: What an open request says → its technique beside WinRM's own.
_OPEN: Final = {"shell": "T1059.001", "command": "T1059.001", "process": "T1047", "wmi": "T1047"}
#: From an open reader of logs nobody learns whether a request was sealed.
_UNTOLD: Final = ("", "other")
_WINDOWS_CLIENT: Final = "microsoft winrm client"

_NEXT_STEP = Text(
    ja="情報システム担当に、いま {source} から {target} を PowerShell などで操作する作業があるか"
    "確認してください（アカウント：{user}）。心当たりがなければ {source} を LAN から外し、{target} "
    "の PowerShell のログ（イベント 4103・4104）を保全し、"
    "アカウントのパスワードを変更してください。"
    "{target} が診療系なら、止める前に担当部署へ連絡してください。",
    en="Ask IT whether anyone is working on {target} from {source} by PowerShell or the like "
    "(account: {user}). If not, take {source} off the LAN, secure the PowerShell log of {target} "
    "(events 4103 and 4104) and change the account's password. If {target} serves care, call its "
    "department before stopping anything.",
)


@dataclass
class _Session:
    """What one client asked one host, until it is quiet for ten minutes."""

    sealed: int = 0
    untold: int = 0
    asked: dict[str, None] = field(default_factory=dict)  # of requests that are open
    client: str = ""
    user: str = ""
    last_ns: int = 0


@dataclass
class _Memory:
    sessions: OrderedDict[tuple[str, str], _Session] = field(default_factory=OrderedDict)
    rounds: Rounds = field(default_factory=Rounds)


class RemoteShell(Detector):
    """One host works in a shell of another by WinRM (PowerShell remoting, evil-winrm, winrs).

    Read from the requests themselves (WS-Management over HTTP), whatever their port: a shell, a
    command or a program asked for in the open is sure; usually the logon seals the bodies, and
    then several sealed requests after it are a shell in all likelihood. A program other than
    Windows' own client counts ten points more. Over TLS only the connection is seen, which
    `admin_edge` tells. Collection of events (below /wsman/) is left out.

    Why it matters: WinRM is on by default on servers, leaves no file, and is what intruders
    use once they have an administrator's password or hash.

    False alarms: administration by PowerShell, Windows Admin Center, Ansible, Exchange consoles.
    An edge that a person approved counts three tenths, what was told for three days half; what one
    host does to four others and more is one alert for as long as it goes on.
    """

    id = "remote_shell"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1021.006",)
    reads = Reads(sightings=(Http, Ntlm))
    wordings = {
        "open": Wording(
            Text(
                "{source} が WinRM で {target} にコマンドを実行させました（{asked}）",
                "{source} gave commands to {target} by WinRM ({asked})",
            ),
            Text(
                "Windows の遠隔管理（WinRM）の要求が暗号化されずに見えています。ファイルを残さずに"
                "他の機器を操れるため、侵入者もよく使います（接続プログラム：{client}）。",
                "Requests of Windows' remote management (WinRM) are readable here. It controls "
                "another machine without leaving a file, so intruders like it (client: {client}).",
            ),
            _NEXT_STEP,
        ),
        "sealed": Wording(
            Text(
                "{source} が WinRM で {target} を遠隔操作しています（暗号化された要求 {count} 件）",
                "{source} is working on {target} by WinRM ({count} sealed requests)",
            ),
            Text(
                "PowerShell などの遠隔シェルの通信です。内容は暗号化されて見えません。"
                "管理者の作業か侵入のどちらかなので、予定の有無で見分けます（接続プログラム：{client}）。",
                "This is a remote shell such as PowerShell's; what it says is sealed. It is either "
                "administration or an intrusion, and what decides is whether it was planned "
                "(client: {client}).",
            ),
            _NEXT_STEP,
        ),
    }

    together_s: int = Field(default=600, ge=10, description="requests of one session")
    least_sealed: int = Field(default=3, ge=1, description="sealed requests that make a shell")
    least_untold: int = Field(
        default=6, ge=1, description="requests of unknown content that make a shell"
    )
    round_targets: int = Field(
        default=4, ge=2, description="targets of one source in a week that are told as one"
    )

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        told: dict[tuple[str, str], Calls] = {}
        for request in window.of(Http):
            if not is_remote_shell(request.method, request.path):
                continue
            pair = (request.ip, request.peer_ip)
            session = self._session(memory, pair, request.time_ns)
            session.client = request.user_agent or session.client
            session.sealed += request.wsman == "sealed"
            session.untold += request.wsman in _UNTOLD
            if request.wsman in _OPEN:
                session.asked[request.wsman] = None
            told.setdefault(pair, Calls()).add(request, "")
        if not told:
            return
        for logon in window.of(Ntlm):
            pair = (logon.ip, logon.peer_ip)
            if logon.message == "authenticate" and logon.user and pair in told:
                memory.sessions[pair].user = logon.user
        for pair, calls in told.items():
            finding = self._judge(window, memory, pair, calls)
            if finding is not None:
                yield finding
        while len(memory.sessions) > 20_000:
            memory.sessions.popitem(last=False)

    def _session(self, memory: _Memory, pair: tuple[str, str], now_ns: int) -> _Session:
        session = memory.sessions.get(pair)
        if session is None or now_ns - session.last_ns > self.together_s * 1_000_000_000:
            session = memory.sessions[pair] = _Session()
        memory.sessions.move_to_end(pair)
        session.last_ns = max(session.last_ns, now_ns)
        return session

    def _judge(
        self, window: Window, memory: _Memory, pair: tuple[str, str], calls: Calls
    ) -> Finding | None:
        session = memory.sessions[pair]
        is_shell = session.sealed >= self.least_sealed or session.untold >= self.least_untold
        if not session.asked and not is_shell:
            return None
        told = memory.rounds.tell(
            *pair, "winrm", calls.first_ns, session.last_ns, self.round_targets,
            who=window.hosts.at(pair[0]).identity,
        )  # fmt: skip
        others = dict.fromkeys(_OPEN[word] for word in session.asked)
        return Finding(
            source=pair[0],
            targets=told.targets,
            score=self._score(window, pair, session, told.is_settled),
            confidence=0.95 if session.asked else 0.85,
            first_ns=told.first_ns,
            last_ns=calls.last_ns,
            facts={
                "asked": list(session.asked),
                "count": session.sealed + session.untold,
                "client": session.client or "-",
                "user": session.user or "-",
            },
            variant="open" if session.asked else "sealed",
            key=told.key,
            is_round=len(told.targets) > 1,
            is_settled=told.is_settled,
            techniques=("T1021.006", *others),
            app="winrm",
            flows=calls.flows(),
        )

    def _score(
        self, window: Window, pair: tuple[str, str], session: _Session, is_settled: bool
    ) -> float:
        score = 70.0 if session.asked else 60.0
        score += 10 * (bool(session.client) and session.client.lower() != _WINDOWS_CLIENT)
        edge = window.edges.find(*pair, APP_CODE["winrm"])
        if edge is not None and edge.approved:
            return score * 0.3
        if is_settled or (edge is not None and edge.active_days >= 3):
            return score * 0.5
        if window.hosts.at(pair[0]).role in ("admin", "bastion", "wsus", "scanner", "backup"):
            score *= 0.7
        return score
