"""Directory and name-server questions (LM-5): who is administrator, whose password can crack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from collector.apps import APP_CODE
from collector.sightings import Dns, Ldap
from detector.detection import Category, Detector, Finding, Reads, Window
from detector.lateral.calls import Calls, flow_of
from detector.lateral.contacts import flow_keys
from detector.words import Text, Wording

#: What a filter asks for → (kind, score, technique, Japanese, English). First match counts.
_QUESTIONS: Final = (
    (re.compile(r"serviceprincipalname=\*[^=]|serviceprincipalname=\*$", re.I),
     55.0, ("T1558.003", "T1087.002"), "全サービス用アカウント", "all service accounts"),
    (re.compile(r"1\.2\.840\.113556\.1\.4\.803:?=4194304\b", re.I),
     60.0, ("T1558.004", "T1087.002"), "事前認証なしのアカウント", "accounts without pre-auth"),
    (re.compile(r"1\.2\.840\.113556\.1\.4\.803:?=524288\b", re.I),
     55.0, ("T1087.002",), "委任できるコンピュータ", "computers trusted to delegate"),
    (re.compile(r"admincount=1|domain admins|enterprise admins|=administrators\b", re.I),
     45.0, ("T1069.002", "T1087.002"), "管理者グループ", "administrator groups"),
    (re.compile(r"ms-mcs-admpwd|mslaps-", re.I),
     60.0, ("T1552", "T1087.002"), "ローカル管理者パスワード（LAPS）", "LAPS passwords"),
    (re.compile(r"trusteddomain", re.I), 40.0, ("T1482",), "信頼関係", "domain trusts"),
    (re.compile(r"samaccounttype:?=805306368|objectcategory=person|objectclass=user\)", re.I),
     40.0, ("T1087.002",), "全利用者", "all users"),
    (re.compile(r"samaccounttype:?=805306369|objectcategory=computer|objectclass=computer\)", re.I),
     40.0, ("T1018",), "全コンピュータ", "all computers"),
    (re.compile(r"objectc(?:lass|ategory)=group\)|samaccounttype:?=268435456", re.I),
     40.0, ("T1069.002",), "全グループ", "all groups"),
    (re.compile(r"^\(?objectclass=\*\)?$", re.I), 0.0, (), "", ""),
)  # fmt: skip
#: A filter that names one object asks about that object, not about all.
_ONE_OBJECT: Final = re.compile(
    r"(?:samaccountname|userprincipalname|distinguishedname|objectsid|objectguid|mail|"
    r"dnshostname|netbiosname|dnsdomain|uid|cn|name)=(?!\*)[^*)]+(?=\)|$)",
    re.I,
)
_ROOT: Final = re.compile(r"dc=[^,=]+(?:,\s*dc=[^,=]+)+", re.I)
_ANYTHING: Final = re.compile(r"\(?objectclass=\*\)?", re.I)
_NEXT_STEP = Text(
    ja="急がなくてよい場合が多いですが、{source} が管理用の機器か確認してください。違えば、"
    "同じ機器からの"
    "スキャンやログオン失敗のアラートと合わせて見て、利用者に状況を聞いてください。",
    en="Often not urgent: find out whether {source} is a machine of the administrators. If not, "
    "look "
    "for scans or failed logons from it and ask its user.",
)


class DirectorySearch(Detector):
    """A host asks the directory for all administrators or service accounts, or copies a DNS zone.

    Reads the filter of LDAP searches (never the entries). Programs ask about one person or one
    machine; tools such as PowerView, BloodHound, Rubeus or ldapsearch ask for all of a kind. A zone
    transfer (AXFR) hands out the names of all machines at once.

    Why it matters: it tells an intruder whom to attack next, minutes before he does.

    False alarms: identity management, address books, HR synchronisation, asset inventories; give
    them the role `admin` or `server`. Secondary name servers transfer zones: role `dns`.
    """

    id = "directory_search"
    category: ClassVar[Category] = "reconnaissance"
    techniques = ("T1087.002",)
    reads = Reads(sightings=(Dns, Ldap), apps=("ldap",))
    wordings = {
        "ldap": Wording(
            Text(
                "{source} がディレクトリ {target} に{asked_ja}の一覧を求めました",
                "{source} asked directory {target} for {asked}",
            ),
            Text(
                "業務ソフトは一人・一台について尋ねますが、攻撃ツールは全件を求めます。"
                "次に狙う相手を選ぶ"
                "下調べの可能性があります。",
                "Programs ask about one person or machine; attack tools ask for all, to choose "
                "whom "
                "to attack next.",
            ),
            _NEXT_STEP,
        ),
        "zone_transfer": Wording(
            Text(
                "{source} が DNS サーバー {target} から全機器の名前一覧（ゾーン {asked}）"
                "を求めました",
                "{source} asked name server {target} for the whole zone {asked}",
            ),
            Text(
                "ゾーン転送は DNS サーバー同士でだけ行います。"
                "院内の全システム名が一度に知られます。",
                "Only name servers transfer zones. It tells the names of all systems at once.",
            ),
            Text(
                "DNS サーバーの設定で、ゾーン転送を許す相手を限定してください。{source} の利用者を"
                "確認してください。",
                "Restrict zone transfers in the name server's settings and find out who uses "
                "{source}.",
            ),
        ),
    }

    dump_bytes: int = Field(
        default=50_000, ge=1000, description="answer that makes a search of the root a dump"
    )

    def remember(self) -> dict[tuple[str, str], Ldap]:
        return {}  # (source, target) → search of the whole tree

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        yield from self._ldap(window)
        yield from self._dumps(window, memory)
        yield from self._zones(window)

    def _dumps(self, window: Window, memory: dict[tuple[str, str], Ldap]) -> Iterator[Finding]:
        """Everything under the domain's root was asked for, and a long answer came."""
        for search in window.of(Ldap):
            if search.operation != "search" or not search.ip:
                continue
            if _ROOT.fullmatch(search.base) and _ANYTHING.fullmatch(search.filter):
                memory[search.ip, search.peer_ip] = search
        while len(memory) > 10_000:
            del memory[next(iter(memory))]
        if not memory:
            return
        flows = window.flows
        long = (flows.app == APP_CODE["ldap"]) & (flows.reply_bytes >= self.dump_bytes)
        for row in np.flatnonzero(long).tolist():
            source = window.hosts.ip(int(window.source[row]))
            target = window.hosts.ip(int(window.destination[row]))
            asked = memory.get((source, target))
            role = window.hosts.at(source).role
            if asked is None or role in ("domain_controller", "admin", "server", "scanner"):
                continue
            del memory[source, target]
            yield Finding(
                source=source,
                targets=(target,),
                score=50.0,
                confidence=0.85,
                first_ns=asked.time_ns,
                last_ns=int(flows.last_ns[row]),
                facts={
                    "asked_ja": "登録全体",
                    "asked": "everything it holds",
                    "filters": [asked.filter],
                },
                variant="ldap",
                techniques=("T1087.002", "T1069.002", "T1018"),
                app="ldap",
                flows=flow_keys(flows, [row]),
            )

    def _ldap(self, window: Window) -> Iterator[Finding]:
        asked: dict[tuple[str, str], tuple[Calls, list[int]]] = {}
        for search in window.of(Ldap):
            is_search = search.operation == "search" and search.ip
            at = _question(search.filter) if is_search else -1
            if at >= 0:
                calls, questions = asked.setdefault((search.ip, search.peer_ip), (Calls(), []))
                calls.add(search, search.filter[:200])
                questions.append(at)
        for (source, target), (calls, questions) in asked.items():
            if window.hosts.at(source).role in ("domain_controller", "admin", "server", "scanner"):
                continue
            told = [_QUESTIONS[q] for q in dict.fromkeys(questions)]
            worst = max(told, key=lambda question: question[1])
            techniques = dict.fromkeys(t for question in told for t in question[2])
            yield Finding(
                source=source,
                targets=(target,),
                score=min(70.0, worst[1] + 5 * (len(told) - 1)),
                confidence=0.85,
                first_ns=calls.first_ns,
                last_ns=calls.last_ns,
                facts={
                    "asked_ja": "・".join(q[3] for q in told),
                    "asked": ", ".join(q[4] for q in told),
                    "filters": list(calls.names)[:10],
                },
                variant="ldap",
                techniques=tuple(techniques),
                app="ldap",
                flows=calls.flows(),
            )

    def _zones(self, window: Window) -> Iterator[Finding]:
        for query in window.of(Dns):
            if query.query_type.upper() != "AXFR" or not query.ip or not query.peer_ip:
                continue
            ends = (query.ip, query.peer_ip)
            source, target = reversed(ends) if query.is_response else ends
            if window.hosts.at(source).role in ("dns", "domain_controller"):
                continue
            yield Finding(
                source=source,
                targets=(target,),
                score=60.0,
                confidence=0.9,
                first_ns=query.time_ns,
                last_ns=query.time_ns,
                facts={"asked": query.name},
                variant="zone_transfer",
                techniques=("T1590.002", "T1018"),
                app="dns",
                flows=(flow_of(query, from_server=query.is_response),),
            )


def _question(text: str) -> int:
    """Which of the questions a filter asks; -1 for none, or when it names one object."""
    for at, (pattern, score, *_) in enumerate(_QUESTIONS):
        if pattern.search(text):
            if score == 0 or (score <= 40 and _ONE_OBJECT.search(text)):
                return -1
            return at
    return -1
