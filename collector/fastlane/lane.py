"""The fast lane as one object: chunks of packets in, finished flows and picked packets out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.capture.chunk import Chunk
from collector.capture.windows import Pool
from collector.fastlane import layout, select, steps, table, track
from collector.fastlane.fragments import new_fragments
from collector.fastlane.ports import likely_servers
from collector.fastlane.settings import FastLaneSettings
from collector.fastlane.starting import start_numba
from collector.flows import FLOW_DTYPE, FlowBatch
from collector.packet import PICK_DTYPE, Pick
from collector.rows import copy_rows

#: Flow records and picks that one header row can cause.
_RECORDS_PER_ROW, _PICKS_PER_ROW = 3, 2
#: Records of one chunk that are handed over without a copy.
_MANY: Final = 8192


@dataclass(frozen=True, slots=True)
class FastLaneOutput:
    """What a chunk yielded: flows that are complete, picks into the chunk's buffer.

    No later record will be reported before `watermark_ns`.
    """

    flows: FlowBatch
    picks: NDArray[Any]  # PICK_DTYPE
    watermark_ns: int


@dataclass(frozen=True, slots=True)
class FastLaneCounters:
    """What the lane has seen so far; `malformed` and `shed` by kind."""

    packets: int
    wire_bytes: int
    not_ip: int
    flows: int
    live_flows: int
    evicted_flows: int
    bulk_bytes_skipped: int
    malformed: dict[str, int]
    shed: dict[str, int]


class FastLane:
    """Turns chunks of packets into flows and picks; event time only, the same for any chunking."""

    def __init__(
        self,
        settings: FastLaneSettings | None = None,
        sensor: str = "local",
        names: NDArray[Any] | None = None,
    ) -> None:
        """`names` is identify's table of remote tools' names (none are known without it)."""
        start_numba()
        settings = settings or FastLaneSettings()
        self._sensors = (sensor,)
        self._records = Pool(layout.OUTPUT_DTYPE)
        self._picks = np.empty(0, layout.PICK_ROW_DTYPE)
        budget = np.zeros((len(Pick), 3), np.int64)
        budget[:, select.LIMIT] = settings.sighting_picks_per_s
        budget[Pick.DEEP, select.LIMIT] = settings.deep_picks_per_s
        budget[Pick.EXPORT, select.LIMIT] = settings.export_picks_per_s
        seed = settings.seed or int.from_bytes(os.urandom(8), "little")
        self._lane = track.Lane(
            table.new_table(_limits(settings)),
            new_fragments(),
            np.zeros(len(layout.MALFORMED), np.int64),
            track.new_heads(),
            budget,
            np.array(
                [-1, settings.bulk_bytes, settings.deep_bytes_per_flow, _options(settings)],
                np.int64,
            ),
            np.zeros((16, 2), np.int64) if names is None else names,
            likely_servers(),
            np.array([seed & (1 << 64) - 1], np.uint64),
        )

    def feed(self, chunk: Chunk) -> FastLaneOutput:
        """Take one chunk; its buffer must stay alive as long as the picks are used."""
        rows = len(chunk) * layout.MAX_LAYERS
        self._make_room(rows)
        # Only what is written is ever touched, so the generous size costs no memory.
        out = self._room_for(self.live_flows + _RECORDS_PER_ROW * rows)
        self._picks = _room(self._picks, _PICKS_PER_ROW * rows)
        flows, picked = track.feed(self._lane, chunk.buffer, chunk.index, out, self._picks)
        return self._output(_told(out, flows), copy_rows(self._picks[:picked]))

    def advance(self, now_ns: int) -> FastLaneOutput:
        """Bring event time forward where no packet does, so that silent flows end (live input)."""
        # A flow ends once, and may be reported in part first.
        out = self._room_for(2 * self.live_flows)
        count = table.advance(self._lane.table, now_ns, out, 0)
        return self._output(_told(out, count), np.empty(0, layout.PICK_ROW_DTYPE))

    def finish(self) -> FastLaneOutput:
        """Report what is still alive, as of the last packet's time; in order of first packet."""
        numbers, first_ns = np.empty((2, self.live_flows), np.int64)
        track.list_live(self._lane, numbers, first_ns)
        numbers = numbers[np.argsort(first_ns, kind="stable")]
        out = self._room_for(len(numbers))
        rows = out[: track.finish(self._lane, numbers, out)]
        return self._output(rows, np.empty(0, layout.PICK_ROW_DTYPE))

    def keep_in(self, rows: NDArray[Any], records: Pool) -> None:
        """Before the first packet: live flows and finished ones go where the caller wants them.

        `rows`: zeros of FLOW_ROW_DTYPE, one more than the settings' `max_flows`.
        """
        self._lane = self._lane._replace(table=self._lane.table._replace(rows=rows))
        self._records = records

    def live_rows(self) -> NDArray[Any]:
        """A copy of the live flows, for `adopt`."""
        rows = self._lane.table.rows
        return rows[np.flatnonzero(rows["is_live"][: self._lane.table.clock[table.FRESH]])]

    def adopt(self, left: NDArray[Any]) -> int:
        """Before the first packet: take up live flows of another lane; returns how many."""
        from collector.live.adopt_kernels import adopt

        if not len(left):
            return 0
        self._make_room(len(left))
        now_ns = int(left["last_ns"].max())
        table.advance(self._lane.table, now_ns, self._room_for(1), 0)
        head = np.zeros(1, layout.HEADER_DTYPE)
        return int(adopt(self._lane.table, self._lane.seed[0], head, left))

    def _make_room(self, flows: int) -> None:
        self._lane = self._lane._replace(table=table.make_room(self._lane.table, flows))

    @property
    def live_flows(self) -> int:
        return int(self._lane.table.clock[table.LIVE])

    @property
    def counters(self) -> FastLaneCounters:
        counts = self._lane.table.counters
        malformed = zip(layout.MALFORMED, self._lane.malformed, strict=True)
        return FastLaneCounters(
            packets=int(counts[layout.PACKETS]),
            wire_bytes=int(counts[layout.WIRE_BYTES]),
            not_ip=int(counts[layout.NOT_IP]),
            flows=int(counts[layout.FLOWS]),
            live_flows=self.live_flows,
            evicted_flows=int(counts[layout.EVICTED]),
            bulk_bytes_skipped=int(counts[layout.BULK_SKIPPED]),
            malformed={kind: int(count) for kind, count in malformed if count},
            shed={
                kind.name.lower(): int(self._lane.budget[kind, select.SHED])
                for kind in Pick
                if self._lane.budget[kind, select.SHED]
            },
        )

    def _room_for(self, records: int) -> NDArray[Any]:
        return self._records.take(1 << records.bit_length())

    def _output(self, rows: NDArray[Any], picks: NDArray[Any]) -> FastLaneOutput:
        now_ns = int(self._lane.table.clock[table.NOW])
        return FastLaneOutput(
            FlowBatch(rows.view(FLOW_DTYPE), self._sensors), picks.view(PICK_DTYPE), now_ns
        )


def _told(out: NDArray[Any], count: int) -> NDArray[Any]:
    """The records written; few are copied, so that who keeps them does not keep all the room."""
    return copy_rows(out[:count]) if count < _MANY else out[:count]


def _room(rows: NDArray[Any], count: int) -> NDArray[Any]:
    """The array itself, or a new one twice as long as needed."""
    return rows if len(rows) >= count else np.empty(2 * count, rows.dtype)


def _options(settings: FastLaneSettings) -> int:
    """Bits of collector.fastlane.steps."""
    return (
        steps.KEEP_OUTER * settings.keep_outer
        | steps.COUNT_OFFLOADED * settings.count_offloaded
        | steps.CHECK_SUMS * settings.drop_bad_checksums
    )


def _limits(settings: FastLaneSettings) -> NDArray[np.int64]:
    seconds = (
        settings.tcp_idle_s, settings.session_idle_s, settings.udp_idle_s, settings.dns_idle_s,
        settings.icmp_idle_s,
        settings.other_idle_s, settings.attempt_s, settings.linger_s, settings.active_s,
    )  # fmt: skip
    return np.array([*(int(s * 1_000_000_000) for s in seconds), settings.max_flows], np.int64)
