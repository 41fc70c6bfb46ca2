"""A stream of one-way records is stitched the same however it is cut."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.exports.stitcher import Stitcher
from collector.flows import FLOW_DTYPE, FlowBatch, address_number

CLIENT, SERVER = address_number("10.1.1.5"), address_number("10.2.2.7")
SECOND = 10**9


def record(reported_s: float, port: int = 50000, is_reply: bool = False) -> np.ndarray:
    row = np.zeros(1, FLOW_DTYPE)
    row["reported_ns"] = row["first_ns"] = row["last_ns"] = int(reported_s * SECOND)
    row["source"], row["destination"] = (SERVER, CLIENT) if is_reply else (CLIENT, SERVER)
    row["source_port"], row["destination_port"] = (445, port) if is_reply else (port, 445)
    row["protocol"], row["packets"], row["bytes"], row["one_way"] = 6, 1, 100, 1
    return row


def test_a_reply_finds_its_flow_when_it_comes() -> None:
    stitcher = Stitcher(within_s=60)
    early = stitcher.feed(FlowBatch(record(59)), 59 * SECOND)
    late = stitcher.feed(FlowBatch(record(61, is_reply=True)), 61 * SECOND)
    assert len(early) == 0
    assert list(late.one_way) == [0]
    assert list(late.reported_ns) == [61 * SECOND]


def test_what_finds_no_partner_is_let_go_after_its_time() -> None:
    stitcher = Stitcher(within_s=60)
    stitcher.feed(FlowBatch(record(10)), 10 * SECOND)
    assert len(stitcher.feed(FlowBatch.empty(), 69 * SECOND)) == 0
    done = stitcher.feed(FlowBatch.empty(), 71 * SECOND)
    assert list(done.one_way) == [1]
    assert list(done.reported_ns) == [70 * SECOND]
    assert stitcher.waiting == 0


def test_many_records_of_one_tuple_stall_nothing() -> None:
    stitcher = Stitcher(within_s=60)
    rows = np.concatenate([record(1 + i / 1e6) for i in range(2000)] * 10)
    rows["reported_ns"].sort()
    began = time.process_time()
    stitcher.feed(FlowBatch(rows), 2 * SECOND)
    assert time.process_time() - began < 2
    assert stitcher.waiting == 20_000


def test_room_is_bounded_and_what_was_let_go_is_counted() -> None:
    stitcher = Stitcher(within_s=60, most_rows=10)
    rows = np.concatenate([record(1 + i / 100, 40000 + i) for i in range(35)])
    done = stitcher.feed(FlowBatch(rows), SECOND)
    assert (len(done), stitcher.waiting, stitcher.released_early) == (25, 10, 25)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 400), st.integers(0, 3), st.booleans()), min_size=1, max_size=30
    ),
    st.lists(st.integers(0, 30), max_size=5),
    st.sampled_from([4, 1000]),
)
def test_cutting_changes_nothing(
    told: list[tuple[float, int, bool]], cuts: list[int], most_rows: int
) -> None:
    told = sorted(told)
    rows = np.concatenate([record(at, 50000 + port, reply) for at, port, reply in told])
    results = []
    for borders in ([], sorted({cut for cut in cuts if cut < len(rows)})):
        stitcher = Stitcher(within_s=60, most_rows=most_rows)
        parts, watermark_ns = [], 0
        for part in np.split(rows, borders):
            now_ns = int(part["reported_ns"][-1]) if len(part) else watermark_ns
            done = stitcher.feed(FlowBatch(part), now_ns)
            assert (done.reported_ns >= watermark_ns).all()
            assert (np.diff(done.reported_ns) >= 0).all()
            watermark_ns = max(watermark_ns, now_ns)
            parts.append(done.rows)
        results.append(np.concatenate([*parts, stitcher.finish().rows]))
    assert np.array_equal(results[0], results[1])
    both = results[0]["packets"].sum() + results[0]["reply_packets"].sum()
    assert both == len(rows)


@pytest.mark.parametrize("is_reply", [True, False])
def test_a_lone_direction_stays_as_it_was(is_reply: bool) -> None:
    stitcher = Stitcher()
    stitcher.feed(FlowBatch(record(1, is_reply=is_reply)), SECOND)
    done = stitcher.finish()
    assert list(done.bytes) == [100]
    assert list(done.one_way) == [1]


def test_a_long_silence_lets_everything_go_at_once() -> None:
    stitcher = Stitcher(within_s=60)
    stitcher.feed(FlowBatch(record(10)), 10 * SECOND)
    assert len(stitcher.feed(FlowBatch.empty(), 3600 * SECOND)) == 1
