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
from collector.flows import FlowBatch
from detector.addresses import in_networks
from detector.detection import Category, Detector, Finding, Window
from detector.edges import DAY_NS
from detector.lateral.contacts import FAILED, flow_keys, texts
from detector.lateral.fans import LAST, Fans, sorted_groups
from detector.lateral.walks import Contacts, Walks
from detector.words import Text, Wording

ADMIN_PORTS = frozenset({22, 23, 135, 139, 445, 1433, 1521, 3306, 3389, 5432, 5900, 5985, 5986})
_PRINTER_PORTS = (515, 631, 9100)
#: In the place of a service: pings without payload, which no monitoring sends.
_EMPTY_PING = 0xFFFF_FFFF
_SWEEP_NS = 300_000_000_000
#: Beside a service that is none of administration: those of its targets that came to talk.
_TALKED = 1 << 24
_IS_ADMIN_PORT = np.zeros(1 << 16, bool)
_IS_ADMIN_PORT[[*ADMIN_PORTS, 161]] = True
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
class _Memory:
    contacts: Contacts
    walks: Walks
    dark: OrderedDict[int, dict[int, int]] = field(default_factory=OrderedDict)  # source → when
    #: By source and service: targets first met in the last minutes; the flag is that it failed.
    swept: Fans = field(default_factory=lambda: Fans(50_000, 1024, LAST))


