"""The engine's laws: event time, deterministic identity, faults that stop nothing."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.flows import FLOW_DTYPE, FlowBatch, address_number
from collector.observations import CollectorHealth, Observations
from collector.sightings import Dns, Sighting
from detector.detection import Detector, Finding, Reads, Window
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.words import Text, Wording

SECOND = 1_000_000_000
NOON = 1_790_000_000 * SECOND
WORDS = Wording(Text("{source}", "{source}"), Text("あ", "a"), Text("い", "b"))


class BusyWindow(Detector):
    """Fires for every source with two flows or more in one window, and for every name."""

    id: ClassVar[str] = "busy"
    category: ClassVar[Any] = "policy"
    wordings: ClassVar[Any] = {"": WORDS}

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        numbers, counts = np.unique(window.source, return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if count >= 2:
                yield self._finding(window.hosts.ip(number), f"{window.start_ns}/{count}", window)
        for query in window.of(Dns):
            yield self._finding(query.ip, query.name, window)

    @staticmethod
    def _finding(ip: str, key: str, window: Window) -> Finding:
        return Finding(ip, (), 80, 1.0, window.start_ns, window.end_ns, key=key)


class Broken(BusyWindow):
    """Always fails."""

    id: ClassVar[str] = "broken"

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        raise ZeroDivisionError("a fault")


def engine_with(*detectors: Detector, **settings: int) -> Engine:
    hospital = Hospital()
    return Engine(
        hospital, detectors, EngineSettings(**settings), HostTable(hospital), EdgeMemory()
    )


def flows_at(times: list[int]) -> FlowBatch:
    rows = np.zeros(len(times), FLOW_DTYPE)
    for row, at in zip(rows, times, strict=True):
        row["source"] = address_number(f"10.0.0.{1 + at % 3}")
        row["destination"] = address_number("10.0.0.9")
        row["first_ns"] = row["last_ns"] = row["reported_ns"] = NOON + at * SECOND
        row["sampling"] = row["packets"] = 1
    return FlowBatch(rows)


def names_at(times: list[int]) -> tuple[Sighting, ...]:
    return tuple(
        Dns(
            time_ns=NOON + at * SECOND,
            ip="10.0.0.7",
            transport="udp",
            is_response=False,
            name=f"n{at}.example",
            query_type="A",
        )
        for at in times
    )


def observe(flows: FlowBatch, names: tuple[Sighting, ...], watermark_s: int) -> Observations:
    return Observations(flows, names, NOON + watermark_s * SECOND, CollectorHealth())


def found(engine: Engine) -> set[str]:
    return set(engine.alerts)


@given(
    times=st.lists(st.integers(0, 400), min_size=1, max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 400), max_size=6).map(sorted),
)
def test_how_input_is_cut_changes_nothing(times: list[int], cuts: list[int]) -> None:
    whole = engine_with(BusyWindow())
    whole.feed(observe(flows_at(times), names_at(times), times[-1]))
    whole.finish()
    pieces = engine_with(BusyWindow())
    edges = [-1, *cuts, 400]
    for start, end in itertools.pairwise(edges):
        part = [t for t in times if start < t <= end]
        pieces.feed(observe(flows_at(part), names_at(part), end))
    pieces.finish()
    assert found(pieces) == found(whole)
    assert len(found(whole)) >= len(set(times))


def test_a_broken_detector_is_counted_and_stops_no_other() -> None:
    engine = engine_with(Broken(), BusyWindow())
    engine.feed(observe(flows_at([1, 4]), (), 60))
    assert len(found(engine)) == 1
    assert list(engine.failures) == ["broken: ZeroDivisionError: a fault"]


class Quoting(Broken):
    id = "quoting"

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        raise ValueError(f"{window.start_ns} " + "x" * 10_000)


def test_faults_that_quote_what_was_sent_do_not_grow_without_end() -> None:
    engine = engine_with(Quoting())
    times = list(range(0, 300 * 30, 30))
    engine.feed(observe(flows_at(times), (), times[-1] + 60))
    engine.finish()
    assert len(engine.failures) == 201
    assert max(map(len, engine.failures)) < 300
    assert engine.failures["quoting: ValueError"] == 100


def test_an_alert_names_its_incident_and_repeats_do_not_count() -> None:
    engine = engine_with(BusyWindow())
    seen = observe(flows_at([1, 4]), (), 60)
    (alert,) = engine.feed(seen)
    assert alert.incident
    assert alert.severity == "high"
    again = engine_with(BusyWindow())
    again.book.remember([alert])
    assert again.feed(seen) == []
    assert again.alerts[alert.id].count == 1


def test_one_detector_cannot_flood() -> None:
    engine = engine_with(BusyWindow(), most_alerts=10)
    times = list(range(50))
    engine.feed(observe(FlowBatch.empty(), names_at(times), 60))
    engine.finish()
    assert len(found(engine)) == 10
    assert engine.book.shed["alerts of busy"] == 40


class UrgentNames(Detector):
    """Fires for every name, and says in which window it stood."""

    id: ClassVar[str] = "urgent_names"
    category: ClassVar[Any] = "policy"
    wordings: ClassVar[Any] = {"": WORDS}
    reads = Reads(sightings=(Dns,))
    urgent: ClassVar[bool] = True

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        for query in window.of(Dns):
            assert window.start_ns <= query.time_ns < window.end_ns
            yield Finding(query.ip, (), 80, 1.0, query.time_ns, window.end_ns, key=query.name)


def test_what_is_urgent_is_shown_every_five_seconds() -> None:
    engine = engine_with(UrgentNames())
    assert engine.feed(observe(FlowBatch.empty(), names_at([1, 2]), 4)) == []
    assert len(engine.feed(observe(FlowBatch.empty(), names_at([6]), 7))) == 2
    assert len(engine.feed(observe(FlowBatch.empty(), (), 10))) == 1
    assert engine.feed(observe(FlowBatch.empty(), names_at([11]), 12)) == []
    assert len(engine.feed(observe(FlowBatch.empty(), names_at([12]), 300))) == 2
    assert engine.finish() == []


@given(
    times=st.lists(st.integers(0, 200), min_size=1, max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 200), max_size=8).map(sorted),
)
def test_the_urgent_too_see_everything_once_however_it_is_cut(
    times: list[int], cuts: list[int]
) -> None:
    engine = engine_with(UrgentNames())
    told = Counter[str]()
    for start, end in itertools.pairwise([-1, *cuts, 200]):
        part = names_at([t for t in times if start < t <= end])
        told.update(a.id for a in engine.feed(observe(FlowBatch.empty(), part, end)))
    told.update(a.id for a in engine.finish())
    assert not engine.failures
    assert len(told) == len(set(times))
    assert {a.last_ns // SECOND for a in engine.alerts.values()} == {
        (NOON // SECOND + t) // 5 * 5 + 5 for t in times
    }


@pytest.mark.parametrize("watermark", [10, 29])
def test_a_window_waits_until_it_is_over(watermark: int) -> None:
    engine = engine_with(BusyWindow())
    start = NOON // (30 * SECOND) * 30 * SECOND
    first = int((start - NOON) / SECOND)
    assert engine.feed(observe(flows_at([first + 1, first + 4]), (), first + watermark)) == []
    assert len(engine.finish()) == 1
