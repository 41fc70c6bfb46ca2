"""Routers, firewalls and switches that export their flows over UDP."""

from __future__ import annotations

import time
from collections import Counter
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from collector.flows import FlowBatch, address_number, address_text
from collector.sources.source import Parcel, Post, Source, SourceHealth
from collector.words import Text

if TYPE_CHECKING:
    from collector.live.receiving import Received

_WAIT_MS: Final = 200
_LOOK_NS: Final = 1_000_000_000
_SAVE_NS: Final = 60_000_000_000
_MINUTE_NS: Final = 60_000_000_000
_SHOWN: Final = 100  # exporters on the health page
_TEMPLATES: Final = "templates"


class FlowListener(Source):
    """Listens for NetFlow v5 and v9, IPFIX and sFlow v5, on IPv4 and (as "::") on both.

    Only exporters that are named may speak; what others send is thrown away, counted and told.
    Templates are kept over a restart. Gaps in sequence numbers are counted by exporter.
    """

    kind: Literal["flow_listener"]

    address: str = Field("0.0.0.0", description='address to listen on; "::" for IPv6 and IPv4')  # noqa: S104 - a collector listens
    port: int = Field(2055, ge=0, le=65_535, description="usual: 2055, 4739 (IPFIX), 6343 (sFlow)")
    allow: tuple[IPv4Network | IPv6Network, ...] = Field(
        min_length=1, description="exporters that may send, such as 10.1.0.1/32"
    )
    receive_mib: int = Field(
        32, ge=1, le=1024, description="Kernel memory for datagrams (up to net.core.rmem_max)"
    )
    most_datagrams_per_s: int = Field(
        50_000, ge=1, description="Datagrams taken from one exporter; the rest is shed"
    )

    @property
    def name(self) -> str:
        return f"flow_listener {self.address} {self.port}"

    def run(self, post: Post) -> None:
        from collector.exports.stitcher import warm_up
        from collector.live.receiving import Receiver

        post.health[self.name] = SourceHealth(self.kind)
        warm_up()
        receiver = Receiver(self.address, self.port, self.receive_mib << 20)
        listening = _Listening(self, post)
        post.health[self.name].counts["port"] = receiver.port
        post.tell(self.name, "up")
        post.steady.add(self.name)
        try:
            while not post.ending.is_set():
                listening.take(receiver.receive(_WAIT_MS))
                listening.look(receiver)
        finally:
            listening.end()
            receiver.close()


