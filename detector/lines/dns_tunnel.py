"""DT: data or commands are carried in names and answers of DNS."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, ClassVar, Final
from zlib import crc32

from pydantic import Field

from collector.sightings import Dns
from detector.detection import Detector, Finding, Reads, Window
from detector.lines.reference import is_reputation
from detector.lines.resolvers import Resolvers
from detector.lines.signatures import is_in_closed_segment
from detector.words import Text, Wording

DAY_NS: Final = 86_400_000_000_000
MAX_DOMAINS: Final = 5_000
MAX_NAMES: Final = 400
#: Days of use, among the last so many, after which steady look-ups are a habit.
_HABIT_DAYS, _HABIT_SPAN = 5, 14

#: Record types whose answers carry free data; hosts other than mail servers seldom ask for them.
_DATA_TYPES: Final = frozenset({"TXT", "NULL", "MX", "CNAME", "KEY", "PRIVATE", "TYPE65399"})
_SECOND_LEVEL: Final = frozenset(
    {"co", "ac", "go", "or", "ne", "ad", "ed", "gr", "lg", "com", "net", "org", "gov", "edu"}
)


@dataclass
class DomainUse:
    """What one host asked of one domain within a day."""

    since_ns: int
    names: set[int] = field(default_factory=set)
    data_names: set[int] = field(default_factory=set)  # asked for with a data type
    bytes_up: int = 0
    bytes_down: int = 0
    example: str = ""
    types: Counter[str] = field(default_factory=Counter)
    told: int = 0  # names when it was last told
    habit: tuple[tuple[int, int], ...] = ()  # (day, names) of earlier days on which it was used


@dataclass
class DnsMemory:
    """Suspicious domains by host, the oldest forgotten first."""

    uses: dict[tuple[str, str], DomainUse] = field(default_factory=dict)
    resolvers: Resolvers = field(default_factory=Resolvers)

    def use(self, client: str, domain: str, now_ns: int) -> DomainUse:
        known = self.uses.get((client, domain))
        if known is None or now_ns - known.since_ns > DAY_NS:
            known = DomainUse(since_ns=now_ns, habit=_habit(known, now_ns) if known else ())
            self.uses.pop((client, domain), None)
            self.uses[client, domain] = known
            if len(self.uses) > MAX_DOMAINS:
                self.uses.pop(next(iter(self.uses)))
        return known


class DnsTunnel(Detector):
    """A host carries data out, or commands in, through DNS.

    Why it matters: DNS usually passes even where nothing else does, so malware and insiders use it
    as a line of its own.
    How: per host and registered domain, over a day: distinct names whose left part is long and
    looks encoded, their bytes, the record types asked for, and the bytes of the answers. Three ways
    to fire: many encoded names with data types (upward tunnel), very many encoded names of any
    type, or many distinct TXT/NULL names with large answers (commands downward).
    False alarms: reputation look-ups of security software: those listed in
    `reputation_services.tsv` are left out, and so is what was asked for addresses, as much as now,
    on five of the last 14 days; some CDNs.
    """

    id = "dns_tunnel"
    category = "exfiltration"
    techniques = ("T1071.004", "T1048.003", "T1572")
    reads = Reads(sightings=(Dns,))

    min_names: int = Field(default=20, ge=5, description="encoded names with data types")
    min_names_any: int = Field(default=100, ge=20, description="encoded names of any type")
    min_bytes_up: int = Field(default=4000, ge=500, description="bytes within those names")
    min_answers: int = Field(default=10, ge=3, description="distinct TXT/NULL names answered")
    min_answer_bytes: int = Field(default=1500, ge=200, description="bytes of those answers")

    wordings: ClassVar = {
        "": Wording(
            title=Text(
                ja="{device} が DNS の名前にデータを載せて送っています（{domain}、{names} 種）",
                en="{device} carries data in DNS names ({domain}, {names} different)",
            ),
            why=Text(
                ja="DNS は閉域でも通ることが多く、情報の持ち出しや遠隔操作の通り道に使われます。",
                en="DNS often passes where nothing else does, and serves to take data out or to "
                "control malware.",
            ),
            next_step=Text(
                ja="DNS サーバで {domain} への問い合わせを止め、{device} で動いている"
                "プログラムを担当部署と確認してください。",
                en="Stop queries for {domain} at the DNS server, and check with the department "
                "which program on {device} asks.",
            ),
        ),
        "commands": Wording(
            title=Text(
                ja="{device} が DNS の応答で大量のデータを受け取っています（{domain}）",
                en="{device} takes in data through DNS answers ({domain})",
            ),
            why=Text(
                ja="TXT などの応答に命令やプログラムを載せて端末に届ける手口です。"
                "業務用の端末がこのような問い合わせを続けることはありません。",
                en="Orders and programs can be fetched this way in TXT answers. Machines at work "
                "do not ask like this.",
            ),
            next_step=Text(
                ja="DNS サーバで {domain} を止め、{device} をネットワークから切り離せるか"
                "隔離計画で確認してください。電源は切らず、証拠を保全してください。",
                en="Block {domain} at the DNS server, and check the isolation plan for cutting "
                "{device} off. Do not power it off: keep the evidence.",
            ),
        ),
    }

    def remember(self) -> DnsMemory:
        return DnsMemory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        messages = window.of(Dns)
        memory.resolvers.learn(messages)
        touched: dict[tuple[str, str], DomainUse] = {}
        for message in messages:
            client = message.peer_ip if message.is_response else message.ip
            if memory.resolvers.relays(client, message.name, message.time_ns):
                continue
            domain, left = split_name(message.name)
            has_data_type = message.query_type.upper() in _DATA_TYPES
            if not (has_data_type or is_encoded(left)) or is_reputation(message.name):
                continue
            use = memory.use(client, domain, message.time_ns)
            _count(use, message, left, has_data_type)
            touched[client, domain] = use
        for (client, domain), use in touched.items():
            yield from self._judge(client, domain, use, window)

    def _judge(self, client: str, domain: str, use: DomainUse, window: Window) -> Iterator[Finding]:
        asked, data_asked = len(use.names), len(use.data_names)
        is_upward = (asked >= self.min_names and data_asked >= self.min_names) or (
            asked >= self.min_names_any and use.bytes_up >= self.min_bytes_up
        )
        is_downward = data_asked >= self.min_answers and use.bytes_down >= self.min_answer_bytes
        told = max(asked, data_asked)
        if not (is_upward or is_downward) or told < 4 * use.told or is_habit(use):
            return
        use.told = told
        score = 90.0 if is_in_closed_segment(window, client, 0) else 82.0
        yield Finding(
            source=client,
            targets=(domain or use.example,),
            score=score,
            confidence=0.9 if data_asked else 0.75,
            first_ns=use.since_ns,
            last_ns=window.end_ns,
            facts={
                "device": client,
                "domain": domain or "ドメイン名なし / no domain",
                "names": told,
                "bytes_up": use.bytes_up,
                "bytes_down": use.bytes_down,
                "types": ", ".join(f"{t} {n}" for t, n in use.types.most_common(4)),
                "example": use.example[:120],
            },
            variant="" if is_upward else "commands",
            key=domain or "no-domain",
            techniques=("T1071.004", "T1048.003") if is_upward else ("T1071.004",),
            category="exfiltration" if is_upward else "command_and_control",
            app="dns",
        )


def _habit(before: DomainUse, now_ns: int) -> tuple[tuple[int, int], ...]:
    """The days on which the domain was asked, the one that ends now with them."""
    day = before.since_ns // DAY_NS
    recent = [kept for kept in before.habit if now_ns // DAY_NS - kept[0] <= _HABIT_SPAN]
    return (*recent[-_HABIT_SPAN:], (day, len(before.names)))


def is_habit(use: DomainUse) -> bool:
    """Has it been asked as much, and only for addresses, on each of many days?

    So does software that looks up the reputation of files. A tunnel's amounts follow what it
    carries, and its first days have been told before it could become a habit.
    """
    if len(use.habit) < _HABIT_DAYS or len(use.data_names) > len(use.names) // 10:
        return False
    return len(use.names) <= 2 * max(median(n for _, n in use.habit), 1)


def _count(use: DomainUse, message: Dns, left: str, has_data_type: bool) -> None:
    if message.is_response:
        if has_data_type:
            use.bytes_down += message.answer_bytes
        return
    name = crc32(message.name.lower().encode("utf-8", "surrogateescape"))
    use.types[message.query_type] += 1
    if has_data_type and len(use.data_names) < MAX_NAMES:
        use.data_names.add(name)
    if is_encoded(left) and name not in use.names:
        use.bytes_up += len(left)
        use.example = use.example or message.name
        if len(use.names) < MAX_NAMES:
            use.names.add(name)


def split_name(name: str) -> tuple[str, str]:
    """Split a name into its registered domain and what stands left of it.

    The domain is empty where the last label can be no top-level domain: some tunnels that ask a
    server directly do without one.
    """
    labels = name.lower().rstrip(".").split(".")
    top = labels[-1]
    if not (top.startswith("xn--") or (top.isalpha() and top.isascii() and len(top) <= 18)):
        return "", ".".join(labels)
    size = 3 if len(top) == 2 and len(labels) > 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-size:]), ".".join(labels[:-size])


def is_encoded(left: str) -> bool:
    """True where the left part of a name looks like data rather than like words."""
    if len(left) < 24 or left.startswith("_") or "._" in left:  # _ldap._tcp… are services
        return False
    letters = left.replace(".", "").replace("-", "")
    if not letters.isascii():
        return True
    digits = sum(c.isdigit() for c in letters)
    if digits < len(letters) * 0.1:
        return entropy(letters) >= 4.2
    return entropy(letters) >= 3.0


def entropy(text: str) -> float:
    """Shannon entropy of the characters, in bits."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
