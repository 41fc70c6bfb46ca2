"""Slow drift (B5): a host that gains partners one by one over months, and its peers do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.apps import APP_CODE
from detector.detection import Category, Detector, Finding, Window, app_table
from detector.edges import ADMIN_APPS, DAY_NS
from detector.lateral.contacts import texts
from detector.words import Text, Wording

_LEAST_PEERS: Final = 5
_ANCHOR_DAYS: Final = 28
_SPAN_DAYS: Final = 90
#: A MAC before more addresses than these is a router's, not a machine's.
_MOST_ADDRESSES: Final = 8
_IS_ADMIN: Final = app_table((*ADMIN_APPS, "vnc"))
#: Whose work is to control others, and what everybody's files are on.
_CONTROLLERS: Final = frozenset(
    {"admin", "bastion", "vendor_landing", "scanner", "backup", "wsus", "gateway", "network_device"}
)
_SHARES_FILES: Final = frozenset({"file_server", "domain_controller", "printer"})


@dataclass
class _Memory:
    day: int = -1
    told_ns: dict[str, int] = field(default_factory=dict)  # variant and host → last told


@dataclass(frozen=True)
class _Partners:
    """The first time that each machine met each partner, one row for each pair."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    first_ns: NDArray[np.int64]

    def take(self, chosen: NDArray[np.bool_]) -> _Partners:
        return _Partners(self.source[chosen], self.target[chosen], self.first_ns[chosen])


