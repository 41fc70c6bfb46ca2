"""Superspreader (LM-2): a host that keeps meeting new partners, in minutes or over a month."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import Field

from detector.detection import Category, Detector, Finding, Window
from detector.edges import DAY_NS, service_of
from detector.lateral.contacts import FAILED, flow_keys, texts
from detector.services import service_name
from detector.sift import sift
from detector.sift_kernels import MEETS
from detector.words import Text, Wording

_S: Final = 1_000_000_000
_MOST_SOURCES: Final = 50_000
_MOST_PARTNERS: Final = 512
#: Whose work is to reach everyone.
_SPREADERS: Final = frozenset({"scanner", "gateway", "wsus", "backup", "network_device", "dns"})
_ASK: Final = Text(
    ja="{source} の設置部署（保守業者）に電話し、ソフトの導入や機器の入れ替えがあったか聞"
    "いてください。"
    "なければ {source} の操作者と動いているプログラムを確認し、不明なら LAN から外します。",
    en="Phone the department (or vendor) of {source}: was software rolled out or a machine "
    "replaced? "
    "If not, find out who works on it and which program runs; if unclear take it off the LAN.",
)


@dataclass
class _Partners:
    """New partners of one source by one service: when each was first met."""

    met: OrderedDict[int, int] = field(default_factory=OrderedDict)  # host number → ns


@dataclass
class _Memory:
    partners: OrderedDict[tuple[int, int], _Partners] = field(default_factory=OrderedDict)
    ports: OrderedDict[tuple[int, int], dict[int, int]] = field(default_factory=OrderedDict)


class Spread(Detector):
    """A host meets many hosts that it never spoke to by this service, quickly or day by day.

    Only new partners count (the edge memory knows the old ones), so an image server that feeds
    sixty viewers every day is silent. Limits are 20 in 5 minutes, 30 in an hour, 40 in 30 days;
    one new host a day is found on day 40. Where a fifth of the hosts of the same role do the same
    it is a roll-out and nothing is told. Ports that were tried on one host over weeks and never
    served are told alike. Needs three days of memory; scans on day one are LM-1's.

    Why it matters: a patient intruder stays below every rate limit, but not below this.

    False alarms: new inventory or monitoring software: register it as a scanner.
    """

    id = "spread"
    category: ClassVar[Category] = "reconnaissance"
    techniques = ("T1046", "T1018")
    wordings = {
        "": Wording(
            Text(
                "{source} が {span_ja}で {count} 台の新しい相手に {service} で接続しました",
                "{source} reached {count} new hosts by {service} within {span_en}",
            ),
            Text(
                "これまで一度も通信したことのない相手が {count} 台（目安 {limit} 台）です。"
                "同じ役割の {peers} 台のうち、同様に増えたのは {alike} 台でした。"
                "時間をかけて標的を探す動きと一致します。",
                "{count} partners it never spoke to before (limit {limit}); of {peers} hosts of "
                "the same role {alike} did alike. It fits a slow search for targets.",
            ),
            _ASK,
        ),
        "slow_ports": Wording(
            Text(
                "{source} が {target} の使われていないポートを {days} 日かけて {count} "
                "個試しました",
                "{source} tried {count} unused ports of {target} over {days} days",
            ),
            Text(
                "一度も応答のない入り口を少しずつ試しています（{ports}）。検知を避けるための"
                "ゆっくりしたポートスキャンです。",
                "It tries doors that never opened, a few at a time ({ports}): a port scan made "
                "slow to stay unseen.",
            ),
            _ASK,
        ),
    }

    in_5_minutes: int = Field(default=20, ge=5, description="new partners in 5 minutes that tell")
    in_an_hour: int = Field(default=30, ge=5, description="new partners in an hour that tell")
    in_a_month: int = Field(default=40, ge=5, description="new partners in 30 days that tell")
    unserved_ports: int = Field(default=8, ge=3, description="dead ports of one host in 30 days")
    cold_days: int = Field(default=3, ge=1, description="days of memory below which it is silent")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        flows = window.flows
        if len(flows) == 0 or window.edges.active_days < self.cold_days:
            return
        rows = window.once(sift).rows(MEETS)
        rows = rows[~window.edges.knows_flows(window, rows)]
        if not len(rows):
            return
        service, outcome = service_of(flows), window.marks & 3
        touched: dict[tuple[int, int], list[int]] = {}
        for row in rows.tolist():
            key = (int(window.source[row]), int(service[row]))
            partners = memory.partners.setdefault(key, _Partners())
            target = int(window.destination[row])
            if target not in partners.met and len(partners.met) < _MOST_PARTNERS:
                partners.met[target] = int(flows.first_ns[row])
                touched.setdefault(key, []).append(row)
        for key, at in touched.items():
            memory.partners.move_to_end(key)
            if len(memory.partners[key].met) >= self.in_5_minutes:
                found = self._judge(window, memory, key, at)
                if found is not None:
                    yield found
        yield from self._slow_ports(window, memory, rows[outcome[rows] == FAILED])
        while len(memory.partners) > _MOST_SOURCES:
            memory.partners.popitem(last=False)
        while len(memory.ports) > _MOST_SOURCES:
            memory.ports.popitem(last=False)

    def _judge(
        self, window: Window, memory: _Memory, key: tuple[int, int], at: list[int]
    ) -> Finding | None:
        source, service = key
        host = window.hosts.get(source)
        met = memory.partners[key].met
        now = int(window.flows.first_ns[at].max())
        for old in [t for t, when in met.items() if when < now - 30 * DAY_NS]:
            del met[old]
        if host.role in _SPREADERS:
            return None
        spans = (
            (300, self.in_5_minutes, "5 分", "5 minutes"),
            (3600, self.in_an_hour, "1 時間", "an hour"),
            (30 * 86_400, self.in_a_month, "30 日", "30 days"),
        )
        best: tuple[float, int, int, str, str] | None = None
        times = np.fromiter(met.values(), np.int64, len(met))
        for seconds, limit, ja, en in spans:
            count = int((times > now - seconds * _S).sum())
            if count >= limit and (best is None or count / limit > best[0]):
                best = (count / limit, count, limit, ja, en)
        if best is None:
            return None
        ratio, count, limit, ja, en = best
        peers, alike = self._peers(window, memory, key, limit)
        if alike >= max(3, 0.2 * peers):
            return None
        return Finding(
            source=host.ip,
            targets=texts(window, reversed(met)),
            score=min(80.0, 50 + 20 * math.log2(ratio)),
            confidence=0.85,
            first_ns=int(times.min()),
            last_ns=now,
            facts={
                "count": count, "limit": limit, "span_ja": ja, "span_en": en, "peers": peers,
                "alike": alike, "service": service_name(service),
            },
            key=f"{host.ip} {service_name(service)}",
            flows=flow_keys(window.flows, at),
            warmth=window.edges.warmth,
        )  # fmt: skip

    def _peers(
        self, window: Window, memory: _Memory, key: tuple[int, int], limit: int
    ) -> tuple[int, int]:
        """(hosts of the same role by this service, how many of them met half the limit)."""
        role = window.hosts.get(key[0]).role
        peers = [
            len(partners.met)
            for (source, service), partners in memory.partners.items()
            if service == key[1] and source != key[0] and window.hosts.get(source).role == role
        ]
        return len(peers), sum(met >= limit / 2 for met in peers)

    def _slow_ports(
        self, window: Window, memory: _Memory, failed: np.ndarray[Any, np.dtype[np.int64]]
    ) -> Iterator[Finding]:
        flows = window.flows
        for row in failed[flows.protocol[failed] == 6].tolist():
            pair = (int(window.source[row]), int(window.destination[row]))
            ports = memory.ports.setdefault(pair, {})
            port = int(flows.destination_port[row])
            if port in ports or len(ports) >= 64:
                continue
            now = int(flows.first_ns[row])
            ports[port] = now
            recent = sorted(p for p, when in ports.items() if when > now - 30 * DAY_NS)
            days = (now - min(ports.values())) // DAY_NS
            role = window.hosts.get(pair[0]).role
            if len(recent) >= self.unserved_ports and days >= 1 and role not in _SPREADERS:
                yield Finding(
                    source=window.hosts.ip(pair[0]),
                    targets=(window.hosts.ip(pair[1]),),
                    score=60.0,
                    confidence=0.8,
                    first_ns=min(ports.values()),
                    last_ns=now,
                    facts={"count": len(recent), "days": int(days), "ports": recent[:10]},
                    variant="slow_ports",
                    flows=flow_keys(flows, [row]),
                )
