"""Slow drift (B5): a host that gains partners one by one over months, and its peers do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detector.detection import Category, Detector, Finding, Window
from detector.edges import DAY_NS
from detector.lateral.contacts import texts
from detector.words import Text, Wording

_LEAST_PEERS = 5


@dataclass
class _Memory:
    day: int = -1
    told_ns: dict[int, int] = field(default_factory=dict)  # host → last told


class SlowDrift(Detector):
    """A host has gained partners week after week that hosts of its role did not gain.

    Looked at once a day over the last 90 days of the edge memory; the first four weeks of the
    memory are its beginning and count as nobody's gain. A gain is a partner inside that few
    others use (a new server that everybody uses is none). Told from eight gains on, spread over
    six weeks, where the median of the role's other hosts plus six times their spread stays below.
    Where three in ten hosts of a role gained alike, it is a roll-out and stays silent.

    Why it matters: an attacker who adds one step a week teaches every memory that this is usual.
    The number of days since the memory's anchor does not forget.

    False alarms: a machine whose work changes, such as a ward PC that becomes the nurse manager's.
    """

    id = "slow_drift"
    category: ClassVar[Category] = "lateral_movement"
    techniques = ("T1021", "T1018")
    wordings = {
        "": Wording(
            Text(
                "{source} の通信相手が {weeks} 週にわたり {gained} 台、少しずつ増えています",
                "{source} has gained {gained} partners, little by little over {weeks} weeks",
            ),
            Text(
                "同じ役割の機器 {peers} 台では、この 90 日の増加は中央値 {usual} 台です。"
                "一度に増えないため日々の比較では目立ちませんが、90 日前の姿とは明らかに違います。",
                "Of {peers} hosts of the same role the median gained {usual} in these 90 days. Day "
                "by day nothing stands out, but it no longer is what it was 90 days ago.",
            ),
            Text(
                "{source} の設置部署に、業務や接続先が変わったか確認してください。"
                "変わっていなければ、"
                "最近増えた相手（{latest}）への操作を誰がしたか調べます。",
                "Ask the department of {source} whether its work has changed. If not, find out who "
                "reached its latest partners ({latest}).",
            ),
        )
    }

    least_gained: int = Field(default=8, ge=3, description="new partners in 90 days that tell")
    least_weeks: int = Field(default=6, ge=2, description="different weeks in which they came")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        day = window.start_ns // DAY_NS
        if day == memory.day:
            return
        memory.day = day
        edges = window.edges.table()
        if len(edges) == 0 or window.edges.active_days < 42:
            return
        anchor = max(int(edges["first_ns"].min()) + 28 * DAY_NS, window.start_ns - 90 * DAY_NS)
        fresh = edges[edges["first_ns"] > anchor]
        source = (fresh["key"] >> np.uint64(40)).astype(np.int64)
        target = (fresh["key"] >> np.uint64(16) & np.uint64(0xFFFFFF)).astype(np.int64)
        kept = window.hosts.inside(target.astype(np.uint32))
        kept &= window.hosts.inside(source.astype(np.uint32)) & (source != target)
        kept &= ~np.isin(target, _popular(edges))
        yield from self._judge(window, memory, source[kept], target[kept], fresh[kept]["first_ns"])

    def _judge(
        self, window: Window, memory: _Memory, source: NDArray[np.int64],
        target: NDArray[np.int64], first_ns: NDArray[np.int64],
    ) -> Iterator[Finding]:  # fmt: skip
        pairs, at = np.unique(source << 24 | target, return_index=True)
        source, target, first_ns = pairs >> 24, pairs & 0xFFFFFF, first_ns[at]
        hosts, counts = np.unique(source, return_counts=True)
        every = np.unique(window.edges.table()["key"] >> np.uint64(40)).astype(np.int64)
        gained = np.zeros(len(every), np.int64)
        gained[np.searchsorted(every, hosts)] = counts
        roles = [window.hosts.get(int(h)).role for h in every.tolist()]
        for place in np.flatnonzero(gained >= self.least_gained).tolist():
            host = int(every[place])
            mine = source == host
            weeks = len(np.unique(first_ns[mine] // (7 * DAY_NS)))
            alike = np.array([r == roles[place] for r in roles]) & (every != host)
            if alike.sum() < _LEAST_PEERS:
                alike = every != host
            usual = float(np.median(gained[alike])) if alike.any() else 0.0
            spread = float(np.median(np.abs(gained[alike] - usual))) if alike.any() else 0.0
            is_rollout = bool((gained[alike] >= gained[place] / 2).mean() >= 0.3)
            if weeks < self.least_weeks or is_rollout:
                continue
            if gained[place] <= usual + 6 * max(spread, 1.0):
                continue
            if window.start_ns - memory.told_ns.get(host, 0) < 7 * DAY_NS:
                continue
            memory.told_ns[host] = window.start_ns
            order = np.argsort(first_ns[mine])[::-1]
            latest = texts(window, target[mine][order].astype(np.uint32), 20)
            yield Finding(
                source=window.hosts.ip(host),
                targets=latest,
                score=min(80.0, 60.0 + float(gained[place]) - self.least_gained),
                confidence=0.85,
                first_ns=int(first_ns[mine].min()),
                last_ns=window.start_ns,
                facts={
                    "gained": int(gained[place]),
                    "weeks": weeks,
                    "usual": round(usual),
                    "peers": int(alike.sum()),
                    "latest": list(latest[:5]),
                },
                key=window.hosts.ip(host),
                warmth=window.edges.warmth,
            )


def _popular(edges: NDArray[Any]) -> NDArray[np.int64]:
    """Hosts that more than three, and more than one in twenty, others speak to."""
    target = (edges["key"] >> np.uint64(16) & np.uint64(0xFFFFFF)).astype(np.int64)
    source = (edges["key"] >> np.uint64(40)).astype(np.int64)
    pairs = np.unique(target << 24 | source)
    hosts, users = np.unique(pairs >> 24, return_counts=True)
    popular: NDArray[np.int64] = hosts[users > max(3, 0.05 * len(np.unique(source)))]
    return popular
