"""Slow and wide contact with new hosts, and control that goes on from host to host."""

from collections.abc import Iterable

import pytest

from detector.detection import Finding
from detector.hospital import Asset, Hospital
from detector.lateral.paths import Paths
from detector.lateral.spread import Spread
from tests.detector.windows import World, flow

DAY_S = 86_400


def warm(world: World, days: int = 10) -> World:
    world.age(days, flow("10.0.1.1", "10.0.0.1", 53, app="dns"), old_viewers(1), old_viewers(2))
    return world


def old_viewers(n: int):
    return flow("10.0.0.4", f"10.0.2.{n}", 104, app="dicom")


def find(world: World, detector, flows: Iterable, start_s: float) -> list[Finding]:
    window = world.window(flows, start_s=start_s)
    found = world.run(detector, window)
    world.edges.observe(window)
    return found


def test_one_new_host_a_day_is_found_by_day_40() -> None:
    world, told_on = warm(World()), 0
    for day in range(45):
        at = day * DAY_S
        new = flow("10.0.1.7", f"10.0.3.{day + 1}", 445, at, app="smb")
        if find(world, Spread(in_a_month=30), [new], at) and not told_on:
            told_on = day + 1
    assert told_on == 30


def test_the_same_partners_every_day_are_silent() -> None:
    world = warm(World())
    fan = [flow("10.0.0.4", f"10.0.2.{n}", 104, app="dicom") for n in range(1, 61)]
    world.age(2, *fan)
    for day in range(3):
        rows = [
            flow("10.0.0.4", f"10.0.2.{n}", 104, day * DAY_S, app="dicom") for n in range(1, 61)
        ]
        assert find(world, Spread(), rows, day * DAY_S) == []


def test_a_burst_of_new_partners_and_a_roll_out() -> None:
    world = warm(World())
    rows = [flow("10.0.1.7", f"10.0.3.{n}", 445, n / 10, app="smb") for n in range(1, 31)]
    (told,) = find(world, Spread(), rows, 0)
    assert (told.source, told.facts["count"], told.facts["service"]) == ("10.0.1.7", 30, "SMB")
    rollout = [
        flow(f"10.0.1.{pc}", f"10.0.4.{n}", 7680, 60 + n / 10, app="unknown")
        for n in range(1, 31)
        for pc in (8, 9, 10, 11)
    ]
    told_of = {f.source for f in find(world, Spread(), rollout, 60)}
    assert len(told_of) < 4  # once three of four did it, it is what this role does now


def test_dead_ports_tried_over_days() -> None:
    world, found = warm(World()), []
    for day in range(10):
        at = day * DAY_S
        found += find(world, Spread(), [flow("10.0.1.7", "10.0.0.9", 1000 + day, at, "REJ")], at)
    assert found[0].variant == "slow_ports"
    assert found[0].facts["count"] == 8


def session(a: str, b: str, at: float, seconds: float = 600, app: str = "rdp"):
    return flow(a, b, 3389, at, seconds=seconds, app=app)


def test_a_path_of_two_new_sessions_that_overlap() -> None:
    world = warm(World())
    hop = [session("10.0.1.7", "10.0.1.8", 0), session("10.0.1.8", "10.0.2.9", 120, 300)]
    (told,) = [f for f in find(world, Paths(), hop, 0) if f.variant == "path"]
    assert (told.source, told.targets) == ("10.0.1.7", ("10.0.1.8", "10.0.2.9"))
    assert told.score > 70


@pytest.mark.parametrize("role", ["bastion", "unknown"])
def test_known_hops_and_bastions_are_silent(role: str) -> None:
    world = World(Hospital(assets=(Asset(ip="10.0.1.8", role=role),)))
    hop = [session("10.0.1.7", "10.0.1.8", 0), session("10.0.1.8", "10.0.2.9", 120, 300)]
    warm(world)
    if role == "unknown":
        world.age(10, *hop)
    assert [f for f in find(world, Paths(), hop, 0) if f.variant == "path"] == []


def test_a_modality_that_nobody_entered_begins_to_control() -> None:
    ct = Hospital(assets=(Asset(ip="10.0.4.1", role="modality"),))
    world = warm(World(ct))
    assert find(world, Paths(), [session("10.0.4.1", "10.0.2.9", 0)], 0) == []
    (told,) = find(world, Paths(), [], 3600)
    assert told.variant == "orphan"
    world = warm(World(ct))
    came = [session("10.0.4.1", "10.0.2.9", 100), session("10.0.1.5", "10.0.4.1", 0, 900)]
    told = find(world, Paths(), came, 0) + find(world, Paths(), [], 3600)
    assert "orphan" not in {f.variant for f in told}


def test_a_tree_of_new_edges() -> None:
    world = warm(World())
    rows = [session("10.0.1.7", f"10.0.2.{n}", 100 * n, 60) for n in range(3)]
    told = [f for f in find(world, Paths(), rows, 0) if f.variant == "tree"]
    assert told[-1].source == "10.0.1.7"
    assert told[-1].facts["count"] == 3
    admin = World(Hospital(assets=(Asset(ip="10.0.1.7", role="admin"),)))
    assert not [f for f in find(warm(admin), Paths(), rows, 0) if f.variant == "tree"]
