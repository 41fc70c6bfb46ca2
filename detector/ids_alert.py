"""Alerts of intrusion detection systems: Suricata, Snort, FortiGate, Zeek's notices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import IdsAlert
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.words import Text, Wording

_DAY_NS: Final = 86_400_000_000_000
_MOST_PAIRS: Final = 50_000
_MOST_NAME: Final = 200  # characters of a signature that stand for it
_SCORES: Final = {"critical": 85.0, "high": 70.0, "medium": 52.0, "low": 32.0, "info": 15.0}
#: What a network says of itself, whoever is in it: told at the least weight.
_POLICY: Final = re.compile(
    r"\b(policy|info|chat|games|p2p|icmp_info|not suspicious|misc activity|hunting"
    r"|corporate privacy|unknown traffic|applicationcontrol)\b",
    re.IGNORECASE,
)
#: What a decoder says of packets it could not follow; on a mirror port they come by thousands.
_DECODER: Final = re.compile(r"^SURICATA |protocol command decode", re.IGNORECASE)
_KINDS: Final[tuple[tuple[Category, re.Pattern[str]], ...]] = (
    (
        "reconnaissance",
        re.compile(r"scan|recon|information leak|enumerat|portsweep", re.IGNORECASE),
    ),
    (
        "credential_access",
        re.compile(r"credential|brute|password|successful user|default-login", re.IGNORECASE),
    ),
    ("exfiltration", re.compile(r"exfil", re.IGNORECASE)),
    (
        "impact",
        re.compile(r"ransom|denial of service|\bdos\b|anomaly|coin ?min|cryptomin", re.IGNORECASE),
    ),
    (
        "command_and_control",
        re.compile(
            r"trojan|malware|command and control|\bc2\b|cnc|botnet|beacon|virus|phish"
            r"|exploit.kit|\bdga\b",
            re.IGNORECASE,
        ),
    ),
)


@dataclass
class _Told:
    """What one machine was told for by one signature on one day."""

    day: int
    targets: dict[str, None] = field(default_factory=dict)  # as many as make them many


class IdsAlerts(Detector):
    """Another intrusion detection system's signature fired.

    Read from Suricata's EVE records, Snort's one-line form, FortiGate's IPS and antivirus records
    and Zeek's notices. The maker's severity gives the score (critical 85, high 70, medium 52, low
    32, info 15); what that device stopped counts three quarters, and what signatures of policy and
    information tell counts as info, whatever severity they claim. Decoder events ("SURICATA
    STREAM …") are left out. One alert a day tells a signature between two hosts, and one with all
    targets where a host is told for more than `many_targets`. Which technique it is is taken from
    the record, where it names one.

    The alert joins the incident of its hosts as evidence. Where this program itself has told
    something between the same two hosts within a day that nobody has explained, only the graver of
    the two counts for the incident's priority: two devices that see one thing are not two things.

    Why it matters: a signature knows by name what is seen here as behaviour.

    False alarms: as that system has them. Tune it there, or silence a signature here.
    """

    id = "ids_alert"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ()
    reads = Reads(sightings=(IdsAlert,))

    many_targets: int = Field(
        default=5, ge=1, le=100, description="targets above which one alert is told"
    )
    stopped_weight: float = Field(
        default=0.75, gt=0, le=1, description="weight of what the other device stopped"
    )

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{monitor} が {source} → {target} で「{signature}」を検知しました",
                en="{monitor} saw \u201c{signature}\u201d from {source} to {target}",
            ),
            why=Text(
                ja="別の監視装置のシグネチャに一致した通信です"
                "（分類：{kind}、重大度：{severity}、{times} 回）。"
                "ふるまいではなく、既知の攻撃や不正プログラムの特徴に基づく検知です。",
                en="Traffic fits a signature of another monitor (class: {kind}, severity: "
                "{severity}, {times} times). It is told by what is known of an attack or program, "
                "not by behaviour.",
            ),
            next_step=Text(
                ja="{monitor} の記録で一致した内容を確認し、{source} の利用者にその時刻の操作を"
                "尋ねてください。同じ機器の他のアラートがあれば、まとめて対応します。",
                en="Read in {monitor} what fitted, and ask the user of {source} what was done "
                "then. If the host has other alerts, handle them together.",
            ),
        ),
        "stopped": Wording(
            title=Text(
                ja="{monitor} が {source} → {target} の「{signature}」を遮断しました",
                en="{monitor} stopped \u201c{signature}\u201d from {source} to {target}",
            ),
            why=Text(
                ja="別の監視装置が通信を遮断しました"
                "（分類：{kind}、重大度：{severity}、{times} 回）。"
                "通信は止まりましたが、送ろうとした機器は残っています。",
                en="Another monitor stopped it (class: {kind}, severity: {severity}, {times} "
                "times). The traffic is gone, but whoever sent it is still there.",
            ),
            next_step=Text(
                ja="{source} がなぜこの通信をしたか、利用者と不正プログラム対策ソフトの記録を"
                "確認してください。",
                en="Find out why {source} sent it: ask its user, read its antivirus log.",
            ),
        ),
    }

    def remember(self) -> dict[tuple[str, str], _Told]:
        return {}

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        groups: dict[tuple[str, str, str], list[IdsAlert]] = {}
        for said in window.of(IdsAlert):
            if not said.ip or _DECODER.search(said.signature) or _DECODER.search(said.category):
                continue
            source, target = _parties(said, window)
            groups.setdefault((_name(said), source, target), []).append(said)
        for (name, source, target), several in groups.items():
            yield self._finding(name, source, target, several, memory)

    def _finding(
        self, name: str, source: str, target: str, several: list[IdsAlert], memory: Any
    ) -> Finding:
        first = several[0]
        told = _told(memory, name, source, first.time_ns // _DAY_NS)
        if len(told.targets) <= self.many_targets:
            told.targets[target] = None
        is_many = len(told.targets) > self.many_targets
        is_stopped = all(said.is_stopped for said in several)
        gravest = max(several, key=lambda said: _SCORES.get(said.severity, 0.0))
        severity = "info" if _is_policy(first) else gravest.severity
        score = _SCORES.get(severity, 15.0) * (self.stopped_weight if is_stopped else 1.0)
        return Finding(
            source=source,
            targets=tuple({**told.targets, target: None})
            if is_many
            else (target,)
            if target
            else (),
            score=score,
            confidence=1.0,  # the weight is the maker's severity
            first_ns=first.time_ns,
            last_ns=several[-1].time_ns,
            facts={
                "monitor": first.monitor.capitalize(),
                "signature": first.signature,
                "signature_id": first.signature_id,
                "kind": first.category or "-",
                "severity": gravest.severity,
                "times": len(several),
            },
            variant="stopped" if is_stopped else "",
            key=f"{name} {'many' if is_many else target}",
            techniques=tuple(dict.fromkeys(t for said in several for t in said.techniques)),
            category=_kind(first),
        )


def _name(said: IdsAlert) -> str:
    return f"{said.monitor} {said.signature_id or said.signature}"[:_MOST_NAME]


def _parties(said: IdsAlert, window: Window) -> tuple[str, str]:
    """Whom it is about first: who sent it; of malware that speaks with outside, the inside host."""
    is_ours = window.hospital.is_inside
    if _kind(said) == "command_and_control" and is_ours(said.peer_ip) and not is_ours(said.ip):
        return said.peer_ip, said.ip
    return said.ip, said.peer_ip


def _told(memory: dict[tuple[str, str], _Told], name: str, source: str, day: int) -> _Told:
    told = memory.get((name, source))
    if told is None or told.day != day:
        memory.pop((name, source), None)
        told = memory[name, source] = _Told(day)
        if len(memory) > _MOST_PAIRS:
            del memory[next(iter(memory))]
    return told


def _is_policy(said: IdsAlert) -> bool:
    return bool(_POLICY.search(said.signature) or _POLICY.search(said.category))


def _kind(said: IdsAlert) -> Category:
    """The stage that the record's own class, else the signature's words, tell."""
    if _is_policy(said):
        return "policy"
    for words in (said.category, said.signature):
        for category, pattern in _KINDS:
            if pattern.search(words):
                return category
    return "lateral_movement"