class _Listening:
    """Decodes what comes, and keeps count."""

    def __init__(self, source: FlowListener, post: Post) -> None:
        from collector.exports.decoder import ExportDecoder
        from collector.exports.lasting_waiting import WaitingRoom
        from collector.exports.stitcher import Stitcher

        self._source, self._post = source, post
        self._health = post.health[source.name]
        self._notes = post.notebook(source.name)
        self._decoder = ExportDecoder(post.settings.exports)
        self._decoder.remember(self._notes.get(_TEMPLATES))
        room = None
        if post.memory is not None:
            mark = "".join(c if c.isalnum() else "_" for c in source.name)
            room = WaitingRoom(post.memory, f"{mark}.waiting")
        self._stitcher = Stitcher(room=room)
        self._hand_over(self._stitcher.resume(), 0)
        self._sensors = (post.settings.sensor,)
        self._nets = [
            (address_number(str(net.network_address)), _masks(net)) for net in source.allow
        ]
        self._packets = self._bytes = 0  # of which all is decoded
        self._second, self._taken = 0, Counter[tuple[int, int]]()
        self._refused_ns = self._looked_ns = self._saved_ns = 0
        self._refused = ""

    def take(self, received: Received | None) -> None:
        from collector.exports.batch import Datagrams

        now_ns = time.time_ns()
        if received is None:
            self._hand_over(self._stitcher.feed(FlowBatch.empty(), now_ns), now_ns)
            return
        count = len(received.length)
        self._packets += count
        self._bytes += int(received.length.sum())
        self._health.last_ns = now_ns
        if received.truncated:
            self._count("too_long", received.truncated)
        wanted = self._allowed(received, now_ns)
        datagrams = Datagrams(
            received.buffer, received.offset, received.length,
            np.full(count, now_ns, np.int64), received.sender, received.port,
        ).take(wanted)  # fmt: skip
        flows = self._decoder.decode(datagrams, self._sensors)
        self._hand_over(self._stitcher.feed(flows, now_ns), now_ns)

    def look(self, receiver: Any) -> None:
        """Once a second: what the health page tells."""
        now_ns = time.time_ns()
        if now_ns - self._looked_ns < _LOOK_NS:
            return
        self._looked_ns = now_ns
        self._health.packets, self._health.bytes = self._packets, self._bytes
        self._health.dropped = receiver.dropped()
        exporters = list(self._decoder.exporters.items())[:_SHOWN]
        self._health.counts["exporters"] = {
            address: {"datagrams": c.datagrams, "flows": c.flows, "lost": c.lost,
                      "restarts": c.restarts, "malformed": sum(c.malformed.values())}
            for address, c in exporters
        }  # fmt: skip
        self._post.add_counts(
            self._source.name,
            Counter(self._decoder.shed)
            + Counter({"exports_not_stitched": self._stitcher.released_early})
            + Counter({"exports: flooding": int(self._health.counts.get("flooding", 0))}),
            self._decoder.malformed,
        )
        if self._refused and now_ns - self._refused_ns < _MINUTE_NS:
            why = Text(
                f"{self._refused} がフローを送っていますが、設定の allow にありません。",
                f"{self._refused} sends flow records and is not in allow",
            )
            self._post.tell(self._source.name, "refused", why)
        else:
            self._post.tell(self._source.name, "up")
        if now_ns - self._saved_ns > _SAVE_NS:
            self._save(now_ns)

    def end(self) -> None:
        self._hand_over(self._stitcher.finish(self._sensors), time.time_ns(), is_last=True)
        self._save(time.time_ns())

    def _allowed(self, received: Received, now_ns: int) -> NDArray[np.int64]:
        """Which datagrams to take: of exporters that may send, up to their limit."""
        may = np.zeros(len(received.length), bool)
        for (high, low), (high_mask, low_mask) in self._nets:
            is_in = (received.sender[:, 0] & high_mask) == np.uint64(high)
            may |= is_in & ((received.sender[:, 1] & low_mask) == np.uint64(low))
        if not may.all():
            first = int(np.argmin(may))
            self._refused = address_text(*received.sender[first].tolist())
            self._refused_ns = now_ns
            self._count("refused", int(np.count_nonzero(~may)))
        if now_ns // _LOOK_NS != self._second:
            self._second = now_ns // _LOOK_NS
            self._taken.clear()
        for high, low in np.unique(received.sender[may], axis=0).tolist():
            of_one = (received.sender[:, 0] == high) & (received.sender[:, 1] == low) & may
            count = int(np.count_nonzero(of_one))
            over = self._taken[high, low] + count - self._source.most_datagrams_per_s
            self._taken[high, low] += count
            if over > 0:
                may[np.flatnonzero(of_one)[-min(over, count) :]] = False
                self._count("flooding", min(over, count))
        return np.flatnonzero(may)

    def _hand_over(self, flows: Any, watermark_ns: int, is_last: bool = False) -> None:
        parcel = Parcel(self._source.name, watermark_ns, flows, is_last=is_last)
        self._post.put(parcel, may_wait=True)

    def _count(self, what: str, count: int) -> None:
        self._health.counts[what] = self._health.counts.get(what, 0) + count

    def _save(self, now_ns: int) -> None:
        self._saved_ns = now_ns
        told = self._decoder.remembered()
        if told != self._notes.get(_TEMPLATES):
            self._notes.put(_TEMPLATES, told)


def _masks(net: IPv4Network | IPv6Network) -> tuple[np.uint64, np.uint64]:
    """Masks of both halves of an address."""
    length = net.prefixlen + (96 if net.version == 4 else 0)
    high = (1 << 64) - (1 << max(0, 64 - length))
    low = (1 << 64) - (1 << min(64, 128 - length))
    return np.uint64(high), np.uint64(low)
