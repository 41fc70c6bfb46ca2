"""Port scan (LM-2): one host tries many services of one other, or probes with odd packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.fastlane.layout import OUTPUT_DTYPE
from detector.detection import Category, Detector, Finding, Window
from detector.distinct import distinct
from detector.edges import DAY_NS
from detector.lateral.contacts import FAILED, flow_keys
from detector.lateral.fans import ANY, LAST, Fans
from detector.lateral.port_kernels import choose_tries
from detector.sift import sift
from detector.window_kernels import HALF_OPEN, ODD
from detector.words import Text, Wording

_NEXT_STEP = Text(
    ja="情報システム担当は {source} の設置部署に電話し、何をしているか確認してください。"
    "脆弱性診断や保守の"
    "予定がなければ {source} を LAN から外すことを検討し、{target} "
    "への不審なログオンを調べてください。",
    en="IT: phone the department of {source} and ask what it is doing. If no vulnerability scan or "
    "maintenance is planned, consider taking it off the LAN and check {target} for unexpected "
    "logons.",
)


#: What scan tools ask first; high ports that fail are mostly a firewall's doing (FTP, RPC).
_IS_SERVICE: Final = np.arange((1 << 16) + 256) < 1024
_IS_SERVICE[
    [1433, 1521, 1723, 2049, 3306, 3389, 5000, 5060, 5432, 5900, 5985, 6379, 8000, 8080, 8443, 9200]
] = True
_NEARLY_ALL: Final = 0.8
_NONE: Final = np.zeros((0, 3), np.int64)


@dataclass
class _Tried:
    """By source and target: ports, services only knocked at, and (port, flags) of odd packets."""

    ports: Fans = field(default_factory=lambda: Fans(50_000, 4096, ANY))  # flag: it failed
    half_open: Fans = field(default_factory=lambda: Fans(50_000, 4096, LAST))
    odd: Fans = field(default_factory=lambda: Fans(50_000, 1024, LAST))


class PortScan(Detector):
    """One host tries many ports of another, resets connections before any data, or sends odd TCP.

    Four signs, per pair and ten minutes: 25 or more ports of which half fail; a dozen well-known
    services of which nearly all fail, also when they are asked over a day; three or more ports
    opened and reset before a byte of data (a SYN scan of live services); packets that no stack
    sends (FIN, PSH or URG without ACK, no flags at all), the mark of OS fingerprinting. IP
    protocols that nobody speaks count as ports.

    Why it matters: before an intruder attacks a server he asks what runs on it.

    False alarms: vulnerability scanners and asset inventories (role `scanner`); monitoring that
    checks ports by connecting and resetting, which should be given that role too. A domain
    controller that is gone fails for about ten services of its clients.
    """

    id = "port_scan"
    category: ClassVar[Category] = "reconnaissance"
    techniques = ("T1046",)
    wordings = {
        "ports": Wording(
            Text(
                "{source} が {target} のポートを {ports} 個試しました（失敗 {failed} 個）",
                "{source} tried {ports} ports of {target} ({failed} failed)",
            ),
            Text(
                "サービスの有無を端から確かめるポートスキャンです。攻撃の入り口を探しています。",
                "A port scan: it asks one service after another to find a way in.",
            ),
            _NEXT_STEP,
        ),
        "half_open": Wording(
            Text(
                "{source} が {target} の {ports} 個のサービスを、接続せずに確かめました",
                "{source} checked {ports} services of {target} without connecting to them",
            ),
            Text(
                "開いたことだけ確かめて直ちに切る、スキャンツール（SYN スキャン）の動きです。",
                "Opening and resetting before any data is what scan tools do (SYN scan).",
            ),
            _NEXT_STEP,
        ),
        "odd": Wording(
            Text(
                "{source} が {target} に異常な TCP パケットを送り、OS を調べています",
                "{source} sends {target} abnormal TCP packets to learn its operating system",
            ),
            Text(
                "正常な機器が送らないフラグの組み合わせです。nmap などの OS "
                "判定や隠れたスキャンに使われます。",
                "No proper stack sends these flags; nmap's fingerprinting and stealth scans do.",
            ),
            _NEXT_STEP,
        ),
    }

    least_ports: int = Field(default=25, ge=5, description="ports in the span that tell")
    least_half_open: int = Field(default=3, ge=2, description="services only knocked at")
    least_services: int = Field(
        default=12, ge=8, description="well-known services that fail in a day"
    )
    failed_share: float = Field(default=0.5, gt=0, le=1, description="share that must fail")
    span_s: int = Field(default=600, ge=60, description="seconds in which ports are counted")

    def remember(self) -> _Tried:
        return _Tried()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        if not window.every_mark & FAILED and not len(memory.ports):
            return
        # From outside to outside is none of ours; from outside to inside is, at the border.
        tries = _tries(window, memory.ports)
        if not len(tries.rows):
            return
        self._note(window, memory, tries)
        rows, start = tries.rows, tries.starts
        touched, newest = tries.pairs[start], np.maximum.reduceat(tries.whens, start)
        since = newest - self.span_s * 1_000_000_000
        ports, failures = memory.ports.expire(touched, newest - DAY_NS)
        half_open, _ = memory.half_open.expire(touched, since)
        odd, _ = memory.odd.expire(touched, since)
        many = (ports >= self.least_ports) | (failures >= self.least_services)
        may_tell = many | (half_open >= self.least_half_open) | (odd >= 2)
        ends = np.append(start[1:], len(rows))
        for n in np.flatnonzero(may_tell).tolist():
            pair = (int(touched[n]) >> 32, int(touched[n]) & 0xFFFF_FFFF)
            if window.hosts.get(pair[0]).role != "scanner":
                at = rows[start[n] : ends[n]].tolist()
                tried = memory.ports.read(int(touched[n])) if many[n] else _NONE
                counted = self._counted(tried, int(since[n]))
                yield from self._judge(window, pair, memory, at, counted, int(half_open[n]))
        for fans in (memory.ports, memory.half_open, memory.odd):
            fans.trim()

    def _counted(self, tried: NDArray[np.int64], since_ns: int) -> tuple[int, int]:
        """Ports tried and failed, of the span or of services in the day; zeros: no scan."""
        lately = tried[tried[:, 1] >= since_ns]
        failed = int(lately[:, 2].sum())
        if len(lately) >= self.least_ports and failed >= self.failed_share * len(lately):
            return len(lately), failed
        services = tried[_IS_SERVICE[tried[:, 0]]]
        failed = int(services[:, 2].sum())
        if failed >= self.least_services and failed >= _NEARLY_ALL * len(services):
            return len(services), failed
        return 0, 0

    def _note(self, window: Window, memory: _Tried, tries: _Tries) -> None:
        pairs, port, when, failed = tries.pairs, tries.ports, tries.whens, tries.failed
        memory.ports.note(pairs, port, when, failed)
        if not window.every_mark & (HALF_OPEN | ODD):
            return
        marks = window.marks[tries.rows]
        half = np.flatnonzero(marks & HALF_OPEN)
        if len(half):
            memory.half_open.note(pairs[half], port[half], when[half], failed[half])
        odd = np.flatnonzero(marks & ODD)
        if len(odd):
            packets = port[odd] << np.uint64(8) | window.flows.flags[tries.rows[odd]]
            memory.odd.note(pairs[odd], packets, when[odd], failed[odd])

    def _judge(
        self,
        window: Window,
        pair: tuple[int, int],
        memory: _Tried,
        at: list[int],
        counted: tuple[int, int],
        half_open: int,
    ) -> Iterator[Finding]:
        ports, failed = counted
        if ports:
            score = min(85.0, 60 + 10 * np.log2(max(ports / self.least_ports, 1.0)))
            yield self._finding(window, pair, at, "ports", score, ports, failed)
        elif half_open >= self.least_half_open:
            yield self._finding(window, pair, at, "half_open", 60.0, half_open, failed)
        odd = memory.odd.read(pair[0] << 32 | pair[1])[:, 0]
        if len(distinct(odd & 0xFF)) >= 2 or len(odd) >= 3:
            yield self._finding(window, pair, at, "odd", 65.0, ports, failed)

    def _finding(
        self,
        window: Window,
        pair: tuple[int, int],
        at: list[int],
        variant: str,
        score: float,
        ports: int,
        failed: int,
    ) -> Finding:
        flows = window.flows
        is_ours = window.hosts.get(pair[0]).is_inside
        return Finding(
            source=window.hosts.ip(pair[0]),
            targets=(window.hosts.ip(pair[1]),),
            score=float(score),
            confidence=0.9,
            first_ns=int(flows.first_ns[at].min()),
            last_ns=int(flows.last_ns[at].max()),
            facts={"ports": ports, "failed": failed},
            variant=variant,
            techniques=("T1046",) if is_ours else ("T1046", "T1595"),
            flows=flow_keys(flows, at),
        )


class _Tries(NamedTuple):
    """Tries that may belong to a scan, ordered by pair (`choose_tries`)."""

    rows: NDArray[np.int64]
    pairs: NDArray[np.uint64]
    ports: NDArray[np.uint64]
    whens: NDArray[np.int64]
    failed: NDArray[np.uint8]
    starts: NDArray[np.int64]  # where each pair begins


def _tries(window: Window, ports: Fans) -> _Tries:
    rows, whose = window.flows.rows.view(OUTPUT_DTYPE), window.once(sift).whose
    return _Tries(*choose_tries(ports.tables, rows, window.source, window.destination, whose))
