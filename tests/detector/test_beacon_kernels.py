"""Beacon's compiled loops say what their plain twins say, whatever they are given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from collector.apps import APP_CODE
from detector.addresses import in_networks, inside_flags
from detector.landing import networks_of
from detector.outbound.beacon_kernels import merge_calls, score_calls, score_values, survey
from detector.outbound.calls import CALL, Calls
from detector.outbound.regularity import regularity
from detector.window_kernels import NEAR, TO_ONE
from tests.detector.windows import START_NS, S, World, flow

DAY = 86_400


@settings(max_examples=150, deadline=None)
@given(
    seconds=st.lists(st.integers(0, DAY), min_size=4, max_size=120),
    sizes=st.integers(0, 2**32),
    bars=st.sampled_from((24, 28)),
    step=st.sampled_from((1, 60, 600, 3600)),
)
def test_score_is_that_of_regularity(seconds: list[int], sizes: int, bars: int, step: int) -> None:
    times = np.sort(np.array(seconds, np.int64) // step * step)
    random = np.random.default_rng(sizes)
    sent = random.integers(0, max(1, sizes % 5000), len(times)).astype(np.uint64)
    told = score_calls(times, sent, 0, DAY, bars)
    if len(np.unique(times)) < 4:
        assert told == -1
    else:
        assert told == pytest.approx(regularity(times, sent, 0, DAY, bars).score, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_values_are_scored_as_numpy_scores_them(told: list[int]) -> None:
    values = np.array(told, np.float64)
    expected = (bowley_score(values) + spread_score(values)) / 2, float(np.median(values))
    assert score_values(values.copy()) == expected


def bowley_score(values: NDArray[np.float64]) -> float:
    """1 - |Bowley skewness|; the skew is 0 where the quartiles lie within 10 or coincide."""
    low, middle, high = quartiles(values)
    if high - low < 10 or middle in (low, high):
        return 1.0
    return float(1 - abs((high + low - 2 * middle) / (high - low)))


def quartiles(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Medians of the lower half, of all and of the upper half; a middle value is in no half."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    if half == 0:
        return float(ordered[0]), float(ordered[0]), float(ordered[0])
    middle = float(np.median(ordered))
    return float(np.median(ordered[:half])), middle, float(np.median(ordered[-half:]))


def spread_score(values: NDArray[np.float64]) -> float:
    """1 - median absolute deviation / median, at least 0; 1 for a median below 1."""
    median = float(np.median(values))
    if median < 1:
        return 1.0
    deviation = float(np.median(np.abs(values - median)))
    return max(0.0, (median - deviation) / median)


def calls(pairs: list[tuple[int, int]]) -> np.ndarray:
    rows = np.zeros(len(pairs), CALL)
    rows["group"], rows["second"] = np.array(pairs, np.int64).reshape(-1, 2).T
    rows["bytes"] = np.arange(len(pairs))  # tells equals apart
    return rows


def ordered(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort((rows["second"], rows["group"]))]


PAIRS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 50)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(old=PAIRS, fresh=PAIRS, since=st.integers(0, 50), skip=st.integers(0, 20))
def test_merging_is_sorting_what_is_left(
    old: list[tuple[int, int]], fresh: list[tuple[int, int]], since: int, skip: int
) -> None:
    first, second = ordered(calls(old)), ordered(calls(fresh))
    kept = first[first["second"] >= since][skip:]
    expected = ordered(np.concatenate([kept, second[second["second"] >= since]]))
    out = np.zeros(len(first) + len(second), CALL)
    count = merge_calls(first, second, since, skip, out)
    assert out[:count].tolist() == expected.tolist()


@settings(max_examples=100, deadline=None)
@given(rows=PAIRS, bars=st.sampled_from((7, 24)))
def test_survey_counts_groups_and_filled_bars(rows: list[tuple[int, int]], bars: int) -> None:
    every = ordered(calls(rows))
    groups, numbers = np.zeros(len(every), np.uint64), np.zeros((len(every), 3), np.int64)
    count = survey(every, 5, 45, bars, groups, numbers)
    unique, start, counts = np.unique(every["group"], return_index=True, return_counts=True)
    assert groups[:count].tolist() == unique.tolist()
    assert numbers[:count, 0].tolist() == start.tolist()
    assert numbers[:count, 1].tolist() == counts.tolist()
    bar = np.clip((every["second"] - 5) // (40 / bars), 0, bars - 1)
    filled = [len(np.unique(bar[every["group"] == group])) for group in unique]
    assert numbers[:count, 2].tolist() == filled


def test_choosing_calls_is_that_of_columns() -> None:
    """Every kind of flow that the rules tell apart, against masks over the columns."""
    random = np.random.default_rng(4)
    ends = ["10.0.1.7", "10.0.9.9", "203.0.113.5", "198.51.100.7", "224.0.0.251", "169.254.1.1"]
    flows = [
        flow(
            str(random.choice(ends)), str(random.choice(ends)), int(random.choice([443, 3128])),
            app=str(app),
            protocol=int(random.choice([6, 17, 1])), packets=int(random.integers(0, 4)),
            bytes=int(random.integers(0, 400)), reply_packets=int(random.integers(0, 3)),
            reply_bytes=int(random.integers(0, 300)), part=int(random.random() < 0.1),
            sampling=int(random.choice([1, 1, 1, 100])), first_ns=START_NS + at * S // 100,
        )
        for at, app in enumerate(random.choice(["tls", "dns", "http_proxy", "unknown"], 2000))
    ]  # fmt: skip
    window = World().window(flows)
    noted = Calls()
    noted.note(window)
    chosen = np.concatenate([np.zeros(0, CALL), *noted.fresh])
    every, (ours, theirs) = window.flows, inside_flags(window)
    to_proxy = (every.app == APP_CODE["http_proxy"]) | (every.destination_port == 3128)
    mask = (ours ^ theirs) | (to_proxy & (every.protocol == 6))
    mask &= (window.marks & TO_ONE != 0) & (every.part == 0) & (every.sampling <= 1)
    mask &= np.isin(every.protocol, (6, 17)) & (every.packets > 0) & (every.app != APP_CODE["dns"])
    talks = (every.bytes > 52 * every.packets) & (every.reply_bytes > 52 * every.reply_packets)
    talks &= every.reply_packets > 0
    mask &= talks | (window.hosts.traits[window.source] & NEAR != 0)
    ends_of_lines = tuple(o for line in window.hospital.lines for o in line.outside)
    lines = tuple(networks_of(ends_of_lines))
    mask &= ~in_networks(every.source, lines) & ~in_networks(every.destination, lines)
    assert 20 < mask.sum() < len(flows)
    assert chosen["target"].tolist() == window.destination[mask].tolist()
    assert (chosen["group"] >> np.uint64(32)).tolist() == window.source[mask].tolist()
    assert chosen["bytes"].tolist() == every.bytes[mask].tolist()
