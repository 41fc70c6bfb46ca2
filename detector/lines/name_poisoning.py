"""LM-8: a host answers for names that are not its own (LLMNR, NBNS, mDNS, WPAD)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pydantic import Field

from collector.sightings import NameAnnouncement
from detector.detection import Detector, Finding, Reads, Window
from detector.words import Text, Wording

MAX_HOSTS: Final = 20_000
MAX_NAMES: Final = 200
HOUR_NS: Final = 3_600_000_000_000
_PROXY_NAMES: Final = frozenset({"wpad", "isatap", "proxysrv"})


@dataclass
class Answers:
    """Names that one host has claimed for its own address within an hour."""

    since_ns: int
    names: dict[str, str] = field(default_factory=dict)  # name → who was told
    told: int = 0


class NamePoisoning(Detector):
    """A host answers LLMNR or NetBIOS questions for many names with its own address.

    Why it matters: terminals that mistype a name or look for a proxy hand it their password hashes.
    How: a host has one name, at most two; one that gives its own address for three different names
    within an hour, or for `wpad`, lies. A WINS server answers with other hosts' addresses and so is
    not meant. mDNS counts for proxy names only, because one host may offer many services.
    False alarms: file servers with several NetBIOS aliases.
    """

    id = "name_poisoning"
    category = "credential_access"
    techniques = ("T1557.001",)
    reads = Reads(sightings=(NameAnnouncement,))

    min_names: int = Field(default=3, ge=2, description="different names within an hour")

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{host} が他の機器の名前に成りすまして応答しています（{names}）",
                en="{host} answers for names that are not its own ({names})",
            ),
            why=Text(
                ja="端末は応答した相手にパスワードのハッシュを送ってしまいます。"
                "侵入者が院内で認証情報を集める代表的な手口です。",
                en="Terminals send their password hashes to whoever answers. It is a classic way "
                "to collect credentials inside.",
            ),
            next_step=Text(
                ja="{host} を LAN から外して調べ、応答を受けた端末の利用者のパスワードを変更"
                "してください。LLMNR と NetBIOS 名前解決はグループポリシーで無効にできます。",
                en="Take {host} off the LAN and examine it, and change the passwords of those who "
                "were answered. LLMNR and NetBIOS names can be switched off by group policy.",
            ),
        )
    }

    def remember(self) -> dict[str, Answers]:
        return {}

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        touched: dict[str, NameAnnouncement] = {}
        for said in window.of(NameAnnouncement):
            if said.operation != "response" or said.group or said.ip not in said.addresses:
                continue
            answers = _answers(memory, said)
            for name in said.names:
                bare = _bare(name)
                counts = said.protocol != "mdns" or bare in _PROXY_NAMES
                if counts and bare and len(answers.names) < MAX_NAMES:
                    answers.names.setdefault(bare, said.peer_ip)
                    touched[said.ip] = said
        for host, said in touched.items():
            answers = memory[host]
            lies = _PROXY_NAMES & set(answers.names)
            if (len(answers.names) >= self.min_names or lies) and len(answers.names) > answers.told:
                answers.told = len(answers.names) * 2
                yield _finding(host, answers, said)


def _finding(host: str, answers: Answers, said: NameAnnouncement) -> Finding:
    return Finding(
        source=host,
        targets=tuple(dict.fromkeys(filter(None, answers.names.values())))[:20],
        score=85,
        confidence=0.9 if len(answers.names) > 2 else 0.75,
        first_ns=answers.since_ns,
        last_ns=said.time_ns,
        facts={"host": host, "names": list(answers.names)[:10], "count": len(answers.names)},
        key="names",
        app=said.protocol,
        source_mac=said.mac,
    )


def _answers(memory: dict[str, Answers], said: NameAnnouncement) -> Answers:
    known = memory.get(said.ip)
    if known is None or said.time_ns - known.since_ns > HOUR_NS:
        known = Answers(said.time_ns)
        memory.pop(said.ip, None)
        memory[said.ip] = known
        if len(memory) > MAX_HOSTS:
            memory.pop(next(iter(memory)))
    return known


def _bare(name: str) -> str:
    """The host's own label, without NetBIOS suffix or domain."""
    return name.split("<")[0].strip().split(".")[0].lower()