class HostScan(Detector):
    """One host tries to reach many others that it never spoke to, and most do not answer.

    Threshold random walk after Jung, Paxson, Berger and Balakrishnan (IEEE S&P 2004): every
    *first* contact of a source moves a sum up if it fails and down if it succeeds; the sum decides
    between "harmless" (success 80 %) and "scanner" (success 20 %). TCP without answer, refused, or
    reset before any data; UDP and ping without answer. Nine net failures raise the alarm.

    Beside the walk, a short and lively sweep is told when, on one service and in five minutes, at
    least six first contacts were made of which five in six failed, or at least eight of which three
    in ten failed and (but for services of administration) hardly any came to a conversation; or
    when empty pings (no payload, which no monitoring sends) go to eight hosts.

    With an address plan and a week of memory, three planned but never living addresses that one
    source tries in a day are told at once: nobody has business there.

    Why it matters: looking for the next host is the first thing that ransomware operators and
    worms do after they are in; it is seen minutes to days before encryption starts.

    False alarms: vulnerability scanners and asset inventories (give them the role `scanner`),
    print drivers that look for moved printers, monitoring after a network change. A server that
    fails for five or more clients is taken for dead and does not count, nor do peers of Windows'
    Delivery Optimization (TCP 7680) and streams of UDP that nobody answers. Sampled flow exports
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
        return _Memory(Contacts(self.contacts_kept), Walks(self.dead_sources))

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        if len(window.flows) == 0:
            return
        rows = memory.contacts.first(window, APP_CODE["printer"])
        if not len(rows):
            return
        rows = memory.walks.leave_out_dead(window, rows)
        up = math.log((1 - self.success_scanner) / (1 - self.success_harmless))
        down = math.log(self.success_scanner / self.success_harmless)
        touched = memory.walks.walk(window, rows, up, down, self.reset_height)
        walked: set[int] = set()
        for source in touched[memory.walks.heights(touched) >= self.alarm_height].tolist():
            if window.hosts.get(source).role != "scanner":
                walked.add(source)
                yield self._finding(window, source, memory.walks, rows)
        yield from self._sweeps(window, memory, rows, walked)
        yield from self._dark_space(window, memory, rows[(window.marks[rows] & 3) == FAILED])

    def _sweeps(
        self, window: Window, memory: _Memory, rows: NDArray[np.int64], walked: set[int]
    ) -> Iterator[Finding]:
        flows = window.flows
        rows = rows[~np.isin(flows.destination_port[rows], _PRINTER_PORTS)]
        if not len(rows):
            return
        protocol, first_ns = flows.protocol[rows], flows.first_ns[rows]
        is_ping = (protocol == 1) | (protocol == 58)
        header = np.where(flows.family[rows] == 4, 28, 48)
        is_empty_ping = is_ping & (flows.bytes[rows] == header * flows.packets[rows])
        service = protocol.astype(np.uint64) << np.uint64(16) | flows.destination_port[rows]
        service[is_empty_ping] = _EMPTY_PING
        keys = window.source[rows].astype(np.uint64) << np.uint64(32) | service
        failed = ((window.marks[rows] & 3) == FAILED).astype(np.uint8)
        met = window.destination[rows].astype(np.uint64)
        memory.swept.note(keys, met, first_ns, failed)
        talked = self._talked(flows, rows) & (failed == 0)
        apart = keys[talked] | np.uint64(_TALKED)
        memory.swept.note(apart, met[talked], first_ns[talked], failed[talked])
        memory.swept.trim()
        touched, place = sorted_groups(keys)
        newest = np.full(len(touched), np.iinfo(np.int64).min)
        np.maximum.at(newest, place, first_ns)
        tried, failures = memory.swept.expire(touched, newest - _SWEEP_NS)
        for n in np.flatnonzero(tried >= self.sweep_targets - 2).tolist():
            source, of = int(touched[n]) >> 32, int(touched[n]) & 0xFFFF_FFFF
            apart = touched[n : n + 1] | np.uint64(_TALKED)
            conversing, _ = memory.swept.expire(apart, newest[n : n + 1] - _SWEEP_NS)
            counts = int(tried[n]), int(failures[n]), int(conversing[0])
            if not self._is_sweep(of == _EMPTY_PING, *counts):
                continue
            if window.hosts.get(source).role not in ("scanner", "gateway") and source not in walked:
                targets = memory.swept.read(int(touched[n]))
                yield self._sweep(window, source, targets, rows[place == n].tolist())

    @staticmethod
    def _talked(flows: FlowBatch, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """More than a handshake both ways, on a service that is none of administration."""
        least = np.where(flows.protocol[rows] == 6, 60, 28)
        least += np.where(flows.family[rows] == 6, 20, 0)
        sent = flows.bytes[rows] > least * flows.packets[rows]
        received = flows.reply_bytes[rows] > least * flows.reply_packets[rows]
        is_admin = _IS_ADMIN_PORT[flows.destination_port[rows]]
        return np.asarray(sent & received & ~is_admin, bool)

    def _is_sweep(self, is_ping: bool, tried: int, failed: int, talked: int) -> bool:
        if is_ping:
            return tried >= self.sweep_targets
        if tried >= self.sweep_targets - 2 and 6 * failed >= 5 * tried:
            return True
        is_shallow = talked <= 0.2 * tried
        return tried >= self.sweep_targets and failed >= 0.3 * tried and is_shallow

    def _dark_space(
        self, window: Window, memory: _Memory, failed: NDArray[np.int64]
    ) -> Iterator[Finding]:
        """Touches of addresses that are planned, in no ledger, and were never seen alive."""
        flows = window.flows
        alive = memory.contacts.alive
        if not window.hospital.segments or window.edges.active_days < 7:
            return
        planned = in_networks(flows.destination[failed], window.hospital.inside)
        touched: dict[int, list[int]] = {}
        for row in failed[planned & ~alive[window.destination[failed]]].tolist():
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
        self, window: Window, source: int, targets: NDArray[np.int64], at: list[int]
    ) -> Finding:
        flows, ip = window.flows, window.hosts.ip(source)
        failed = int(targets[:, 2].sum())
        answered = texts(window, targets[targets[:, 2] == 0, 0], 5)
        return Finding(
            source=ip,
            targets=texts(window, targets[:, 0]),
            score=min(75.0, 52.0 + 2 * len(targets) / self.sweep_targets),
            confidence=0.85,
            first_ns=int(targets[:, 1].min()),
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

    def _finding(
        self, window: Window, source: int, walks: Walks, rows: NDArray[np.int64]
    ) -> Finding:
        step = math.log((1 - self.success_scanner) / (1 - self.success_harmless))
        extra = (float(walks.heights(np.array([source], np.uint32))[0]) - self.alarm_height) / step
        failed, times = walks.failed(source)
        ports = {int(p) for p in np.unique(failed[:, 1])}
        answered = walks.answered(source)
        mine = rows[window.source[rows] == source]
        ip = window.hosts.ip(source)
        return Finding(
            source=ip,
            targets=texts(window, failed[:, 0]),
            score=min(85.0, 60 + 3 * extra + (15 if ports & ADMIN_PORTS else 0)),
            confidence=0.9,
            first_ns=int(times.min()),
            last_ns=int(window.flows.last_ns[mine].max()),
            facts={
                "tried": len(failed) + len(answered),
                "failed": len(failed),
                "answered": texts(window, answered, 5) or "-",
                "ports": sorted(ports)[:20],
            },
            key=ip,
            flows=flow_keys(window.flows, mine),
        )
