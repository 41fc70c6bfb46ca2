"""Port scan (LM-2): one host tries many services of one other, or probes with odd packets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detector.addresses import inside_flags, is_one_host
from detector.detection import Category, Detector, Finding, Window
from detector.lateral.contacts import (
    ANSWERED,
    FAILED,
    UNKNOWN,
    flow_keys,
    has_odd_flags,
    is_half_open,
    outcomes,
)
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


@dataclass
class _Tried:
    """Ports of one target that one source tried: port → (when, outcome)."""

    ports: OrderedDict[int, tuple[int, int]] = field(default_factory=OrderedDict)
    half_open: dict[int, int] = field(default_factory=dict)  # port → when
    odd: dict[tuple[int, int], int] = field(default_factory=dict)  # (port, flags) → when


class PortScan(Detector):
    """One host tries many ports of another, resets connections before any data, or sends odd TCP.

    Three signs, per pair and ten minutes: 25 or more ports of which half fail; three or more ports
    opened and reset before a byte of data (a SYN scan of live services); packets that no stack
    sends (FIN, PSH or URG without ACK, no flags at all), the mark of OS fingerprinting.

    Why it matters: before an intruder attacks a server he asks what runs on it.

    False alarms: vulnerability scanners and asset inventories (role `scanner`); monitoring that
    checks ports by connecting and resetting, which should be given that role too.
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
    failed_share: float = Field(default=0.5, gt=0, le=1, description="share that must fail")
    span_s: int = Field(default=600, ge=60, description="seconds in which ports are counted")

    def remember(self) -> OrderedDict[tuple[int, int], _Tried]:
        return OrderedDict()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        flows = window.flows
        outcome = outcomes(flows)
        ours, theirs = inside_flags(window)
        # From outside to outside is none of ours; from outside to inside is, at the border.
        chosen = (outcome != UNKNOWN) & (ours | theirs) & is_one_host(flows.destination)
        chosen &= (flows.protocol == 6) | ((flows.protocol == 17) & (outcome == FAILED))
        half_open, odd = is_half_open(flows), has_odd_flags(flows)
        pairs = (window.source.astype(np.uint64) << np.uint64(32)) | window.destination
        # Answers count only where failures have gathered; most pairs have none.
        known = [s << 32 | t for (s, t), tried in memory.items() if len(tried.ports) >= 5]
        failing, counts = np.unique(pairs[chosen & (outcome == FAILED)], return_counts=True)
        suspects = np.union1d(failing[counts >= 5], np.array(known, np.uint64))
        chosen &= (outcome == FAILED) | np.isin(pairs, suspects)
        rows = np.flatnonzero(chosen)
        touched: dict[tuple[int, int], list[int]] = {}
        for row in rows[np.argsort(pairs[rows], kind="stable")].tolist():
            pair = (int(window.source[row]), int(window.destination[row]))
            self._note(memory, pair, window, row, int(outcome[row]), half_open, odd)
            touched.setdefault(pair, []).append(row)
        for pair, at in touched.items():
            if window.hosts.get(pair[0]).role != "scanner":
                yield from self._judge(window, pair, memory[pair], at)
        while len(memory) > 50_000:
            memory.popitem(last=False)

    def _note(
        self,
        memory: OrderedDict[tuple[int, int], _Tried],
        pair: tuple[int, int],
        window: Window,
        row: int,
        outcome: int,
        half_open: NDArray[np.bool_],
        odd: NDArray[np.bool_],
    ) -> None:
        tried = memory.setdefault(pair, _Tried())
        memory.move_to_end(pair)
        port, when = int(window.flows.destination_port[row]), int(window.flows.first_ns[row])
        if outcome == FAILED or tried.ports.get(port, (0, ANSWERED))[1] == ANSWERED:
            tried.ports[port] = (when, outcome)
        if half_open[row]:
            tried.half_open[port] = when
        if odd[row]:
            tried.odd[port, int(window.flows.flags[row])] = when
        while len(tried.ports) > 4096:
            tried.ports.popitem(last=False)
        while len(tried.odd) > 1024:
            del tried.odd[next(iter(tried.odd))]

    def _judge(
        self, window: Window, pair: tuple[int, int], tried: _Tried, at: list[int]
    ) -> Iterator[Finding]:
        since = int(window.flows.first_ns[at].max()) - self.span_s * 1_000_000_000
        for old in [p for p, (when, _) in tried.ports.items() if when < since]:
            del tried.ports[old]
        tried.half_open = {p: when for p, when in tried.half_open.items() if when >= since}
        tried.odd = {key: when for key, when in tried.odd.items() if when >= since}
        failed = sum(1 for _, outcome in tried.ports.values() if outcome == FAILED)
        ports = len(tried.ports)
        if ports >= self.least_ports and failed >= self.failed_share * ports:
            score = min(85.0, 60 + 10 * np.log2(ports / self.least_ports))
            yield self._finding(window, pair, at, "ports", score, ports, failed)
        elif len(tried.half_open) >= self.least_half_open:
            count = len(tried.half_open)
            yield self._finding(window, pair, at, "half_open", 60.0, count, failed)
        if len({flags for _, flags in tried.odd}) >= 2 or len(tried.odd) >= 3:
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
        return Finding(
            source=window.hosts.ip(pair[0]),
            targets=(window.hosts.ip(pair[1]),),
            score=float(score),
            confidence=0.9,
            first_ns=int(flows.first_ns[at].min()),
            last_ns=int(flows.last_ns[at].max()),
            facts={"ports": ports, "failed": failed},
            variant=variant,
            flows=flow_keys(flows, at),
        )
