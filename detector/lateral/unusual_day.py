"""Unusual day (6.3): an isolation forest for each role ranks hosts by their day and says why."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detector.detection import Category, Detector, Finding, Window
from detector.edges import DAY_NS, HOUR_NS
from detector.window_kernels import FAILED, OURS, THEIRS
from detector.words import Text, Wording

#: What a day is told by: name, in Japanese, in English.
FEATURES: Final = (
    ("sent", "送信量", "bytes sent"),
    ("received", "受信量", "bytes received"),
    ("flows", "通信の数", "conversations"),
    ("failed", "失敗の割合", "share that failed"),
    ("outside", "院外の割合", "share to the outside"),
    ("night", "夜間の割合", "share at night"),
    ("partners", "相手の数", "partners"),
    ("fresh", "初めての相手", "new partners"),
)
_TREES, _SAMPLES = 200, 256
_DAYS_KEPT: Final = 28
_NOISE: Final = np.array([0.1, 0.1, 0.1, 0.02, 0.02, 0.02, 0.1, 0.1])


@dataclass
class _Memory:
    day: int = -1
    hour: list[tuple[NDArray[Any], ...]] = field(default_factory=list)
    hour_number: int = -1
    sums: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # host → six sums
    days: deque[tuple[NDArray[np.int64], NDArray[np.float64]]] = field(
        default_factory=lambda: deque(maxlen=_DAYS_KEPT)
    )
    forests: dict[str, tuple[Any, NDArray[np.float64], NDArray[np.float64]]] = field(
        default_factory=dict
    )  # role → forest, its own scores in order, the role's median day


class UnusualDay(Detector):
    """A host's day does not look like any day that hosts of its role had.

    Once a day each host is a row of eight numbers (bytes each way, conversations, shares that
    failed, went outside or fell into the night, partners, new partners). Each week an isolation
    forest (200 trees of 256) is grown for every role on the last 28 days; the score is turned into
    the share of training days that were as odd (p), and told from one in 500. The three numbers
    that explain most, by how much the score falls when each is set to the role's median, are named.

    It ranks and explains; it never asks for anybody by itself: the score stays at 45 or below.

    Why it matters: it points at what no rule was written for.

    False alarms: month's end, inventory days, a machine with a new task.
    """

    id = "unusual_day"
    category: ClassVar[Category] = "policy"
    techniques: ClassVar[tuple[str, ...]] = ()
    gather_s = 300
    wordings = {
        "": Wording(
            Text(
                "{source}（{role}）の一日の動きが、同じ役割の機器と大きく違います",
                "The day of {source} ({role}) differs much from other hosts of its role",
            ),
            Text(
                "同じ役割の過去 {days} 日分と比べ、{odds} 日に 1 度の珍しさです。"
                "主な違い：{reasons}。参考情報で、単独では対応を求めません。",
                "Against {days} days of the same role, one in {odds} is as odd. Mostly: "
                "{reasons_en}. For information; by itself it asks nothing of anybody.",
            ),
            Text(
                "ほかのアラートがあれば合わせて見てください。なければ、月末処理や機器の用途変更が"
                "ないかを設置部署に聞く程度で足ります。",
                "Look at it together with other alerts. If there are none, ask the department "
                "whether its work has changed.",
            ),
        )
    }

    least_rows: int = Field(default=100, ge=50, description="days of a role's hosts to learn from")
    least_days: int = Field(default=14, ge=7, description="days before the first forest")
    odds: int = Field(default=500, ge=50, description="one in so many days is told")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        hour = window.start_ns // HOUR_NS
        if hour != memory.hour_number:
            self._end_hour(memory)
            memory.hour_number = hour
            day = window.start_ns // DAY_NS
            if day != memory.day:
                if memory.day >= 0:
                    yield from self._end_day(window, memory)
                memory.day = day
        flows = window.flows
        if len(flows):
            memory.hour.append((window.source, flows.bytes, flows.reply_bytes, window.marks))

    def _end_hour(self, memory: _Memory) -> None:
        if not memory.hour:
            return
        source, sent, received, marks = (np.concatenate(c) for c in zip(*memory.hour, strict=True))
        memory.hour = []
        ours = marks & OURS != 0
        hosts, at = np.unique(source[ours], return_inverse=True)
        marks = marks[ours]
        local = (memory.hour_number + 9) % 24  # night by Japan's clock; only a feature
        count = np.bincount(at).astype(np.float64)
        columns = (
            np.bincount(at, sent[ours].astype(np.float64)),
            np.bincount(at, received[ours].astype(np.float64)),
            count,
            np.bincount(at, (marks & FAILED != 0).astype(np.float64)),
            np.bincount(at, (marks & THEIRS == 0).astype(np.float64)),
            count if local < 6 or local >= 22 else np.zeros(len(hosts)),
        )
        for host, row in zip(hosts.tolist(), np.stack(columns, axis=1), strict=True):
            known = memory.sums.get(host)
            memory.sums[host] = row if known is None else known + row

    def _end_day(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        sums, memory.sums = memory.sums, {}
        if not sums:
            return
        hosts = np.array(list(sums), np.int64)
        rows = _features(np.array(list(sums.values())), hosts, window, memory.day * DAY_NS)
        inside = window.hosts.inside(hosts.astype(np.uint32))
        hosts, rows = hosts[inside], rows[inside]
        if memory.forests:
            yield from self._judge(window, memory, hosts, rows)
        if window.edges.active_days >= 3:  # before, every partner is new
            memory.days.append((hosts, rows))
        if len(memory.days) >= self.least_days and memory.day % 7 == 0:
            self._grow(window, memory)

    def _grow(self, window: Window, memory: _Memory) -> None:
        from sklearn.ensemble import IsolationForest  # a heavy import, needed once a week

        hosts = np.concatenate([h for h, _ in memory.days])
        rows = np.concatenate([r for _, r in memory.days])
        roles = np.array([window.hosts.get(int(h)).role for h in hosts.tolist()])
        memory.forests = {}
        noise = np.random.default_rng(0)
        for role in sorted(set(roles.tolist())):
            mine = rows[roles == role]
            if len(mine) < self.least_rows:
                continue
            # A column that never varied cannot be split: a little noise lets a jump in it show.
            mine = mine + noise.normal(0.0, 1.0, mine.shape) * _NOISE
            forest = IsolationForest(
                n_estimators=_TREES, max_samples=min(_SAMPLES, len(mine)), random_state=0
            ).fit(mine)
            scores = np.sort(forest.score_samples(mine))
            memory.forests[role] = (forest, scores, np.median(mine, axis=0))

    def _judge(
        self, window: Window, memory: _Memory, hosts: NDArray[np.int64], rows: NDArray[np.float64]
    ) -> Iterator[Finding]:
        roles = np.array([window.hosts.get(int(h)).role for h in hosts.tolist()])
        for role, (forest, known, usual) in memory.forests.items():
            mine = np.flatnonzero(roles == role)
            if len(mine) == 0:
                continue
            scores = forest.score_samples(rows[mine])
            p = (np.searchsorted(known, scores, side="right") + 1) / (len(known) + 1)
            for place in np.flatnonzero(p <= max(1 / self.odds, 1.5 / (len(known) + 1))).tolist():
                row = rows[mine[place]]
                # As odd as the oddest is not enough where there are few to compare with.
                if scores[place] >= known[0] - 0.01 and len(known) < self.odds:
                    continue
                yield self._tell(
                    window, memory, int(hosts[mine[place]]), role, forest, row, usual,
                    float(p[place]), float(scores[place]),
                )  # fmt: skip

    def _tell(
        self, window: Window, memory: _Memory, host: int, role: str, forest: Any,
        row: NDArray[np.float64], usual: NDArray[np.float64], p: float, score: float,
    ) -> Finding:  # fmt: skip
        changed = np.tile(row, (len(row), 1))
        np.fill_diagonal(changed, usual)
        gain = forest.score_samples(changed) - score
        most = [n for n in np.argsort(-gain)[:3].tolist() if gain[n] > 0]
        return Finding(
            source=window.hosts.ip(host),
            targets=(),
            score=min(45.0, -15 * float(np.log10(p))),
            confidence=0.9,
            first_ns=memory.day * DAY_NS,
            last_ns=window.start_ns,
            facts={
                "role": role,
                "days": len(memory.days),
                "odds": round(1 / p),
                "reasons": "、".join(_reason(n, row, usual, 1) for n in most),
                "reasons_en": "; ".join(_reason(n, row, usual, 2) for n in most),
            },
            key=window.hosts.ip(host),
            warmth=min(1.0, len(memory.days) / 28),
        )


def _features(
    sums: NDArray[np.float64], hosts: NDArray[np.int64], window: Window, since_ns: int
) -> NDArray[np.float64]:
    """(n, 8) of FEATURES; sizes and counts as log1p, shares as they are."""
    count = np.maximum(sums[:, 2], 1.0)
    edges = window.edges.table()
    active = edges[edges["last_ns"] >= since_ns]
    source = (active["key"] >> np.uint64(40)).astype(np.int64)
    size = int(max(hosts.max(), source.max() if len(source) else 0)) + 1
    partners = np.bincount(source, minlength=size)[hosts]
    is_new = (active["first_ns"] >= since_ns).astype(np.float64)
    fresh = np.bincount(source, is_new, minlength=size)[hosts]
    return np.stack(
        [
            np.log1p(sums[:, 0]), np.log1p(sums[:, 1]), np.log1p(sums[:, 2]), sums[:, 3] / count,
            sums[:, 4] / count, sums[:, 5] / count, np.log1p(partners), np.log1p(fresh),
        ],
        axis=1,
    )  # fmt: skip


def _reason(feature: int, row: NDArray[np.float64], usual: NDArray[np.float64], word: int) -> str:
    name = FEATURES[feature][word]
    if feature in (3, 4, 5):
        return f"{name} {row[feature]:.0%} ({usual[feature]:.0%})"
    return f"{name} {np.expm1(row[feature]):,.0f} ({np.expm1(usual[feature]):,.0f})"
