"""A host of ours scans the Internet: the mark of a worm or a bot, and P2P for comparison."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detector.addresses import inside_flags, is_one_host
from detector.detection import Category, Detector, Finding, Window
from detector.lateral.contacts import FAILED, flow_keys, outcomes, texts
from detector.words import Text, Wording

#: Services that worms and bots look for; nobody tries these on many Internet hosts.
WORM_PORTS: Final = frozenset(
    {22, 23, 81, 135, 139, 445, 1433, 2222, 2323, 3306, 3389, 5432, 5555, 5900, 5985, 6379, 7547,
     8080, 8081, 8291, 8443, 8728, 9530, 23231, 37215, 49152, 52869, 60023}
)  # fmt: skip
#: A closed network blocks these for every browser and updater; their failures mean nothing.
_BLOCKED_EVERYDAY: Final = frozenset({53, 80, 123, 443, 853, 5228})


@dataclass
class _Fan:
    """Outside hosts that one source tried by one port: number → (when, failed)."""

    targets: OrderedDict[int, tuple[int, bool]] = field(default_factory=OrderedDict)


class OutsideScan(Detector):
    """A host of ours tries one service on many Internet hosts, and most do not answer.

    Counts, per source and port in five minutes, distinct outside hosts: 10 for services that worms
    look for (telnet, SSH, SMB, RDP, IoT ports), 40 for others, with 70 % failing. Web and DNS
    ports do not count: a closed network blocks them for every browser. Many peers each on its own
    port are peer-to-peer software, reported low as a matter of policy.

    Why it matters: an infected camera, recorder or medical device gives itself away like this, and
    the hospital becomes the source of attacks on others.

    False alarms: mail relays, network research; peer-to-peer file sharing is told apart by ports.
    """

    id = "outside_scan"
    category: ClassVar[Category] = "reconnaissance"
    techniques = ("T1046", "T1595.001")
    wordings = {
        "scan": Wording(
            Text(
                "{source} がインターネットの {count} 台に対しポート {port} を次々に試しています",
                "{source} is trying port {port} on {count} Internet hosts",
            ),
            Text(
                "ワームやボットに感染した機器（カメラ・録画機・医療機器に多い）の動きです。"
                "病院が外部への"
                "攻撃元になります。",
                "This is what a machine infected by a worm or bot does (often a camera, recorder "
                "or "
                "medical device). The hospital becomes a source of attacks.",
            ),
            Text(
                "{source} の外部通信をファイアウォールで止め、"
                "機器の管理部署と保守業者に連絡してください。"
                "生命維持に関わる機器なら、LAN を抜く前に臨床工学室に確認してください。",
                "Block {source} at the firewall and call its department and maintenance vendor. If "
                "it may be life-critical, ask clinical engineering before unplugging it.",
            ),
        ),
        "p2p": Wording(
            Text(
                "{source} が多数のインターネット機器と直接通信しています（P2P ソフトの疑い、"
                "{count} 台）",
                "{source} talks directly to many Internet hosts ({count}; peer-to-peer software?)",
            ),
            Text(
                "ファイル共有などの P2P ソフトは情報漏えいと帯域圧迫の原因になり、"
                "院内規程で禁止されている"
                "のが普通です。",
                "Peer-to-peer software leaks data and eats bandwidth; hospital rules usually "
                "forbid "
                "it.",
            ),
            Text(
                "急ぎではありません。{source} の利用部署に、使っているソフトを確認してください。",
                "Not urgent. Ask the department of {source} which software it runs.",
            ),
        ),
    }

    least_worm: int = Field(default=10, ge=5, description="outside hosts on a worm's port")
    least_other: int = Field(default=40, ge=10, description="outside hosts on another port")
    least_peers: int = Field(default=60, ge=20, description="peers on scattered ports: P2P")
    failed_share: float = Field(default=0.7, gt=0, le=1, description="share that must fail")
    span_s: int = Field(default=300, ge=60, description="seconds in which hosts are counted")

    def remember(self) -> OrderedDict[tuple[int, int], _Fan]:
        return OrderedDict()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        flows, outcome = window.flows, outcomes(window.flows)
        ours, theirs = inside_flags(window)
        port = flows.destination_port
        chosen = (outcome > 0) & ours & ~theirs & is_one_host(flows.destination)
        chosen &= (flows.protocol == 6) | (flows.protocol == 17)
        chosen &= ~np.isin(port, list(_BLOCKED_EVERYDAY))
        chosen &= self._may_matter(window, memory, chosen, outcome)
        touched: dict[tuple[int, int], list[int]] = {}
        rows = np.flatnonzero(chosen)
        for row in rows[np.argsort(flows.first_ns[rows], kind="stable")].tolist():
            source, number = int(window.source[row]), int(port[row])
            # Scattered ports share one fan, so that P2P stays bounded.
            keys = [(source, number)] if number in WORM_PORTS else [(source, number), (source, -1)]
            for key in keys:
                fan = memory.setdefault(key, _Fan())
                memory.move_to_end(key)
                target = int(window.destination[row])
                failed = outcome[row] == FAILED
                before = fan.targets.get(target)
                failed &= before is None or before[1]
                fan.targets[target] = (int(flows.first_ns[row]), bool(failed))
                if len(fan.targets) > 5000:
                    fan.targets.popitem(last=False)
                touched.setdefault(key, []).append(row)
        for key, at in touched.items():
            yield from self._judge(window, key, memory[key], at)
        while len(memory) > 100_000:
            memory.popitem(last=False)

    def _may_matter(
        self,
        window: Window,
        memory: OrderedDict[tuple[int, int], _Fan],
        chosen: NDArray[np.bool_],
        outcome: NDArray[np.uint8],
    ) -> NDArray[np.bool_]:
        """Flows of (source, port) that fail or failed, and of sources with many outside hosts."""
        source = window.source.astype(np.uint64)
        keys = source << np.uint64(32) | window.flows.destination_port
        failing = np.unique(keys[chosen & (outcome == FAILED)])
        known = np.array([s << 32 | p for s, p in memory if p >= 0], np.uint64)
        matters = np.isin(keys, np.union1d(failing, known))
        pairs = np.unique(source[chosen] << np.uint64(32) | window.destination[chosen])
        sources, targets = np.unique(pairs >> np.uint64(32), return_counts=True)
        wide = sources[targets >= self.least_peers // 4]
        found: NDArray[np.bool_] = matters | np.isin(source, wide)
        return found

    def _judge(
        self, window: Window, key: tuple[int, int], fan: _Fan, at: list[int]
    ) -> Iterator[Finding]:
        since = int(window.flows.first_ns[at].max()) - self.span_s * 1_000_000_000
        for old in [t for t, (when, _) in fan.targets.items() if when < since]:
            del fan.targets[old]
        source, port = key
        count = len(fan.targets)
        failed = sum(1 for _, f in fan.targets.values() if f)
        if port == -1:
            ports = len(np.unique(window.flows.destination_port[at]))
            if count >= self.least_peers and ports >= count // 4:
                yield self._finding(window, source, "p2p", 30.0, fan, at, 0)
            return
        least = self.least_worm if port in WORM_PORTS else self.least_other
        if count >= least and failed >= self.failed_share * count:
            score = min(90.0, (70.0 if port in WORM_PORTS else 55.0) + 5 * np.log2(count / least))
            yield self._finding(window, source, "scan", score, fan, at, port)

    def _finding(
        self,
        window: Window,
        source: int,
        variant: str,
        score: float,
        fan: _Fan,
        at: list[int],
        port: int,
    ) -> Finding:
        flows, ip = window.flows, window.hosts.ip(source)
        is_scan = variant == "scan"
        return Finding(
            source=ip,
            targets=texts(window, fan.targets),
            score=float(score),
            confidence=0.9 if is_scan else 0.6,
            first_ns=int(flows.first_ns[at].min()),
            last_ns=int(flows.last_ns[at].max()),
            facts={"count": len(fan.targets), "port": port},
            variant=variant,
            key=f"{ip} {port}",
            category="reconnaissance" if is_scan else "policy",
            techniques=self.techniques if is_scan else ("T1071",),
            flows=flow_keys(flows, at),
        )
