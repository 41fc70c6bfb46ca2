"""New admin connection (LM-3): one host begins to control another that it never controlled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.apps import APP_CODE, APPS, app_name
from detector.addresses import in_networks
from detector.detection import Category, Detector, Finding, Reads, Window, app_table
from detector.host import Host
from detector.landing import allowed_targets, line_networks
from detector.lateral.contacts import flow_keys
from detector.lateral.rounds import Round, Rounds
from detector.sift import sift
from detector.sift_kernels import ADMIN
from detector.window_kernels import OURS, WINRM
from detector.words import Text, Wording

#: How telling a new edge of each service is, and the technique.
_WEIGHT: Final[dict[str, tuple[float, str]]] = {
    "rdp": (1.0, "T1021.001"), "vnc": (1.0, "T1021.005"), "winrm": (1.0, "T1021.006"),
    "ssh": (1.0, "T1021.004"), "radmin": (1.0, "T1219"), "dcerpc": (0.8, "T1047"),
    "mssql": (0.8, "T1210"), "oracle": (0.8, "T1210"), "postgres": (0.8, "T1210"),
    "mysql": (0.8, "T1210"), "intersystems": (0.8, "T1210"), "telnet": (0.7, "T1021"),
    "ftp": (0.7, "T1021"), "smb": (0.9, "T1021.002"),
}  # fmt: skip
#: These show another's screen or shell; day one may speak of them without a baseline.
_INTERACTIVE: Final = ("rdp", "vnc", "winrm", "radmin")
_HARD_RULE: Final = ("rdp", "vnc", "winrm", "ssh", "radmin")
#: Where control is expected to begin.
_CONTROLLERS: Final = frozenset({"admin", "bastion", "vendor_landing", "scanner"})
_SERVERS: Final = frozenset(
    {"server", "emr_server", "database", "domain_controller", "file_server", "pacs", "hl7_engine",
     "dns", "dhcp", "backup", "wsus"}
)  # fmt: skip
_HOUR_NS: Final = 3_600_000_000_000
_IS_PLAIN: Final = app_table(("unknown", "http", "tls"))

_NEXT_STEP = Text(
    ja="情報システム担当に、{source} から {target} への {app} 接続の予定（保守・導入作業）"
    "があるか確認して"
    "ください。なければ {source} の利用者に電話し、いま誰が操作しているか聞いてください。"
    "正しい接続なら、"
    "この組み合わせを承認すると次から静かになります。",
    en="Ask IT whether {app} from {source} to {target} is planned (maintenance, roll-out). If not, "
    "phone the user of {source} and ask who is at work on it now. If it is right, approve the edge "
    "and it stays quiet from then on.",
)


class AdminEdge(Detector):
    """A host controls another by RDP, VNC, SSH, WinRM, SQL or the like for the first time.

    Known by the bytes, not by the port. The score is the service's weight, times how surprising the
    edge is given what the host and its peers did before (edge memory), times the direction: up
    where the source never controls others or a server reaches for a terminal, down for registered
    admin machines. Until the memory is four weeks old the score is capped at 60. A host whose
    role controls nobody (modality, printer, analyser, camera) that opens a session scores 80
    from day one; one that turns to three new machines within an hour by RPC, SQL or the like
    scores 72, a printer's scans to shared folders excepted. Where a vendor's line lands, a new
    session beyond the contract scores 75. On a cold memory only screens and shells (RDP, VNC,
    WinRM) between clients or from outside are told, as low; SSH, SMB and databases wait until
    there is something to compare.

    A host that reaches `round_targets` new targets in a week by one service is on a round, as the
    asset tool's server is: one alert for as long as it goes on; a day of thrice as many is another.

    Why it matters: every step of an intruder through the hospital is a new edge of this kind.

    False alarms: a new IT PC, a server replaced, helpdesk. What a registered outside line may do
    by its contract is left to the detectors of lines.
    Such edges never accept themselves: a person approves them once.
    """

    id = "admin_edge"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1021",)
    reads = Reads(apps=tuple(_WEIGHT), marks=WINRM)
    wordings = {
        "new": Wording(
            Text(
                "{source} が {target} へ初めて {app} で接続しました",
                "{source} connected to {target} by {app} for the first time",
            ),
            Text(
                "遠隔操作のできる通信で、これまで {days} 日の学習からも、似た機器の動きからも"
                "予想されません。",
                "It allows control of the other machine, and neither {days} days of learning nor "
                "similar machines would suggest it.",
            ),
            _NEXT_STEP,
        ),
        "cold": Wording(
            Text(
                "{source} が {target} を {app} で遠隔操作しています（学習前のため参考情報）",
                "{source} is controlling {target} by {app} (for information: nothing learnt yet)",
            ),
            Text(
                "端末同士や院外からの画面・コマンドの遠隔操作は、保守か侵入のどちらかです。"
                "まだ普段の動きを"
                "学習していないため、正常かどうかは判断できません。",
                "Control of a screen or shell between terminals, or from outside, is either "
                "maintenance or an intrusion. What is usual here is not known yet.",
            ),
            _NEXT_STEP,
        ),
        "never_controller": Wording(
            Text(
                "{source}（{role}）が {target} へ {app} で接続しました",
                "{source} ({role}) connected to {target} by {app}",
            ),
            Text(
                "この種の機器は他の機器を操作しません。乗っ取られて踏み台にされているか、"
                "誰かがその機器の"
                "前で操作しています。",
                "A machine of this kind controls no other. Either it is taken over and used as a "
                "stepping stone, or somebody is sitting at it.",
            ),
            Text(
                "{source} の設置部署に電話し、いま誰が何をしているか確認してください。"
                "医療機器なら保守業者と"
                "臨床工学室にも連絡し、診療への影響を確かめてから LAN から外してください。",
                "Phone the department of {source} and ask who is doing what. If it is a medical "
                "device call its vendor and clinical engineering, and know what stops before "
                "taking it off the LAN.",
            ),
        ),
    }

    cold_days: int = Field(default=3, ge=1, description="days below which the memory is cold")
    warm_days: int = Field(default=28, ge=1, description="days after which scores are not capped")
    least_score: float = Field(default=40.0, ge=0, le=100, description="below this it is silent")
    round_targets: int = Field(
        default=6, ge=2, description="new targets of a source in a week that are told as one"
    )
    around_targets: int = Field(
        default=3, ge=2, description="new targets in an hour of what should control nobody"
    )

    def remember(self) -> Rounds:
        return Rounds()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        flows = window.flows
        rows = window.once(sift).rows(ADMIN)
        rows = rows[~window.edges.knows_flows(window, rows)]
        if not len(rows):
            return
        by_port = (window.marks[rows] & WINRM != 0) & _IS_PLAIN[flows.app[rows]]
        service = np.where(by_port, APP_CODE["winrm"], flows.app[rows])
        told = window.edges.knows(window.source[rows], window.destination[rows], service)
        groups: dict[tuple[int, int, int], list[int]] = {}
        for row, app in zip(rows[~told].tolist(), service[~told].tolist(), strict=True):
            key = (int(window.source[row]), int(window.destination[row]), int(app))
            groups.setdefault(key, []).append(row)
        for (source, target, app), at in groups.items():
            if is_contracted(window, source, target, int(flows.destination_port[at[0]])):
                continue
            is_ours = bool(window.marks[at[0]] & OURS)
            finding = self._judge(window, source, target, APPS[app], at, is_ours)
            if finding is not None and finding.variant == "new":
                host = window.hosts.get(source)
                turn = memory.note(host.identity, finding.app, finding.targets[0], finding.last_ns)
                finding = self._around(finding, turn, host) or self._of_round(finding, turn)
            if finding is not None:
                yield finding

    def _around(self, finding: Finding, turn: Round, host: Host) -> Finding | None:
        """A machine that controls nobody asks several for it, by whatever means, within an hour."""
        is_scan_to_folder = host.role == "printer" and finding.app == "smb"
        if not host.is_never_controller or is_scan_to_folder:
            return None
        lately = [t for t, at in turn.targets.items() if at > finding.last_ns - _HOUR_NS]
        if len(lately) < self.around_targets:
            return None
        return replace(
            finding,
            targets=tuple(reversed(lately))[:100],
            score=max(finding.score, 72.0),
            first_ns=min(finding.first_ns, *(turn.targets[t] for t in lately)),
            variant="never_controller",
            key=f"{finding.source} {finding.app} around",
        )

    def _of_round(self, finding: Finding, turn: Round) -> Finding:
        if len(turn.targets) < self.round_targets:
            return finding
        key = f"{finding.source} {finding.app}"
        began_ns = finding.first_ns if turn.is_burst else min(finding.first_ns, turn.began_ns)
        return replace(
            finding,
            targets=tuple(turn.reached[:100]),
            first_ns=began_ns,
            key=f"{key} burst" if turn.is_burst else key,
        )

    def _judge(
        self, window: Window, source: int, target: int, app: str, at: list[int], is_ours: bool
    ) -> Finding | None:
        host, other = window.hosts.get(source), window.hosts.get(target)
        weight, technique = _WEIGHT[app]
        if app == "smb" and other.role in ("file_server", "domain_controller", "printer"):
            weight = 0.2
        surprise = 0.0
        if host.is_never_controller and app in _HARD_RULE:
            variant, score = "never_controller", 80.0
        elif window.edges.active_days < self.cold_days:
            variant, score = "cold", self._cold_score(host, other, app, is_ours)
        else:
            surprise = window.edges.surprise(source, target, APP_CODE[app])
            direction = self._direction(host, other)
            score = 100 * weight / (1 + math.exp(-(surprise - 6) / 1.5)) * direction
            if window.edges.active_days < self.warm_days:
                score = min(60.0, score)
            if app in _HARD_RULE and _is_landing(window, source):
                score = max(score, 75.0)  # the contract says where it may go, and this is not there
            variant = "new"
        if score < (25.0 if variant == "cold" else self.least_score):
            return None
        flows = window.flows
        return Finding(
            source=host.ip,
            targets=(other.ip,),
            score=min(100.0, score),
            confidence=0.8,
            first_ns=int(flows.first_ns[at].min()),
            last_ns=int(flows.last_ns[at].max()),
            facts={
                "app": app_name(app),
                "role": host.role,
                "surprise": round(surprise, 1),
                "days": window.edges.active_days,
                "connections": len(at),
            },
            variant=variant,
            key=f"{other.ip} {app}",
            techniques=(technique,),
            category="remote_access" if variant == "cold" and app != "winrm" else None,
            app=app,
            flows=flow_keys(flows, at),
            warmth=window.edges.warmth,
        )

    def _cold_score(self, host: Host, other: Host, app: str, is_ours: bool) -> float:
        """Low, and only for what a person would want to know without any baseline."""
        if app not in _INTERACTIVE or host.role in _CONTROLLERS:
            return 0.0
        if app == "winrm" and other.role not in _SERVERS:
            return 55.0
        return 40.0 if not is_ours else 35.0

    def _direction(self, host: Host, other: Host) -> float:
        if host.role in _CONTROLLERS:
            return 0.7
        if host.is_never_controller or (host.role in _SERVERS and other.role == "terminal"):
            return 1.25
        return 1.0


def _is_landing(window: Window, source: int) -> bool:
    """Is this where a vendor's line lands."""
    if not window.hospital.lines:
        return False
    address = window.hosts.addresses(np.array([source], np.uint32))
    return any(in_networks(address, line_networks(line))[0] for line in window.hospital.lines)


def is_contracted(window: Window, source: int, target: int, port: int) -> bool:
    """A vendor on the way to where its line lands, or to a target that its contract allows."""
    if not window.hospital.lines:
        return False
    ends = window.hosts.addresses(np.array([source, target], np.uint32))
    for line in window.hospital.lines:
        landing = line_networks(line)
        allowed = tuple(n for n, only in allowed_targets(line) if only in (0, port))
        if in_networks(ends[:1], landing)[0] and in_networks(ends[1:], landing + allowed)[0]:
            return True
    return False
