"""A mirror port, a TAP or a VLAN trunk: packets of one interface of this machine."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal
from zlib import crc32

from pydantic import Field

from collector.sources.source import Parcel, Post, Source, SourceHealth
from collector.words import SILENCE, Text

if TYPE_CHECKING:
    from collector.fastlane.lane import FastLane
    from collector.live.open_flows import OpenFlows
    from collector.live.ring import Ring
    from collector.live.worker import RingWorker

_LOOK_S: Final = 1.0
_MINUTE: Final = 60  # looks


class InterfaceSource(Source):
    """Live capture with a kernel ring (AF_PACKET TPACKET_V3); needs CAP_NET_RAW only.

    Several workers share the interface's packets flow by flow. Packets that a mirror port shows
    twice are left out and counted. Trouble is told: the interface is away, no packet comes, packets
    are lost for want of room, or only one direction of the connections is mirrored.
    """

    kind: Literal["interface"]

    interface: str = Field(pattern=r"^[^\s/]{1,15}$", description="such as eth1")
    workers: int = Field(1, ge=1, le=64, description="Threads that share the packets")
    ring_mib: int = Field(64, ge=4, le=4096, description="Memory of each worker's ring")
    promiscuous: bool = Field(True, description="Take frames for other stations too")
    duplicates_within_ms: float = Field(
        2, ge=0, le=1000, description="Equal packets within this time count once; 0 keeps all"
    )
    silent_after_s: int = Field(
        60, ge=1, le=86_400, description="Seconds without a packet after which we say so"
    )
    one_way_share: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Share of TCP connections seen from one side only, over a minute, to say so",
    )
    one_way_least: int = Field(
        50, ge=1, description="Connections in that minute below which nothing is said"
    )

    @property
    def name(self) -> str:
        return f"interface {self.interface}"

    def run(self, post: Post) -> None:
        from collector.lanes import new_fast_lane
        from collector.live.worker import RingWorker

        post.health[self.name] = SourceHealth(self.kind)
        workers = []
        for number in range(self.workers):
            lane = new_fast_lane(post.settings)
            post.fast_lanes.append(lambda lane=lane: lane.counters)  # type: ignore[misc]
            part = f"{self.name}/{number}"
            worker = RingWorker(part, lane, post)
            post.steady.add(worker.name)
            worker.warm_up()
            worker.open_flows = self._take_up(part, lane, post)
            workers.append(worker)
        watch = _Watch(self, post, workers)
        watch.open()
        for worker in workers:
            worker.start()
        while not post.ending.wait(_LOOK_S):
            watch.look()
        for worker in workers:
            worker.join()
        watch.close()

    def _take_up(self, part: str, lane: FastLane, post: Post) -> OpenFlows | None:
        """Go on with the flows of a process that was killed; its workers may have been more."""
        from collector.live.open_flows import OpenFlows, parts_of

        if post.memory is None or post.journal is None:
            return None
        parts = [part]
        if part == f"{self.name}/0":
            ours = {f"{self.name}/{number}" for number in range(self.workers)}
            parts += sorted(parts_of(post.memory, self.name) - ours)
        kept = OpenFlows(post.memory, parts, lane, post.settings.fast_lane.max_flows)
        finished = kept.resume(post.journal)
        if len(finished):
            post.put(Parcel(f"{part} before", 0, finished, is_last=True))
        kept.settle()
        counts = post.health[self.name].counts
        counts["resumed"] = counts.get("resumed", 0) + kept.resumed
        return kept


class _Watch:
    """Opens the rings again when the interface comes back, and says what is wrong meanwhile."""

    def __init__(self, source: InterfaceSource, post: Post, workers: list[RingWorker]) -> None:
        self._source = source
        self._post = post
        self._workers = workers
        self._rings: list[Ring] = []
        self._since = time.time_ns()  # silence counts from here
        self._gone = [0, 0, 0, 0]  # packets, bytes, dropped, duplicates of rings that were closed
        self._history: deque[tuple[int, int, int]] = deque(maxlen=_MINUTE)

    def open(self) -> None:
        from collector.live.ring import Ring

        source = self._source
        group = os.getpid() ^ crc32(source.interface.encode()) if source.workers > 1 else 0
        rings: list[Ring] = []
        try:
            for _ in self._workers:
                rings.append(
                    Ring(
                        source.interface,
                        ring_bytes=source.ring_mib << 20,
                        is_promiscuous=source.promiscuous,
                        fanout_group=group,
                        duplicates_within_ns=int(source.duplicates_within_ms * 1e6),
                    )
                )
        except OSError as fault:
            for ring in rings:
                ring.close()
            self._post.tell(source.name, "down", _advice(source.interface, fault))
            return
        self._rings, self._since = rings, time.time_ns()
        for worker, ring in zip(self._workers, rings, strict=True):
            worker.fault, worker.ring = "", ring
        self._post.tell(source.name, "up")

    def look(self) -> None:
        """Once a second."""
        fault = next((w.fault for w in self._workers if w.fault), "")
        if fault:
            self._let_go(fault)
        if not self._rings:
            self.open()
            return
        dropped = self._count()
        lonely = sum(w.lonely for w in self._workers)
        established = sum(w.established for w in self._workers)
        self._history.append((dropped, lonely, established))
        state, why, lost = self._judge()
        self._post.tell(self._source.name, state, why, lost=lost)

    def close(self) -> None:
        for ring in self._rings:
            ring.close()

    def _judge(self) -> tuple[str, Text, int]:
        """(state, why, packets lost) over the last minute; the gravest first."""
        from collector.live.ring import has_carrier

        source = self._source
        try:
            if not has_carrier(source.interface):
                why = Text(
                    "リンクが切れています。ケーブルと相手側のポートを確認してください。",
                    "no link: look at the cable and the port at its other end",
                )
                return "down", why, 0
        except OSError as fault:
            return "down", _advice(source.interface, fault), 0
        last_ns = max(self._since, *(ring.last_ns for ring in self._rings))
        if time.time_ns() - last_ns > source.silent_after_s * 1_000_000_000:
            why = Text(
                f"{source.silent_after_s} 秒間パケットが届いていません。ミラー設定とケーブルを"
                "確認してください。",
                f"no packet for {source.silent_after_s} s; look at the mirror session and cable",
            )
            return "silent", why, 0
        (dropped, lonely, established), now = self._history[0], self._history[-1]
        lost = now[0] - dropped
        if lost:
            why = Text(
                "受信バッファがあふれました。設定の ring_mib か workers を増やしてください。",
                "raise ring_mib or workers: the ring was full",
            )
            return "losing", why, lost
        lonely, established = now[1] - lonely, now[2] - established
        if established >= source.one_way_least and lonely >= source.one_way_share * established:
            why = Text(
                "片方向しかミラーされていません。ミラー設定を両方向（both）にしてください。",
                "only one direction is mirrored; set the mirror session to both",
            )
            return "one_way", why, 0
        return "up", SILENCE, 0

    def _count(self) -> int:
        health = self._post.health[self._source.name]
        counts = [ring.statistics() for ring in self._rings]
        rings = self._rings
        health.packets = self._gone[0] + sum(ring.seen for ring in rings)
        health.bytes = self._gone[1] + sum(ring.wire_bytes for ring in rings)
        health.dropped = self._gone[2] + sum(c.dropped for c in counts)
        health.duplicates = self._gone[3] + sum(ring.duplicates for ring in rings)
        health.last_ns = max(health.last_ns, *(ring.last_ns for ring in rings))
        return health.dropped

    def _let_go(self, fault: str) -> None:
        self._count()
        health = self._post.health[self._source.name]
        self._gone = [health.packets, health.bytes, health.dropped, health.duplicates]
        for worker in self._workers:
            worker.fault, worker.ring = "", None
        time.sleep(2 * _LOOK_S / 10)  # the workers have left their rings after one wait
        for ring in self._rings:
            ring.close()
        self._rings = []
        self._post.tell(self._source.name, "down", _advice(self._source.interface, fault))


def _advice(interface: str, fault: Any) -> Text:
    if isinstance(fault, PermissionError):
        return Text(
            "取り込む権限がありません。サービスに CAP_NET_RAW を与えてください"
            "（deploy/mimawari.service）。",
            "no right to capture: give the service CAP_NET_RAW (deploy/mimawari.service)",
        )
    said = getattr(fault, "strerror", None) or fault
    return Text(
        f"{interface} を読めません（{said}）。インターフェースがあり、有効か確認してください。",
        f"{interface}: {said}; is the interface there and up?",
    )
