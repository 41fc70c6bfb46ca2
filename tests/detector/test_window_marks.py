"""Marks of flows: the kernel says what the columns say; and windows reach who reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.apps import APP_CODE, APPS
from collector.flows import FLOW_DTYPE, STATES
from collector.sightings import Arp, Dns
from detector.addresses import LINK_LOCAL, in_networks, is_one_host
from detector.detection import Detector, Finding, Reads, Window
from detector.detectors import DETECTORS
from detector.hospital import Hospital, Segment
from detector.lateral.contacts import has_odd_flags, is_half_open, outcomes
from detector.window_kernels import FAILED, HALF_OPEN, ICMP, ODD, OURS, THEIRS, TO_ONE
from tests.detector.windows import World, flow

PLAN = Hospital(segments=(Segment(name="ward", prefixes=("10.1.0.0/16",)),))


def some_flows(seed: int, count: int = 300) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, FLOW_DTYPE)
    rows["protocol"] = rng.choice([6, 6, 6, 17, 1, 58, 47, 132], count)
    rows["state"] = rng.integers(0, len(STATES), count)
    rows["flags"] = np.where(rng.random(count) < 0.3, 16, rng.integers(0, 64, count))
    rows["family"] = rng.choice([4, 6], count)
    rows["app"] = rng.integers(0, len(APPS), count)
    rows["source_port"] = rng.choice([8, 13, 17, 128, 50000], count)
    rows["destination_port"] = rng.choice([53, 67, 443, 514, 5985, 7680], count)
    for name, most in (("packets", 15), ("reply_packets", 5), ("one_way", 2), ("part", 2)):
        rows[name] = rng.integers(0, most, count)
    rows["sampling"] = rng.choice([0, 1, 1, 1, 100], count)
    rows["bytes"], rows["reply_bytes"] = rng.integers(0, 400, count), rng.integers(0, 400, count)
    low = rng.choice([0x0A010001, 0x0A0100FF, 0xA9FE0001, 0x08080808, 0xE0000001], (2, count))
    for side, name in enumerate(("source", "destination")):
        rows[name][:, 1] = 0xFFFF_0000_0000 | low[side].astype(np.uint64)
    return [rows]


@given(st.integers(0, 1 << 30), st.booleans())
def test_marks_are_what_the_columns_say(seed: int, has_plan: bool) -> None:
    window = World(PLAN if has_plan else Hospital()).window(some_flows(seed))
    flows, marks = window.flows, window.marks
    near = window.hospital.inside + LINK_LOCAL
    theirs = in_networks(flows.destination, near)
    ours = in_networks(flows.source, near)
    if not has_plan:
        ours |= ~ours & ~theirs
    assert (marks & 3 == outcomes(flows)).all()
    assert ((marks & HALF_OPEN != 0) == is_half_open(flows)).all()
    assert ((marks & ODD != 0) == has_odd_flags(flows)).all()
    assert ((marks & OURS != 0) == ours).all()
    assert ((marks & THEIRS != 0) == theirs).all()
    assert ((marks & TO_ONE != 0) == is_one_host(flows.destination)).all()
    assert window.apps == sum(1 << int(app) for app in np.unique(flows.app))


class Counting(Detector):
    """Counts the windows it is shown."""

    id = "counting"
    category = "policy"
    wordings: Any = {}
    reads = Reads(sightings=(Arp,), apps=("rdp",), marks=ICMP)

    def find(self, window: Window, memory: Any) -> Iterator[Finding]:
        yield from ()


def test_a_window_without_what_is_read_is_not_shown() -> None:
    world, reads = World(), Counting.reads
    assert reads is not None
    assert not is_shown(reads, world.window([flow("10.1.0.1", "10.1.0.2", 443, app="tls")]))
    assert is_shown(reads, world.window([flow("10.1.0.1", "10.1.0.2", 3389, app="rdp")]))
    assert is_shown(reads, world.window([flow("10.1.0.1", "10.1.0.2", 0, protocol=1)]))
    assert not is_shown(reads, world.window([], [_dns()]))


def test_what_detectors_read_is_known() -> None:
    for detector in DETECTORS:
        for app in detector.reads.apps if detector.reads else ():
            assert app in APP_CODE, detector.id


def test_failed_is_a_lone_syn() -> None:
    window = World().window([flow("10.1.0.1", "10.1.0.2", 445, state="S0")])
    assert window.marks[0] & 3 == FAILED


def is_shown(reads: Reads, window: Window) -> bool:
    return reads.any_of(window.every_mark, window.apps, window.sightings)


def _dns() -> Dns:
    return Dns(time_ns=1, transport="udp", is_response=False, name="a.example", query_type="A")
