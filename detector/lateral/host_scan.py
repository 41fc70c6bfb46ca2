"""Host scan (LM-1): one host tries many others, found by a sequential test on first contacts."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.apps import APP_CODE
from detector.addresses import in_networks, inside_flags, is_one_host
from detector.detection import Category, Detector, Finding, Window
from detector.edges import DAY_NS
from detector.lateral.contacts import ANSWERED, FAILED, flow_keys, outcomes, texts
from detector.words import Text, Wording

ADMIN_PORTS = frozenset({22, 23, 135, 139, 445, 1433, 1521, 3306, 3389, 5432, 5900, 5985, 5986})
_PRINTER_PORTS = frozenset({515, 631, 9100})
_NEXT_STEP = Text(
    ja="情報システム担当は、{source} が何の機器か台帳で確認し、"
    "設置部署に「今この端末で何をしているか」"
    "を電話で聞いてください。脆弱性診断や資産管理ソフトの予定がなければ、この端末を LAN "
    "から外すことを"
    "検討し、応答のあった相手（{answered}）に不審なログオンがないか確認してください。",
    en="IT on duty: look {source} up in the ledger and phone its department to ask what the "
    "machine "
    "is doing right now. If no vulnerability scan or asset inventory is planned, consider taking "
    "it "
    "off the LAN, and check the hosts that answered ({answered}) for unexpected logons.",
)


@dataclass
class _Walk:
    """The random walk of one source since its last reset."""

    height: float = 0.0
    failed: OrderedDict[int, int] = field(default_factory=OrderedDict)  # target → when
    answered: list[int] = field(default_factory=list)
    ports: set[int] = field(default_factory=set)


@dataclass
class _Memory:
    contacts: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    contacts_ns: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    alive: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(1024, bool))  # by host
    dark: OrderedDict[int, dict[int, int]] = field(default_factory=OrderedDict)  # source → when
    walks: dict[int, _Walk] = field(default_factory=dict)
    failing: dict[int, set[int]] = field(default_factory=dict)  # target → sources it failed for
    swept: OrderedDict[tuple[int, int], OrderedDict[int, tuple[int, bool]]] = field(
        default_factory=OrderedDict
    )  # (source, service) → target → (when, failed), first contacts of the last minutes


class HostScan(Detector):
    """One host tries to reach many others that it never spoke to, and most do not answer.

    Threshold random walk after Jung, Paxson, Berger and Balakrishnan (IEEE S&P 2004): every
    *first* contact of a source moves a sum up if it fails and down if it succeeds; the sum decides
    between "harmless" (success 80 %) and "scanner" (success 20 %). TCP without answer, refused, or
    reset before any data; UDP and ping without answer. Nine net failures raise the alarm.

    Beside the walk, a short and lively sweep is told when, on one service and in five minutes, at
    least six first contacts were made of which five failed, or at least eight of which three in
    ten failed; or when empty pings (no payload, which no monitoring sends) go to eight hosts.

    With an address plan and a week of memory, three planned but never living addresses that one
    source tries in a day are told at once: nobody has business there.

    Why it matters: looking for the next host is the first thing that ransomware operators and
    worms do after they are in; it is seen minutes to days before encryption starts.

    False alarms: vulnerability scanners and asset inventories (give them the role `scanner`),
    print drivers that look for moved printers, monitoring after a network change. A server that
    fails for five or more clients is taken for dead and does not count. Sampled flow exports
    are not used; of one-way exports only lone SYNs count.
    """

    id = "host_scan"
    category: ClassVar[Category] = "reconnaissance"
    techniques = ("T1046", "T1018")
    wordings = {
        "": Wording(
            title=Text(
                ja="{source} が {tried} 台の機器を次々に探索しています（応答なし・拒否 {failed} "
                "件）",
                en="{source} is probing {tried} hosts one after another ({failed} failed)",
            ),
            why=Text(
                ja="これまで通信のなかった相手に続けて接続を試み、ほとんどが失敗しています。"
                "侵入者や"
                "ワームが次の標的を探すときの動きです。放置すると他の部門システムへ広がるおそれが"
                "あります。",
                en="It keeps trying hosts it never spoke to and most attempts fail: this is how an "
                "intruder or a worm looks for its next target before moving to other systems.",
            ),
            next_step=_NEXT_STEP,
        ),
        "dark": Wording(
            title=Text(
                ja="{source} が使われていないアドレス {tried} 個に接続を試みました",
                en="{source} tried {tried} addresses that nobody uses",
            ),
            why=Text(
                ja="アドレス計画にあっても一度も使われていない番号です。業務で接続する理由がなく、"
                "次の標的を探す動きと考えられます。",
                en="They are planned but have never lived. No work leads there; it looks like a "
                "search for the next target.",
            ),
            next_step=_NEXT_STEP,
        ),
    }

    success_harmless: float = Field(
        default=0.8, gt=0.5, lt=1, description="θ0: a harmless host's success"
    )
    success_scanner: float = Field(default=0.2, gt=0, lt=0.5, description="θ1: a scanner's success")
    alarm_height: float = Field(default=11.5, gt=0, description="ln Λ that raises the alarm")
    reset_height: float = Field(
        default=math.log(0.01), lt=0, description="ln Λ that clears a source"
    )
    dark_touches: int = Field(default=3, ge=2, description="unused addresses in a day that tell")
    sweep_targets: int = Field(default=8, ge=4, description="first contacts of a lively sweep")
    dead_sources: int = Field(default=5, ge=2, description="sources a dead server fails for")
    contacts_kept: int = Field(
        default=2_000_000, ge=1000, description="pairs remembered for 30 days"
    )

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        outcome = outcomes(window.flows)
        _, theirs = inside_flags(window)  # a scan may also come in from outside
        chosen = (outcome > 0) & theirs & is_one_host(window.flows.destination)
        chosen &= window.flows.app != APP_CODE["printer"]
        rows = self._first_contacts(window, memory, np.flatnonzero(chosen), outcome)
        dead = [
            outcome[row] == FAILED
            and self._is_dead(memory, int(window.source[row]), int(window.destination[row]))
            for row in rows.tolist()
        ]
        rows = rows[~np.array(dead, bool)]
        touched: dict[int, None] = {}
        for row in rows:
            source, target = int(window.source[row]), int(window.destination[row])
            if self._step(window, memory, source, target, int(row), int(outcome[row])):
                touched[source] = None
        walked: set[int] = set()
        for source in touched:
            walk = memory.walks[source]
            if walk.height >= self.alarm_height and window.hosts.get(source).role != "scanner":
                walked.add(source)
                yield self._finding(window, source, walk, rows)
        yield from self._sweeps(window, memory, rows, outcome, walked)
        yield from self._dark_space(window, memory, rows[outcome[rows] == FAILED])

    def _first_contacts(
        self,
        window: Window,
        memory: _Memory,
        rows: NDArray[np.int64],
        outcome: NDArray[np.uint8],
    ) -> NDArray[np.int64]:
        """One row per pair that never met before, in time order; an answer outweighs a failure."""
        flows = window.flows
        pairs = (window.source[rows].astype(np.uint64) << np.uint64(32)) | window.destination[rows]
        order = np.lexsort((flows.first_ns[rows], outcome[rows], pairs))
        rows, pairs = rows[order], pairs[order]
        unique, start = np.unique(pairs, return_index=True)
        rows = rows[start]
        at: NDArray[Any] = np.asarray(np.searchsorted(memory.contacts, unique))
        met = np.zeros(len(unique), bool)
        within = at < len(memory.contacts)
        met[within] = memory.contacts[at[within]] == unique[within]
        memory.contacts_ns[at[met]] = window.end_ns
        new: NDArray[np.bool_] = ~met
        memory.contacts = np.insert(memory.contacts, at[new], unique[new])
        memory.contacts_ns = np.insert(memory.contacts_ns, at[new], window.end_ns)
        self._forget(memory, window.end_ns)
        new &= ~window.edges.has_spoken(window.source[rows], window.destination[rows])
        rows = rows[new]
        return rows[np.argsort(flows.first_ns[rows], kind="stable")]

    def _forget(self, memory: _Memory, now_ns: int) -> None:
        if len(memory.contacts) <= self.contacts_kept:
            return
        kept = now_ns - memory.contacts_ns <= 30 * DAY_NS
        if kept.sum() > self.contacts_kept // 2:
            kept &= memory.contacts_ns >= np.median(memory.contacts_ns[kept])
        memory.contacts, memory.contacts_ns = memory.contacts[kept], memory.contacts_ns[kept]

    def _sweeps(
        self,
        window: Window,
        memory: _Memory,
        rows: NDArray[np.int64],
        outcome: NDArray[np.uint8],
        walked: set[int],
    ) -> Iterator[Finding]:
        flows = window.flows
        is_ping = (flows.protocol == 1) | (flows.protocol == 58)
        header = np.where(flows.family == 4, 28, 48)
        is_empty_ping = is_ping & (flows.bytes == header * flows.packets)
        touched: dict[tuple[int, int], list[int]] = {}
        for row in rows.tolist():
            if int(flows.destination_port[row]) in _PRINTER_PORTS:
                continue
            service = int(flows.protocol[row]) << 16 | int(flows.destination_port[row])
            key = (int(window.source[row]), -1 if is_empty_ping[row] else service)
            targets = memory.swept.setdefault(key, OrderedDict())
            memory.swept.move_to_end(key)
            failed = bool(outcome[row] == FAILED)
            targets[int(window.destination[row])] = (int(flows.first_ns[row]), failed)
            while len(targets) > 1024:
                targets.popitem(last=False)
            touched.setdefault(key, []).append(row)
        while len(memory.swept) > 50_000:
            memory.swept.popitem(last=False)
        for (source, service), at in touched.items():
            targets = memory.swept[source, service]
            since = int(flows.first_ns[at].max()) - 300_000_000_000
            for old in [t for t, (when, _) in targets.items() if when < since]:
                del targets[old]
            failed_count = sum(failed for _, failed in targets.values())
            if self._is_sweep(service, len(targets), failed_count):
                role = window.hosts.get(source).role
                if role not in ("scanner", "gateway") and source not in walked:
                    yield self._sweep(window, source, targets, at, failed_count)

    def _is_sweep(self, service: int, tried: int, failed: int) -> bool:
        if service == -1:
            return tried >= self.sweep_targets
        return (tried >= self.sweep_targets - 2 and failed >= self.sweep_targets - 3) or (
            tried >= self.sweep_targets and failed >= 0.3 * tried
        )

    def _dark_space(
        self, window: Window, memory: _Memory, failed: NDArray[np.int64]
    ) -> Iterator[Finding]:
        """Touches of addresses that are planned, in no ledger, and were never seen alive."""
        flows = window.flows
        if len(memory.alive) < len(window.hosts):
            grown = np.zeros(2 * len(window.hosts), bool)
            grown[: len(memory.alive)] = memory.alive
            memory.alive = grown
        talked = flows.reply_packets > 0
        memory.alive[window.source[talked]] = memory.alive[window.destination[talked]] = True
        if not window.hospital.segments or window.edges.active_days < 7:
            return
        planned = in_networks(flows.destination[failed], window.hospital.inside)
        touched: dict[int, list[int]] = {}
        for row in failed[planned & ~memory.alive[window.destination[failed]]].tolist():
            source, target = int(window.source[row]), int(window.destination[row])
            if window.hosts.ip(target) in window.hospital.asset_by_ip:
                continue
            memory.dark.setdefault(source, {})[target] = int(flows.first_ns[row])
            touched.setdefault(source, []).append(row)
        for source, at in touched.items():
            since = int(flows.first_ns[at].max()) - DAY_NS
            recent = {t: when for t, when in memory.dark[source].items() if when >= since}
            memory.dark[source] = dict(list(recent.items())[-1024:])
            if len(recent) >= self.dark_touches and window.hosts.get(source).role != "scanner":
                yield self._dark_finding(window, source, recent, at)
        while len(memory.dark) > 20_000:
            memory.dark.popitem(last=False)

    def _dark_finding(
        self, window: Window, source: int, recent: dict[int, int], at: list[int]
    ) -> Finding:
        ip = window.hosts.ip(source)
        return Finding(
            source=ip,
            targets=texts(window, recent),
            score=75.0,
            confidence=0.9,
            first_ns=min(recent.values()),
            last_ns=int(window.flows.last_ns[at].max()),
            facts={"tried": len(recent), "answered": "-"},
            variant="dark",
            key=ip,
            flows=flow_keys(window.flows, at),
        )

    def _sweep(
        self,
        window: Window,
        source: int,
        targets: OrderedDict[int, tuple[int, bool]],
        at: list[int],
        failed: int,
    ) -> Finding:
        flows, ip = window.flows, window.hosts.ip(source)
        answered = texts(window, [t for t, (_, is_failed) in targets.items() if not is_failed], 5)
        return Finding(
            source=ip,
            targets=texts(window, targets),
            score=min(75.0, 52.0 + 2 * len(targets) / self.sweep_targets),
            confidence=0.85,
            first_ns=min(when for when, _ in targets.values()),
            last_ns=int(flows.last_ns[at].max()),
            facts={
                "tried": len(targets),
                "failed": failed,
                "answered": answered or "-",
                "ports": sorted({int(p) for p in flows.destination_port[at]}),
            },
            key=ip,
            techniques=("T1018", "T1046"),
            flows=flow_keys(flows, at),
        )

    def _step(
        self, window: Window, memory: _Memory, source: int, target: int, row: int, outcome: int
    ) -> bool:
        """Move the source's walk; True if it went up."""
        walk = memory.walks.get(source)
        if walk is None:
            if len(memory.walks) >= 65536:
                memory.walks.pop(next(iter(memory.walks)))
            walk = memory.walks[source] = _Walk()
        if outcome == ANSWERED:
            walk.height += math.log(self.success_scanner / self.success_harmless)
            walk.answered.append(target)
            if walk.height <= self.reset_height:
                memory.walks[source] = _Walk()
            return False
        if outcome != FAILED:
            return False
        walk.height += math.log((1 - self.success_scanner) / (1 - self.success_harmless))
        walk.failed[target] = int(window.flows.first_ns[row])
        walk.ports.add(int(window.flows.destination_port[row]))
        while len(walk.failed) > 4096:
            walk.failed.popitem(last=False)
        return True

    def _is_dead(self, memory: _Memory, source: int, target: int) -> bool:
        if len(memory.failing) > 65536:
            memory.failing.clear()
        sources = memory.failing.setdefault(target, set())
        if len(sources) < self.dead_sources:
            sources.add(source)
        return len(sources) >= self.dead_sources

    def _finding(
        self, window: Window, source: int, walk: _Walk, rows: NDArray[np.int64]
    ) -> Finding:
        step = math.log((1 - self.success_scanner) / (1 - self.success_harmless))
        extra = (walk.height - self.alarm_height) / step
        admin = bool(walk.ports & ADMIN_PORTS)
        mine = rows[window.source[rows] == source]
        ip = window.hosts.ip(source)
        return Finding(
            source=ip,
            targets=texts(window, walk.failed),
            score=min(85.0, 60 + 3 * extra + (15 if admin else 0)),
            confidence=0.9,
            first_ns=min(walk.failed.values()),
            last_ns=int(window.flows.last_ns[mine].max()),
            facts={
                "tried": len(walk.failed) + len(walk.answered),
                "failed": len(walk.failed),
                "answered": texts(window, walk.answered, 5) or "-",
                "ports": sorted(walk.ports)[:20],
            },
            key=ip,
            flows=flow_keys(window.flows, mine),
        )
