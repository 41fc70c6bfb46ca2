"""Windows gathered for slow detectors: cut alike whatever the batches, and kept over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from detector.detection import Detector, Finding, Window
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.gathering import Gathering
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.memories import load_memories, save_memories
from tests.detector.test_engine import NOON, SECOND, WORDS, engine_with, flows_at, names_at


class SlowCount(Detector):
    """Tells how many flows and sightings each stretch that it was shown held."""

    id: ClassVar[str] = "slow"
    category: ClassVar[Any] = "policy"
    wordings: ClassVar[Any] = {"": WORDS}
    gather_s = 300

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        assert len(window.flows) == len(window.source) == len(window.destination)
        named = sum(len(several) for several in window.sightings.values())
        key = f"{(window.start_ns - NOON) // SECOND} {len(window.flows)} {named}"
        yield Finding("10.0.0.1", (), 80, 1.0, window.start_ns, window.end_ns, key=key)


def told(engine: Engine) -> list[tuple[int, int, int]]:
    return [(a.first_ns, a.last_ns, len(a.targets)) for a in engine.alerts.values()]


def fed(engine: Engine, times: list[int], cuts: list[int]) -> Engine:
    """The times as flows and names, in batches that end at the cuts."""
    start = 0
    for cut in [*sorted(cuts), max(times, default=0) + 1]:
        some = [t for t in times if start <= t < cut]
        seen = Observations(flows_at(some), names_at(some), NOON + cut * SECOND, CollectorHealth())
        engine.feed(seen)
        start = max(start, cut)
    return engine


def test_ten_windows_are_shown_as_one() -> None:
    engine = engine_with(SlowCount())
    noon_s = NOON // SECOND
    first = -noon_s % 300  # when the next stretch begins
    fed(engine, [first, first + 40, first + 299], [first + 600])
    ((start, end, _),) = told(engine)
    assert (start - NOON, end - start) == (first * SECOND, 300 * SECOND)


def test_what_waits_is_shown_before_what_comes_after_a_pause_and_at_the_end() -> None:
    engine = engine_with(SlowCount())
    first = -(NOON // SECOND) % 300
    fed(engine, [first, first + 5000], [])
    assert len(told(engine)) == 0
    fed(engine, [first + 5060], [])
    assert [start - NOON for start, _, _ in told(engine)] == [first * SECOND]
    engine.finish()
    assert len(told(engine)) == 2


def test_many_flows_do_not_wait() -> None:
    engine = engine_with(SlowCount())
    first = -(NOON // SECOND) % 300
    fed(engine, [first] * 25_000 + [first + 31], [first + 60])
    ((start, end, _),) = told(engine)
    assert end - start == 30 * SECOND


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=60).map(sorted),
    st.lists(st.integers(0, 3000), max_size=8),
)
def test_batches_do_not_change_what_is_shown(times: list[int], cuts: list[int]) -> None:
    whole, cut = engine_with(SlowCount()), engine_with(SlowCount())
    fed(whole, times, []).finish()
    fed(cut, times, cuts).finish()
    assert set(whole.alerts) == set(cut.alerts) and told(whole) == told(cut)


def test_what_waits_outlives_a_restart(tmp_path: Path) -> None:
    first = -(NOON // SECOND) % 300
    times = list(range(first, first + 299, 7))
    whole, before, after = (engine_with(SlowCount()) for _ in range(3))
    fed(whole, times, [])
    whole.finish()
    fed(before, [t for t in times if t < first + 120], [first + 120])
    file = tmp_path / "memories.bin"
    assert save_memories(file, before.hosts, before.memories(), before.looked_until_ns) == []
    hosts = HostTable(after.hospital)
    after = Engine(after.hospital, [SlowCount()], after._settings, hosts, EdgeMemory())
    after.remember_all(load_memories(file, hosts))
    assert not after.failures
    fed(after, [t for t in times if t >= first + 120], [])
    after.finish()
    assert told(after) == told(whole)
    assert set(after.alerts) == set(whole.alerts)


def test_gathered_rows_keep_their_sensor_where_it_is_called_otherwise_later() -> None:
    """After a restart with other settings the table of sensors is another."""
    gathering = Gathering(300)
    for at_s, sensor in ((0, "core"), (30, "ward"), (60, "core")):
        hosts = HostTable(Hospital())
        flows = FlowBatch(flows_at([at_s]).rows, (sensor,))
        numbers = np.zeros(1, np.uint32)
        start = NOON + at_s * SECOND
        window = Window(
            start, start + 30 * SECOND, flows, numbers, numbers, {}, hosts, EdgeMemory(), Hospital()
        )
        gathering.add(window)
    joined = gathering.rest(window)
    assert joined is not None
    seen = [joined.flows.sensors[n] for n in joined.flows.sensor]
    assert seen == ["core", "ward", "core"]