class SlowDrift(Detector):
    """A host has gained partners week after week that hosts of its role did not gain.

    Looked at once a day over the last 90 days of the edge memory; the first four weeks of the
    memory are its anchor and count as nobody's gain. Two counts are kept. *Partners*: inside
    hosts that few others use (a new server that everybody uses is none), told from eight gains on,
    spread over six weeks. *Targets*: hosts it began to control (RDP, VNC, SSH, WinRM, SQL, SMB to
    other than a file server), however many others use them, told from five on, spread over four
    weeks. Both are told only where the median of the role's other hosts plus six times their
    spread stays below, and never where three in ten of them gained alike: that is a roll-out.
    A machine that came to another address by DHCP stays one machine where its MAC is seen.

    A host that had a dozen such partners or targets before the anchor does by habit what it does:
    it is told only once it gains twice as fast as it did then. A registered administrator's,
    bastion's or vendor's machine is held against at least five of its kind, else it is silent.

    Why it matters: an attacker who adds one step a week teaches every memory that this is usual.
    The number of days since the memory's anchor does not forget.

    False alarms: a machine whose work changes, such as a ward PC that becomes the nurse manager's,
    or a new administrator's PC that the ledger does not know.
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
        ),
        "control": Wording(
            Text(
                "{source} が遠隔操作する相手が {weeks} 週で {gained} 台、少しずつ増えています",
                "{source} controls {gained} hosts more, added little by little over {weeks} weeks",
            ),
            Text(
                "同じ役割の機器 {peers} 台では、この 90 日の増加は中央値 {usual} 台です。"
                "学習を始めた頃には、これほど多くの相手を操作していませんでした。"
                "一度に増えないため、日々の比較では目立ちません。",
                "Of {peers} hosts of the same role the median gained {usual} in these 90 days. It "
                "did not control so many when learning began. Day by day nothing stands out.",
            ),
            Text(
                "{source} の利用者と情報システム担当に、{latest} への遠隔操作を誰が何のためにした"
                "か確認してください。心当たりがなければ、相手のサーバのログオン記録を調べ、"
                "{source} を LAN から外します。管理用の端末なら台帳に登録すると静かになります。",
                "Ask the user of {source} and IT who controlled {latest}, and what for. If nobody "
                "knows, read the log-on records of those servers and take {source} off the LAN. If "
                "it is an administrator's machine, enter it in the ledger and it stays quiet.",
            ),
        ),
    }

    least_gained: int = Field(default=8, ge=3, description="new partners in 90 days that tell")
    least_weeks: int = Field(default=6, ge=2, description="different weeks in which they came")
    least_controlled: int = Field(
        default=5, ge=3, description="newly controlled hosts in 90 days that tell"
    )
    least_control_weeks: int = Field(
        default=4, ge=2, description="different weeks in which they came"
    )
    habit: int = Field(
        default=12, ge=4, description="partners or targets before the anchor that make a habit"
    )

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
        anchor = max(
            int(edges["first_ns"].min()) + _ANCHOR_DAYS * DAY_NS,
            window.start_ns - _SPAN_DAYS * DAY_NS,
        )
        machine = _machines(window, edges)
        every = np.unique(machine[(edges["key"] >> np.uint64(40)).astype(np.int64)])
        memory.told_ns = {
            told: at for told, at in memory.told_ns.items() if window.start_ns - at < 7 * DAY_NS
        }
        control = _partners(window, edges[_is_control(window, edges)], machine)
        yield from self._judge(window, memory, "control", every, control, anchor)
        partners = _partners(window, edges, machine)
        partners = partners.take(~np.isin(partners.target, _popular(edges)))
        yield from self._judge(window, memory, "", every, partners, anchor)

    def _judge(
        self, window: Window, memory: _Memory, variant: str, every: NDArray[np.int64],
        partners: _Partners, anchor: int,
    ) -> Iterator[Finding]:  # fmt: skip
        least, least_weeks = self.least_gained, self.least_weeks
        if variant:
            least, least_weeks = self.least_controlled, self.least_control_weeks
        is_fresh = partners.first_ns > anchor
        fresh = partners.take(is_fresh)
        size = int(every[-1]) + 1
        gained = np.bincount(fresh.source, minlength=size)[every]
        had = np.bincount(partners.source[~is_fresh], minlength=size)[every]
        four_weeks = max(1.0, (window.start_ns - anchor) / (_ANCHOR_DAYS * DAY_NS))
        is_habit = (had >= self.habit) & (gained <= 2 * had * four_weeks)
        roles = np.array([window.hosts.get(int(h)).role for h in every.tolist()])
        for place in np.flatnonzero((gained >= least) & ~is_habit).tolist():
            mine = fresh.take(fresh.source == every[place])
            weeks = len(np.unique(mine.first_ns // (7 * DAY_NS)))
            alike = (roles == roles[place]) & (every != every[place])
            if alike.sum() < _LEAST_PEERS:
                if variant and roles[place] in _CONTROLLERS:
                    continue
                alike = every != every[place]
            usual = float(np.median(gained[alike])) if alike.any() else 0.0
            spread = float(np.median(np.abs(gained[alike] - usual))) if alike.any() else 0.0
            is_rollout = bool((gained[alike] >= gained[place] / 2).mean() >= 0.3)
            if weeks < least_weeks or is_rollout:
                continue
            # Counts this small vary by a few; of control, half as much is usual.
            if gained[place] <= usual + 6 * max(spread, 0.5 if variant else 1.0):
                continue
            told = f"{variant} {every[place]}"
            if told in memory.told_ns:
                continue
            memory.told_ns[told] = window.start_ns
            facts = {
                "gained": int(gained[place]),
                "weeks": weeks,
                "usual": round(usual),
                "peers": int(alike.sum()),
            }
            yield self._finding(window, variant, int(every[place]), mine, least, facts)

    def _finding(
        self, window: Window, variant: str, host: int, mine: _Partners, least: int,
        facts: dict[str, int],
    ) -> Finding:  # fmt: skip
        order = np.argsort(mine.first_ns)[::-1]
        latest = texts(window, mine.target[order].astype(np.uint32), 20)
        over = facts["gained"] - least
        return Finding(
            source=window.hosts.ip(host),
            targets=latest,
            score=min(90.0, 68.0 + 3 * over) if variant else min(80.0, 60.0 + over),
            confidence=0.85,
            first_ns=int(mine.first_ns.min()),
            last_ns=window.start_ns,
            facts={**facts, "latest": list(latest[:5])},
            variant=variant,
            key=window.hosts.ip(host),
            warmth=window.edges.warmth,
        )


def _machines(window: Window, edges: NDArray[Any]) -> NDArray[np.int64]:
    """By host number: the latest number of the same machine, told by its MAC."""
    sources = np.unique(edges["key"] >> np.uint64(40)).astype(np.int64)
    machine = np.arange(len(window.hosts), dtype=np.int64)
    by_mac: dict[str, list[int]] = {}
    inside = window.hosts.inside(sources.astype(np.uint32))
    for number in sources[inside].tolist():
        mac = window.hosts.get(number).mac
        if mac:
            by_mac.setdefault(mac, []).append(number)
    for numbers in by_mac.values():
        if 1 < len(numbers) <= _MOST_ADDRESSES:
            machine[numbers] = max(numbers, key=lambda n: (window.hosts.get(n).last_ns, n))
    return machine


def _is_control(window: Window, edges: NDArray[Any]) -> NDArray[np.bool_]:
    """Which edges are control of another host; files of a file server are not."""
    service = (edges["key"] & np.uint64(0xFFFF)).astype(np.int64)
    control: NDArray[np.bool_] = _IS_ADMIN[service]
    target = (edges["key"] >> np.uint64(16) & np.uint64(0xFFFFFF)).astype(np.int64)
    is_smb = service == APP_CODE["smb"]
    servers = [t for t in np.unique(target[is_smb]).tolist() if _shares_files(window, t)]
    control &= ~(is_smb & np.isin(target, np.array(servers, np.int64)))
    return control


def _shares_files(window: Window, number: int) -> bool:
    return window.hosts.get(number).role in _SHARES_FILES


def _partners(window: Window, edges: NDArray[Any], machine: NDArray[np.int64]) -> _Partners:
    """Inside machines and the inside hosts they met, each pair once with its earliest time."""
    source = (edges["key"] >> np.uint64(40)).astype(np.int64)
    target = (edges["key"] >> np.uint64(16) & np.uint64(0xFFFFFF)).astype(np.int64)
    kept = window.hosts.inside(target.astype(np.uint32))
    kept &= window.hosts.inside(source.astype(np.uint32)) & (source != target)
    source, target, first_ns = machine[source[kept]], target[kept], edges["first_ns"][kept]
    order = np.lexsort((first_ns, source << 24 | target))
    pairs, at = np.unique((source << 24 | target)[order], return_index=True)
    return _Partners(pairs >> 24, pairs & 0xFFFFFF, first_ns[order][at])


def _popular(edges: NDArray[Any]) -> NDArray[np.int64]:
    """Hosts that more than three, and more than one in twenty, others speak to."""
    target = (edges["key"] >> np.uint64(16) & np.uint64(0xFFFFFF)).astype(np.int64)
    source = (edges["key"] >> np.uint64(40)).astype(np.int64)
    pairs = np.unique(target << 24 | source)
    hosts, users = np.unique(pairs >> 24, return_counts=True)
    popular: NDArray[np.int64] = hosts[users > max(3, 0.05 * len(np.unique(source)))]
    return popular
