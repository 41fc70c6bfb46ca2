"""A host of ours scans the Internet: the mark of a worm or a bot, and P2P for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detector.detection import Category, Detector, Finding, Window
from detector.distinct import distinct
from detector.lateral.contacts import FAILED, flow_keys, texts
from detector.lateral.fans import ALL, Fans, sorted_groups
from detector.sift import sift
from detector.sift_kernels import GOES_OUT
from detector.words import Text, Wording

#: Services that worms and bots look for; nobody tries these on many Internet hosts.
WORM_PORTS: Final = frozenset(
    {22, 23, 81, 135, 139, 445, 1433, 2222, 2323, 3306, 3389, 5432, 5555, 5900, 5985, 6379, 7547,
     8080, 8081, 8291, 8443, 8728, 9530, 23231, 37215, 49152, 52869, 60023}
)  # fmt: skip
_WORM_PORTS: Final = np.array(sorted(WORM_PORTS), np.uint64)


#: In the place of a port: all of them, so that peers on scattered ports stay bounded.
_ANY_PORT: Final = 1 << 16


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

    def remember(self) -> Fans:
        return Fans(100_000, 5000, ALL)

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        flows, marks = window.flows, window.marks
        rows = window.once(sift).rows(GOES_OUT)
        rows = rows[self._may_matter(window, memory, rows)] if len(rows) else rows
        if not len(rows):
            return
        first_ns = flows.first_ns[rows]
        order = np.argsort(first_ns, kind="stable")
        rows, first_ns = rows[order], first_ns[order]
        port = flows.destination_port[rows].astype(np.uint64)
        source = window.source[rows].astype(np.uint64) << np.uint64(32)
        # A port that worms look for has a fan of its own; others share one more.
        keys = np.stack([source | port, source | np.uint64(_ANY_PORT)], axis=1)
        is_used = np.ones(keys.shape, bool)
        is_used[:, 1] = ~np.isin(port, _WORM_PORTS)
        twice = np.repeat(np.arange(len(rows)), 2)[is_used.ravel()]
        keys = keys.ravel()[is_used.ravel()]
        targets = window.destination[rows].astype(np.uint64)[twice]
        failed = ((marks[rows] & 3) == FAILED).astype(np.uint8)[twice]
        memory.note(keys, targets, first_ns[twice], failed)
        touched, place = sorted_groups(keys)
        newest = np.full(len(touched), np.iinfo(np.int64).min)
        np.maximum.at(newest, place, first_ns[twice])
        counted, failures = memory.expire(touched, newest - self.span_s * 1_000_000_000)
        may_tell = counted >= min(self.least_worm, self.least_other, self.least_peers)
        for n in np.flatnonzero(may_tell).tolist():
            at = rows[twice[place == n]].tolist()
            key = (int(touched[n]) >> 32, int(touched[n]) & 0xFFFF_FFFF)
            yield from self._judge(window, key, memory, at, int(counted[n]), int(failures[n]))
        memory.trim()

    def _may_matter(
        self, window: Window, memory: Fans, rows: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Flows of (source, port) that fail or failed, and of sources with many outside hosts."""
        source = window.source[rows].astype(np.uint64) << np.uint64(32)
        keys = source | window.flows.destination_port[rows]
        failing = keys[(window.marks[rows] & 3) == FAILED]
        matters: NDArray[np.bool_] = np.asarray(memory.count(keys) >= 0)
        if len(failing):
            matters |= np.isin(keys, failing)
        if len(rows) >= self.least_peers // 4:
            pairs = distinct(source | window.destination[rows])
            sources, targets = np.unique(pairs >> np.uint64(32), return_counts=True)
            wide = sources[targets >= self.least_peers // 4]
            matters |= np.isin(source >> np.uint64(32), wide)
        return matters

    def _judge(
        self,
        window: Window,
        key: tuple[int, int],
        fans: Fans,
        at: list[int],
        count: int,
        failed: int,
    ) -> Iterator[Finding]:
        source, port = key
        fan = fans.read(source << 32 | port)[:, 0]
        if port == _ANY_PORT:
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
        fan: NDArray[np.int64],
        at: list[int],
        port: int,
    ) -> Finding:
        flows, ip = window.flows, window.hosts.ip(source)
        is_scan = variant == "scan"
        return Finding(
            source=ip,
            targets=texts(window, fan),
            score=float(score),
            confidence=0.9 if is_scan else 0.6,
            first_ns=int(flows.first_ns[at].min()),
            last_ns=int(flows.last_ns[at].max()),
            facts={"count": len(fan), "port": port},
            variant=variant,
            key=f"{ip} {port}",
            category="reconnaissance" if is_scan else "policy",
            techniques=self.techniques if is_scan else ("T1071",),
            flows=flow_keys(flows, at),
        )
