"""Beacon (BC): an inside host calls the same outside place at regular times."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.apps import APP_CODE, APPS
from collector.sightings import Http, Sighting, TlsClientHello
from detector.addresses import inside_flags, is_one_host
from detector.detection import Category, Detector, Finding, Window
from detector.lateral.contacts import flow_keys
from detector.outbound.regularity import Regularity, regularity
from detector.words import Text, Wording

_S: Final = 1_000_000_000
#: Services that are regular by design.
_REGULAR_BY_DESIGN: Final = (
    "ntp", "dns", "mdns", "llmnr", "nbns", "ssdp", "dhcp", "dhcpv6", "snmp", "syslog", "netflow",
    "sflow", "icmp", "igmp", "bgp", "ospf", "vrrp", "netbios", "radius", "ikev1", "ikev2", "esp",
    "nat_t", "stun", "rtp", "upnp",
)  # fmt: skip
_NAMED: Final = 1 << 31

_CONNECTION: Final = np.dtype(
    [("group", "u8"), ("second", "i8"), ("bytes", "u8"), ("target", "u4")]
)


@dataclass
class _Memory:
    start_ns: int = 0
    judged_ns: int = 0
    fresh: list[NDArray[Any]] = field(default_factory=list)
    connections: NDArray[Any] = field(default_factory=lambda: np.zeros(0, _CONNECTION))
    names: dict[str, int] = field(default_factory=dict)
    name_of_pair: OrderedDict[int, int] = field(default_factory=OrderedDict)
    judged_at: dict[int, int] = field(default_factory=dict)  # group → connections when judged
    app_of_group: dict[int, int] = field(default_factory=dict)


class Beacon(Detector):
    """An inside host calls the same outside place at regular times, by RITA's four scores.

    Per source and destination (by name where TLS or HTTP tells it) the connections of the last
    24 hours are scored for regular gaps, equal sizes, even spread and duration, with the formulas
    that Active Countermeasures published for RITA v5; rare destinations count 0.15 more, common
    ones 0.15 less, new ones more and old ones less once the memory is a week old. Alerts at 0.90,
    or at 0.80 for a destination that is both rare and new. More than 86,399 connections a day are
    a "strobe".

    While less than a day has been observed, the span is what was observed so far, so that a short
    capture can be judged: an hour's worth of calls every two seconds fills its bars as a day's
    worth of calls every minute does. Then at least 30 connections are needed, so that every bar
    could hold one, and the score is capped at 60 because nobody knows yet what is usual here.

    Why it matters: malware asks its master for orders; an outside line nobody knows of keeps
    itself open the same way.

    False alarms: antivirus and telemetry clouds, licence servers, chat; approve what is known.
    NTP, DNS, SNMP, VPN keep-alives and the like are left out. Sampled input is not used.
    """

    id = "beacon"
    category: ClassVar[Category] = "command_and_control"
    techniques = ("T1071.001", "T1573")
    wordings = {
        "": Wording(
            Text(
                "{source} が {gap} 秒ごとに外部の {place} と通信しています（{connections} 回）",
                "{source} calls {place} outside every {gap} s ({connections} times)",
            ),
            Text(
                "間隔と大きさが機械的に揃っており（規則性 {regularity}）、"
                "遠隔操作プログラムが指令を待つ"
                "通信に似ています。ウイルス対策や更新確認の可能性もあります。",
                "Gaps and sizes are mechanically regular ({regularity} of 1), as when malware "
                "waits "
                "for orders. Antivirus and update checks can look alike.",
            ),
            Text(
                "{place} が業務で使う先か、情報システム担当と機器の保守業者に確認してください。"
                "不明なら"
                "ファイアウォールでこの宛先を止め、{source} のプログラムを調べてください。",
                "Ask IT and the machine's vendor whether {place} is known. If not, block it at the "
                "firewall and find out which program on {source} calls it.",
            ),
        ),
        "strobe": Wording(
            Text(
                "{source} が外部の {place} へ絶え間なく接続しています（1 日 {connections} 回）",
                "{source} connects to {place} outside without pause ({connections} a day)",
            ),
            Text(
                "1 日 8 万回を超える接続は、壊れたソフトか、攻撃への加担か、トンネルを疑います。",
                "More than 86,000 connections a day mean broken software, an attack or a tunnel.",
            ),
            Text(
                "{source} の利用部署と保守業者に、この宛先への通信を止めてよいか確認してください。",
                "Ask the department and vendor of {source} whether this traffic may be stopped.",
            ),
        ),
    }

    alert_score: float = Field(default=0.9, gt=0, le=1, description="score that alerts")
    rare_new_score: float = Field(default=0.8, gt=0, le=1, description="if both rare and new")
    every_s: int = Field(default=300, ge=60, description="event time between two judgements")
    most_connections: int = Field(
        default=4_000_000, ge=10_000, description="connections kept; the oldest go first"
    )

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        memory.start_ns = memory.start_ns or window.start_ns
        memory.judged_ns = memory.judged_ns or window.start_ns
        self._note_names(window, memory)
        self._note_connections(window, memory)
        if window.end_ns - memory.judged_ns >= self.every_s * _S and memory.fresh:
            memory.judged_ns = window.end_ns
            yield from self._judge(window, memory)

    def _note_names(self, window: Window, memory: _Memory) -> None:
        named: list[tuple[Sighting, str]] = [
            (hello, hello.sni) for hello in window.of(TlsClientHello)
        ]
        for seen, name in [*named, *((r, r.host.split(":")[0]) for r in window.of(Http))]:
            if not name or not seen.ip or not seen.peer_ip or len(memory.names) > 500_000:
                continue
            pair = window.hosts.number_of(seen.ip) << 32 | window.hosts.number_of(seen.peer_ip)
            memory.name_of_pair[pair] = memory.names.setdefault(name, len(memory.names))
            memory.name_of_pair.move_to_end(pair)
        while len(memory.name_of_pair) > 500_000:
            memory.name_of_pair.popitem(last=False)

    def _note_connections(self, window: Window, memory: _Memory) -> None:
        flows = window.flows
        ours, theirs = inside_flags(window)
        chosen = ours & ~theirs & is_one_host(flows.destination) & (flows.part == 0)
        chosen &= (flows.protocol == 6) | (flows.protocol == 17)
        chosen &= (flows.sampling <= 1) & (flows.packets > 0)
        chosen &= ~np.isin(flows.app, [APP_CODE[a] for a in _REGULAR_BY_DESIGN])
        if not chosen.any():
            return
        rows = np.zeros(int(chosen.sum()), _CONNECTION)
        pairs = window.source[chosen].astype(np.uint64) << np.uint64(32)
        rows["target"] = window.destination[chosen]
        unique, back = np.unique(pairs | rows["target"], return_inverse=True)
        place = [memory.name_of_pair.get(p, -1) for p in unique.tolist()]
        groups = np.array(
            [
                p if name < 0 else (p >> 32 << 32 | _NAMED | name)
                for p, name in zip(unique.tolist(), place, strict=True)
            ],
            np.uint64,
        )
        rows["group"] = groups[back]
        rows["second"] = flows.first_ns[chosen] // _S
        rows["bytes"] = flows.bytes[chosen]
        memory.fresh.append(rows)
        if len(memory.app_of_group) < 500_000:
            memory.app_of_group.update(
                zip(rows["group"].tolist(), flows.app[chosen].tolist(), strict=True)
            )

    def _judge(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        fresh = np.concatenate(memory.fresh)
        memory.fresh.clear()
        end = window.end_ns // _S
        span_start = max(memory.start_ns // _S, end - 86_400)
        every = np.concatenate([memory.connections, fresh])
        every = every[every["second"] >= span_start][-self.most_connections :]
        every = every[np.lexsort((every["second"], every["group"]))]
        memory.connections = every
        groups, start, counts = np.unique(every["group"], return_index=True, return_counts=True)
        prevalence = _sources_by_place(every)
        sources = len(np.unique(every["group"] >> np.uint64(32)))
        least = 30 if end - span_start < 86_000 else 4
        wanted = np.isin(groups, np.unique(fresh["group"])) & (counts >= least)
        for at in np.flatnonzero(wanted).tolist():
            group, count = int(groups[at]), int(counts[at])
            if count < memory.judged_at.get(group, 0) * 1.1:
                continue
            memory.judged_at[group] = count
            mine = every[int(start[at]) : int(start[at]) + count]
            users = prevalence[int(mine["target"][-1])]
            yield from self._judge_group(window, memory, mine, span_start, end, users, sources)
        if len(memory.judged_at) > 500_000:
            memory.judged_at.clear()

    def _judge_group(
        self,
        window: Window,
        memory: _Memory,
        mine: NDArray[Any],
        span_start: int,
        end: int,
        users: int,
        sources: int,
    ) -> Iterator[Finding]:
        if len(mine) >= 86_400:
            yield self._finding(window, memory, mine, "strobe", 60.0, None)
            return
        measured = regularity(mine["second"], mine["bytes"], span_start, max(end, span_start + 1))
        if len(np.unique(mine["second"])) < 4:
            return
        rare, new = self._rare_and_new(window, mine, users, sources)
        score = measured.score + 0.15 * rare + 0.15 * new
        is_told = score >= self.alert_score and measured.score >= 0.75
        if is_told or (score >= self.rare_new_score and rare > 0 and new > 0):
            cap = 60.0 if end - span_start < 86_000 else 100.0
            yield self._finding(window, memory, mine, "", min(cap, 100 * score), measured)

    def _rare_and_new(
        self, window: Window, mine: NDArray[Any], users: int, sources: int
    ) -> tuple[int, int]:
        """+1 rare, -1 common; +1 new, -1 old; 0 while nobody can know."""
        rare = new = 0
        if sources >= 20:
            rare = 1 if users <= max(1, 0.02 * sources) else -1 if users >= 0.5 * sources else 0
        if window.edges.active_days >= 7:
            age_days = (window.end_ns // _S - int(mine["second"][0])) / 86_400
            ends = (np.array([int(mine["group"][0]) >> 32]), np.array([int(mine["target"][-1])]))
            new = 1 if age_days < 7 and not window.edges.has_spoken(*ends)[0] else 0
            if window.edges.active_days >= 30 and new == 0:
                new = -1
        return rare, new

    def _finding(
        self,
        window: Window,
        memory: _Memory,
        mine: NDArray[Any],
        variant: str,
        score: float,
        measured: Regularity | None,
    ) -> Finding:
        group, target = int(mine["group"][0]), int(mine["target"][-1])
        source, ip = window.hosts.ip(group >> 32), window.hosts.ip(target)
        place = ip
        if group & _NAMED:
            place = list(memory.names)[group & (_NAMED - 1)]
        rows = np.flatnonzero((window.source == group >> 32) & (window.destination == target))
        return Finding(
            source=source,
            targets=tuple(window.hosts.ip(int(t)) for t in np.unique(mine["target"])[:20]),
            score=score,
            confidence=0.85,
            first_ns=int(mine["second"][0]) * _S,
            last_ns=int(mine["second"][-1]) * _S,
            facts={
                "place": place,
                "gap": round(measured.median_gap_s) if measured else 0,
                "connections": len(mine),
                "regularity": f"{measured.score:.2f}" if measured else "-",
                "gap_score": round(measured.times, 2) if measured else 0,
                "size_score": round(measured.sizes, 2) if measured else 0,
            },
            variant=variant,
            key=place,
            app=APPS[memory.app_of_group.get(group, 0)],
            flows=flow_keys(window.flows, rows),
            warmth=min(1.0, window.edges.active_days / 1),
        )


def _sources_by_place(connections: NDArray[Any]) -> dict[int, int]:
    """How many inside hosts each outside host was called by."""
    pairs = np.unique(
        connections["target"].astype(np.uint64) << np.uint64(32)
        | connections["group"] >> np.uint64(32)
    )
    targets, counts = np.unique(pairs >> np.uint64(32), return_counts=True)
    return dict(zip(targets.tolist(), counts.tolist(), strict=True))
