"""Kernels of the detectors of lines say what the columns say."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.apps import APP_CODE
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE
from detector.detection import Window
from detector.lines.addresses import INSIDE, PUBLIC
from detector.lines.family_nat import Speakers, find_nat
from detector.lines.habit_kernels import (
    ATTEMPTS,
    HABITS_A_FLOW,
    HALF_SEEN,
    INTERNAL,
    NO_ROW,
    PROXY,
    TIME,
    UPDATES,
    WHOLE,
    count_habits,
)
from detector.lines.habits import KINDS
from detector.lines.observability import Observability
from detector.lines.surroundings import Surroundings
from tests.detector.windows import START_NS, S, World


def some_flows(seed: int, count: int = 200) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    rows = np.zeros(count, FLOW_DTYPE)
    rows["protocol"] = rng.choice([6, 6, 17], count)
    rows["flags"] = rng.choice([2, 16, 18, 26], count)
    rows["app"] = rng.choice([APP_CODE[a] for a in ("unknown", "ntp", "http_proxy")], count)
    rows["destination_port"] = rng.choice([443, 8530], count)
    for name, most in (("packets", 9), ("reply_packets", 2), ("one_way", 2), ("part", 2)):
        rows[name] = rng.integers(0, most, count)
    rows["sampling"] = rng.choice([1, 1, 100], count)
    rows["source_mac"] = rng.choice([0, 0x020000000001], count)
    rows["ttl_min"] = rows["ttl_max"] = rng.choice([128, 128, 128, 127, 64, 20], count)
    rows["syn_window"], rows["syn_layout"] = 1000, rng.choice([7, 7, 7, 8], count)
    rows["first_ns"] = START_NS + np.sort(rng.integers(0, 3000, count)) * S
    low = rng.choice([0x0A010001, 0x0A010002, 0x0A010003, 0x08080808, 0xE0000001], (2, count))
    for side, name in enumerate(("source", "destination")):
        rows[name][:, 1] = 0xFFFF_0000_0000 | low[side].astype(np.uint64)
    return [rows]


def bits_of(window: Window) -> np.ndarray[Any, Any]:
    return window.hosts.kinds


@given(st.integers(0, 1 << 30))
def test_habits_are_what_the_columns_say(seed: int) -> None:
    window = World().window(some_flows(seed))
    flows, bits = window.flows, bits_of(window)
    inside = (bits[window.source] & INSIDE != 0) & (flows.part == 0)
    to_inside = bits[window.destination] & INSIDE != 0
    to_public = bits[window.destination] & PUBLIC != 0
    answered = flows.reply_packets > 0
    whole = (flows.one_way == 0) & (flows.sampling <= 1)
    carried = whole & (flows.source_mac != 0) & (flows.protocol == 6) & (flows.flags & 16 != 0)
    masks = {
        INTERNAL: to_inside & (answered | ~whole),
        ATTEMPTS: to_public & ~answered & (flows.packets <= 6),
        PROXY: to_inside & answered & (flows.app == APP_CODE["http_proxy"]),
        UPDATES: to_inside & answered & (flows.protocol == 6) & (flows.destination_port == 8530),
        TIME: to_inside & answered & (flows.app == APP_CODE["ntp"]),
        HALF_SEEN: carried & (flows.packets >= 5) & ~answered,
        WHOLE: carried & answered,
    }
    expected = sorted((int(n), k) for k, m in masks.items() for n in window.source[inside & m])
    hosts = np.empty(len(flows) * HABITS_A_FLOW, np.uint32)
    kinds = np.empty(len(flows) * HABITS_A_FLOW, np.uint8)
    row_of = np.where(np.arange(len(bits)) % 2, np.arange(len(bits)), NO_ROW)  # every other one
    today = np.zeros((len(bits), KINDS), np.uint32)
    told = count_habits(
        flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, bits,
        APP_CODE["http_proxy"], APP_CODE["ntp"], row_of, today, hosts, kinds,
    )  # fmt: skip
    counted = [(n, k) for n, k in zip(*map(np.ndarray.tolist, np.nonzero(today)), strict=True)
               for _ in range(today[n, k])]  # fmt: skip
    written = [*zip(hosts[:told].tolist(), kinds[:told].tolist(), strict=True)]
    assert all(n % 2 for n, _ in counted)
    assert not any(n % 2 for n, _ in written)
    assert sorted(counted + written) == expected


@given(st.integers(0, 1 << 30))
def test_one_voice_is_counted_like_several(seed: int) -> None:
    """What is told does not depend on whether the kernel or a speaker counted."""
    world = World()
    quick, slow, around = Speakers(), Speakers(), Surroundings()
    window = world.window(some_flows(seed), seconds=3000)
    around.observe(window)
    slow.voices = np.zeros(64, quick.voices.dtype)
    slow.voices["is_several"] = True
    told = [clue.host for clue in find_nat(window, around, quick)]
    assert sorted(told) == sorted(clue.host for clue in find_nat(window, around, slow))


@given(st.integers(0, 1 << 30))
def test_sight_of_vlans_is_what_the_columns_say(seed: int) -> None:
    rows = some_flows(seed, 40)[0]
    rng = np.random.default_rng(seed)
    rows["vlan"] = rng.integers(0, 3, len(rows))
    rows["destination_mac"] = rng.choice([0, 0xFFFFFFFFFFFF, 0x020000000002], len(rows))
    window = World().window([rows])
    flows, sight = window.flows, Observability()
    sight.observe(window)
    sight.observe(window)  # what a pass writes into is clear again
    to_group = flows.destination_mac == 0xFFFFFFFFFFFF
    to_one = flows.destination_mac == 0x020000000002
    no_mac = (flows.source_mac == 0) & (flows.destination_mac == 0)
    for name, mask in (
        ("broadcast", to_group), ("flow", no_mac), ("unicast", to_one)
    ):  # fmt: skip
        seen = {row["vlan"] for row in sight.to_json(window.end_ns) if row[name]}
        assert seen == set(flows.vlan[mask].tolist())
