"""The forest ranks an odd day, explains it, and never asks for anybody by itself."""

from __future__ import annotations

import numpy as np

from detector.detection import Finding
from detector.lateral.unusual_day import UnusualDay
from tests.detector.windows import World, flow

DAY_S = 86_400
DETECTOR = UnusualDay(least_days=14, odds=100)


def day_of(day: int, generator: np.random.Generator, odd: bool) -> list:
    rows = []
    for n in range(1, 21):
        at = day * DAY_S + 3600
        sent = int(generator.lognormal(10, 0.3))
        rows.append(flow(f"10.0.1.{n}", "10.0.0.5", 443, at, app="tls", bytes=sent))
    if odd:
        rows += [
            flow("10.0.1.7", f"10.0.3.{n}", 445, day * DAY_S + 17 * 3600 + n, "REJ")
            for n in range(1, 60)
        ]
    return rows


def run(odd_day: int, days: int = 33) -> list[tuple[int, Finding]]:
    world, found, generator = World(), [], np.random.default_rng(3)
    for day in range(days):
        rows = day_of(day, generator, day == odd_day)
        window = world.window(rows, start_s=day * DAY_S)
        found += [(day, f) for f in world.run(DETECTOR, window)]
        world.edges.observe(window)
    return found


def test_an_odd_day_is_ranked_and_explained_but_asks_for_nobody() -> None:
    told = [f for _, f in run(odd_day=30) if f.source == "10.0.1.7"]
    assert told
    assert told[0].score <= 45
    assert "share that failed" in told[0].facts["reasons_en"]


def test_ordinary_days_are_silent_but_for_the_tail() -> None:
    assert len(run(odd_day=-1)) <= 2
