"""Silence (B6): hosts that go on working no longer call on a server they always called on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from detector.detection import Category, Detector, Finding, Reads, Window, app_table
from detector.distinct import distinct
from detector.lateral.contacts import texts
from detector.window_kernels import OURS, SERVED, TO_ONE
from detector.words import Text, Wording

_HOUR_NS: Final = 3_600_000_000_000
#: What people's own work causes, not a program by itself.
_IS_WORK: Final = app_table(
    ("dns", "smb", "kerberos", "ldap", "dcerpc", "printer", "rdp", "ssh", "vnc", "dicom", "hl7",
     "mssql", "oracle", "postgres", "mysql", "intersystems")
)  # fmt: skip
_MOST_SERVICES: Final = 4_096
_MOST_HABITS: Final = 500_000
_HABIT: Final = np.dtype(
    [
        ("key", "u8"),  # service << 32 | client
        ("last", "i4"),  # the client's own hours of work when it last called
        ("longest", "i4"),  # its longest pause so far, in the same hours
        ("seen", "i4"),  # hours with a call
        ("last_hour", "i4"),  # of event time
    ]
)


@dataclass
class _Memory:
    hour: int = 0
    services: dict[int, int] = field(default_factory=dict)  # server << 16 | port → its number
    named: list[int] = field(default_factory=list)
    calls: list[NDArray[np.uint64]] = field(default_factory=list)  # of the hour that runs
    flows: list[NDArray[np.uint32]] = field(default_factory=list)
    worked: NDArray[np.int32] = field(
        default_factory=lambda: np.zeros(0, np.int32)
    )  # hours, by host
    usual: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros(0, np.float32)
    )  # flows an hour
    habits: NDArray[Any] = field(default_factory=lambda: np.zeros(0, _HABIT))


class Silence(Detector):
    """Two hosts or more fall silent towards a server that they called on all the time.

    Antivirus, asset and log agents call on their server by themselves, every hour that the machine
    works. Such a habit is known after 40 hours with calls and no pause longer than three of the
    host's own hours of work (hours in which it moves at least half of what it usually does). A
    pause thrice as long as ever is silence. It is told when it holds for two hosts or more, while
    the server still serves others and less than a third of its regular callers are silent: more is
    an outage or a roll-out.

    Why it matters: intruders switch off antivirus and logs before they encrypt; at Osaka it was
    removed from the servers first.

    False alarms: an agent that is being replaced host by host.
    """

    id = "silence"
    category: ClassVar[Category] = "impact"
    techniques = ("T1562.001",)
    reads = Reads(marks=SERVED)
    gather_s = 300
    wordings = {
        "": Wording(
            Text(
                "{count} 台が {target}（ポート {port}）への定期連絡をやめました（{source} ほか）",
                "{count} hosts stopped calling on {target} (port {port}; {source} and others)",
            ),
            Text(
                "これらの機器は稼働中いつも {longest} 時間以内ごとに連絡していましたが、{gap} 時間"
                "以上途絶えています。他の業務通信は続いており、同じサーバーへは {alive} 台が今も"
                "連絡しています。ウイルス対策やログの停止は暗号化の前触れです。",
                "At work they always called within {longest} hours; now there was no call for "
                "{gap}, while their other traffic goes on and {alive} hosts still call on the same "
                "server. Antivirus and logs are switched off before encryption.",
            ),
            Text(
                "{target} が何のサーバーか（ウイルス対策・資産管理・ログ）を情報システム担当が"
                "確かめ、{source} でその常駐ソフトが動いているか見てください。止められていれば"
                "直ちに LAN から外し、情報システム責任者へ電話してください。",
                "IT should find out what {target} serves (antivirus, assets, logs) and see "
                "whether its agent still runs on {source}. If it was stopped, take the host off "
                "the LAN and phone the head of IT.",
            ),
        )
    }

    least_hours: int = Field(default=40, ge=10, description="hours with calls that make a habit")
    longest_pause: int = Field(default=3, ge=1, description="hours of work between calls, at most")
    least_hosts: int = Field(default=2, ge=1, description="hosts silent at once that tell")

    def remember(self) -> _Memory:
        return _Memory()

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        hour = window.start_ns // _HOUR_NS
        if hour != memory.hour:
            if memory.hour:
                yield from self._close(window, memory)
            memory.hour = hour
        self._note(window, memory)

    def _note(self, window: Window, memory: _Memory) -> None:
        flows = window.flows
        wanted = SERVED | OURS | TO_ONE
        chosen = window.marks & wanted == wanted
        sources = window.source[chosen]
        if not len(sources):
            return
        memory.flows.append(sources)
        chosen &= (flows.protocol == 6) & (flows.destination_port < 49_152) & ~_IS_WORK[flows.app]
        rows = np.flatnonzero(chosen)
        places = window.destination[rows].astype(np.uint64) << np.uint64(16)
        places |= flows.destination_port[rows].astype(np.uint64)
        known, place = np.unique(places, return_inverse=True)
        numbers = np.array([_service(memory, p) for p in known.tolist()], np.int64)
        of = numbers[place] if len(rows) else np.zeros(0, np.int64)
        listed = of >= 0
        keys = of[listed].astype(np.uint64) << np.uint64(32)
        memory.calls.append(distinct(keys | window.source[rows][listed].astype(np.uint64)))

    def _close(self, window: Window, memory: _Memory) -> Iterator[Finding]:
        """End an hour: who worked in it, who called, and whose pause has become a silence."""
        hosts, counts = np.unique(
            np.concatenate(memory.flows or [np.zeros(0, np.uint32)]), return_counts=True
        )
        _grow(memory, int(hosts.max(initial=0)) + 1)
        is_at_work = counts >= 0.5 * memory.usual[hosts]
        memory.usual[hosts] += (counts - memory.usual[hosts]) * np.where(
            memory.usual[hosts] > 0, 0.05, 1.0
        ).astype(np.float32)
        memory.worked[hosts[is_at_work]] += 1
        called = distinct(np.concatenate(memory.calls or [np.zeros(0, np.uint64)]))
        memory.flows, memory.calls = [], []
        if not len(called) and not len(memory.habits):
            return
        _learn(memory, called)
        habits = memory.habits
        client = (habits["key"] & np.uint64(0xFFFF_FFFF)).astype(np.int64)
        pause = memory.worked[client] - habits["last"]
        regular = (habits["seen"] >= self.least_hours) & (habits["longest"] <= self.longest_pause)
        limit = 3 * np.maximum(habits["longest"], 1)
        silent = regular & (pause > limit)
        just = silent & (pause == limit + 1) & np.isin(client, hosts[is_at_work])
        service = (habits["key"] >> np.uint64(32)).astype(np.int64)
        for number in np.unique(service[just]).tolist():
            of = (service == number) & regular
            now = of & silent & (memory.hour - habits["last_hour"] <= 24)
            alive = int((of & (habits["last_hour"] >= memory.hour - 1)).sum())
            if now.sum() < self.least_hosts or alive == 0 or now.sum() * 3 > of.sum():
                continue
            yield self._finding(window, memory, number, habits[now], pause[now], alive)

    def _finding(
        self,
        window: Window,
        memory: _Memory,
        number: int,
        silent: NDArray[Any],
        pause: NDArray[np.int32],
        alive: int,
    ) -> Finding:
        server, port = memory.named[number] >> 16, memory.named[number] & 0xFFFF
        clients = (silent["key"] & np.uint64(0xFFFF_FFFF)).astype(np.int64).tolist()
        names = texts(window, clients)
        target = window.hosts.ip(server)
        return Finding(
            source=names[0],
            targets=(target,),
            score=min(80.0, 60.0 + 5 * (len(clients) - 2)),
            confidence=0.9,
            first_ns=int(silent["last_hour"].min()) * _HOUR_NS,
            last_ns=window.start_ns,
            facts={
                "count": len(clients),
                "port": port,
                "hosts": list(names[:20]),
                "longest": int(silent["longest"].max()),
                "gap": int(pause.min()),
                "alive": alive,
            },
            key=f"{target} {port}",
            warmth=window.edges.warmth,
        )


def _service(memory: _Memory, place: int) -> int:
    number = memory.services.get(place)
    if number is None:
        if len(memory.services) >= _MOST_SERVICES:
            return -1
        number = memory.services[place] = len(memory.named)
        memory.named.append(place)
    return number


def _grow(memory: _Memory, count: int) -> None:
    if count > len(memory.worked):
        room = max(count, 2 * len(memory.worked))
        for name in ("worked", "usual"):
            old = getattr(memory, name)
            grown = np.zeros(room, old.dtype)
            grown[: len(old)] = old
            setattr(memory, name, grown)


def _learn(memory: _Memory, called: NDArray[np.uint64]) -> None:
    """Note the calls of an hour; habits stay sorted by key."""
    habits = memory.habits
    fresh = called[~np.isin(called, habits["key"])]
    if len(fresh):
        added = np.zeros(len(fresh), _HABIT)
        added["key"] = fresh
        client = (fresh & np.uint64(0xFFFF_FFFF)).astype(np.int64)
        added["last"] = memory.worked[client]
        habits = np.concatenate([habits, added])
        if len(habits) > _MOST_HABITS:
            habits = habits[np.argsort(habits["last_hour"])[-_MOST_HABITS * 15 // 16 :]]
        habits = habits[np.argsort(habits["key"])]
    at = np.searchsorted(habits["key"], called)
    at = at[(at < len(habits)) & (habits["key"][np.minimum(at, len(habits) - 1)] == called)]
    client = (habits["key"][at] & np.uint64(0xFFFF_FFFF)).astype(np.int64)
    pause = memory.worked[client] - habits["last"][at]
    habits["longest"][at] = np.maximum(habits["longest"][at], pause - 1)
    habits["last"][at] = memory.worked[client]
    habits["seen"][at] += 1
    habits["last_hour"][at] = memory.hour
    memory.habits = habits
