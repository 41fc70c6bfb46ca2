"""Directory changes (LM-5): an account, a right or a way to log on is slipped in by LDAP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, NamedTuple

from collector.apps import APP_CODE
from collector.sightings import Ldap
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.hospital import REPLICATORS
from detector.lateral.calls import Calls
from detector.words import Text, Wording


class _Change(NamedTuple):
    """What setting an attribute, or making an entry of a class, means."""

    variant: str
    score: float
    techniques: tuple[str, ...]
    ja: str
    en: str
    is_own_right: bool = False  # a machine does it to its own entry, as when it joins


#: By attribute or class in small letters; schema names are Microsoft's (MS-ADA1 to MS-ADA3).
_CHANGES: Final[dict[str, _Change]] = {
    "msds-keycredentiallink": _Change(
        "take_over", 85, ("T1098", "T1556"),
        "鍵によるログオン方法（Shadow Credentials）", "a key to log on with (shadow credentials)",
        True,
    ),
    "msds-allowedtoactonbehalfofotheridentity": _Change(
        "take_over", 80, ("T1098", "T1134.001"),
        "他人になりすます委任（RBCD）", "the delegation to act as anybody (RBCD)",
    ),
    "ntsecuritydescriptor": _Change(
        "take_over", 70, ("T1222.001", "T1098"), "アクセス権", "who may do what with it",
    ),
    "sidhistory": _Change(
        "take_over", 75, ("T1134.005",),
        "別人の SID（SID 履歴）", "somebody else's SID (SID history)",
    ),
    "serviceprincipalname": _Change(
        "change", 55, ("T1098", "T1558.003"),
        "サービス名（SPN）", "the name of a service (SPN)", True,
    ),
    "member": _Change(
        "change", 55, ("T1098.007", "T1098"), "グループのメンバー", "the members of a group",
    ),
    "gplink": _Change(
        "change", 60, ("T1484.001",), "グループポリシーの適用先", "what a group policy applies to",
    ),
    "gpcfilesyspath": _Change(
        "change", 65, ("T1484.001",), "グループポリシーの置き場所", "where a group policy is kept",
    ),
    "scriptpath": _Change(
        "change", 60, ("T1037.003",), "ログオンスクリプト", "a logon script",
    ),
    "objectclass=computer": _Change(
        "change", 55, ("T1136.002",),
        "新しいコンピュータのアカウント", "a new account of a computer",
    ),
    "objectclass=dnsnode": _Change(
        "change", 55, ("T1557", "T1584.002"), "新しい DNS の名前", "a new name in DNS", True,
    ),
}  # fmt: skip
#: Who administers directories; what takes an account over is told of them too, but lower.
_ADMINISTRATORS: Final = frozenset({"admin", "bastion", "server", "dns", "dhcp"})

_NEXT_STEP: Final = Text(
    ja="情報システム担当に、いま {source} から {entry} を変更する作業があるか確認してください。"
    "なければ {source} を LAN から外し、{target} のイベントログ（5136・4741）で変更した"
    "アカウントを調べ、変更を元に戻してそのアカウントを止めてください。",
    en="Ask IT whether somebody is changing {entry} from {source} right now. If not, take {source} "
    "off the LAN, look in the event log of {target} (5136, 4741) for the account that did it, undo "
    "the change and disable that account.",
)


class DirectoryChange(Detector):
    """A host sets by LDAP what takes an account over, or makes accounts and names in the directory.

    Reads the names of the attributes that an LDAP modify or add sets (never their values): keys to
    log on with (shadow credentials), resource-based delegation, access rights, SID history; then
    service names, group members, group policies, logon scripts, new computers, new names in DNS.
    Administrators' own tools seal what they send, so that a change in the open comes from a script
    or an attack tool; tools that relay somebody's logon to LDAP cannot seal at all.

    Why it matters: each of these gives an intruder a way back that no changed password closes.

    False alarms: identity management and vendors' scripts that write without encryption; give them
    the role `directory_sync` or `admin`, or approve the edge. A machine that sets its own service
    name or key is silent, as are domain controllers.
    """

    id = "directory_change"
    category: ClassVar[Category] = "credential_access"
    techniques = ("T1098",)
    reads = Reads(sightings=(Ldap,))
    wordings = {
        "take_over": Wording(
            Text(
                "{source} がディレクトリ {target} で {entry} に{what_ja}を書き込みました",
                "{source} wrote {what} to {entry} in directory {target}",
            ),
            Text(
                "書き込んだ人は、パスワードを知らなくてもそのアカウントや機器になりすませます。"
                "パスワードを変えても効き目は残ります。暗号化せずに行うのは攻撃ツールか"
                "手作りのスクリプトです。",
                "Whoever wrote it can act as that account or machine without its password, and "
                "goes on doing so after the password was changed. Only attack tools and home-made "
                "scripts write it unencrypted.",
            ),
            _NEXT_STEP,
        ),
        "change": Wording(
            Text(
                "{source} がディレクトリ {target} で {what_ja}を変更しました（{entry}）",
                "{source} changed {what} in directory {target} ({entry})",
            ),
            Text(
                "権限を増やす、居座る、他の機器の通信を引き寄せるための変更として使われます。"
                "管理者の道具は普通この通信を暗号化します。",
                "Such changes give more rights, a way to stay, or draw other machines' traffic. "
                "Administrators' own tools normally encrypt them.",
            ),
            _NEXT_STEP,
        ),
    }

    def remember(self) -> None:
        return None

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        seen: dict[tuple[str, str, str], tuple[Calls, list[_Change]]] = {}
        for told in window.of(Ldap):
            if told.operation not in ("modify", "add") or not told.ip or not told.peer_ip:
                continue
            if window.hosts.at(told.ip).role in REPLICATORS:
                continue
            for change in self._changes(window, told):
                calls, changes = seen.setdefault(
                    (told.ip, told.peer_ip, change.variant), (Calls(), [])
                )
                calls.add(told, told.base[:200])
                changes.append(change)
        for (source, target, variant), (calls, changes) in seen.items():
            score = self._score(window, source, target, changes)
            if score:
                yield self._finding(source, target, variant, score, calls, changes)

    def _changes(self, window: Window, told: Ldap) -> Iterator[_Change]:
        is_own = _is_own(told.base, list(window.hosts.at(told.ip).names))
        for attribute in told.attributes:
            change = _CHANGES.get(attribute.lower())
            if change is not None and not (is_own and change.is_own_right):
                yield change

    def _score(self, window: Window, source: str, target: str, changes: list[_Change]) -> float:
        worst = max(change.score for change in changes)
        edge = window.edges.find(source, target, APP_CODE["ldap"])
        if edge is not None and edge.approved:
            return worst * 0.3
        if window.hosts.at(source).role in _ADMINISTRATORS:
            return worst * 0.7 if changes[0].variant == "take_over" else 0.0
        return worst

    def _finding(
        self,
        source: str,
        target: str,
        variant: str,
        score: float,
        calls: Calls,
        changes: list[_Change],
    ) -> Finding:
        told = list(dict.fromkeys(changes))
        entries = list(calls.names) or ["?"]
        return Finding(
            source=source,
            targets=(target,),
            score=score,
            confidence=0.9,
            first_ns=calls.first_ns,
            last_ns=calls.last_ns,
            facts={
                "what_ja": "・".join(change.ja for change in told),
                "what": ", ".join(change.en for change in told),
                "entry": entries[0],
                "entries": entries[:20],
                "count": len(calls.sightings),
            },
            variant=variant,
            techniques=tuple(dict.fromkeys(t for change in told for t in change.techniques)),
            app="ldap",
            flows=calls.flows(),
        )


def _is_own(entry: str, names: list[str]) -> bool:
    """Is the entry named as the machine is, whatever domain follows?"""
    first = entry.partition(",")[0].partition("=")[2].strip().lower()
    return bool(first) and first in {name.split(".")[0].lower() for name in names}
