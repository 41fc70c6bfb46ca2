"""The baseline's life: learning, review, accepted, frozen, learnt anew; snapshots that hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.apps import APP_CODE
from collector.observations import CollectorHealth, Observations
from detector.baselines.review import Decision, apply, review
from detector.baselines.snapshots import Snapshots
from detector.edges import ACCEPTED, DAY_NS, PENDING, EdgeMemory
from detector.hospital import Asset, Hospital
from detector.store import Store
from detector.watch import Round
from tests.detector.test_engine import NOON, SECOND, BusyWindow, engine_with, flows_at
from tests.detector.windows import START_NS, World, flow

PACS = "10.0.0.4"
MODALITIES = [f"10.0.4.{n}" for n in range(1, 13)]
HOSPITAL = Hospital(
    assets=(
        *(Asset(ip=ip, role="modality") for ip in MODALITIES),
        Asset(ip=PACS, role="pacs", name="PACS-01"),
    )
)


def world_of(days: int) -> World:
    world = World(HOSPITAL)
    images = [flow(ip, PACS, 104, app="dicom") for ip in MODALITIES]
    world.age(days, *images, flow("10.0.1.5", PACS, 3389, app="rdp"))
    return world


def test_the_review_list_names_groups_and_puts_administration_first() -> None:
    world = world_of(2)
    told = review(world.edges, world.hosts)
    assert told["phase"] == "learning"
    control, images = told["groups"]
    assert (control["service"], control["waits"]) == ("RDP", True)
    assert (images["source_role"], images["count"], images["target_name"]) == (
        "modality", 12, "PACS-01",
    )  # fmt: skip


def test_accepting_a_group_accepts_all_of_it_and_nothing_else() -> None:
    world = world_of(2)
    group = review(world.edges, world.hosts)["groups"][1]["key"]
    assert apply(Decision("accept", "anna", 0, group=group), world.edges, world.hosts) == 12
    states = {
        ip: world.edges.find(ip, PACS, APP_CODE["dicom"]).state  # type: ignore[union-attr]
        for ip in MODALITIES
    }
    assert set(states.values()) == {ACCEPTED}
    assert world.edges.find("10.0.1.5", PACS, APP_CODE["rdp"]).state == PENDING  # type: ignore[union-attr]


def test_after_four_weeks_only_what_waits_for_a_person_is_left() -> None:
    world = world_of(30)
    told = review(world.edges, world.hosts)
    assert told["phase"] == "review"
    assert [g["service"] for g in told["groups"]] == ["RDP"]
    key = told["groups"][0]["key"]
    apply(Decision("accept", "anna", 0, group=key), world.edges, world.hosts)
    assert review(world.edges, world.hosts)["phase"] == "accepted"


def test_frozen_nothing_new_accepts_itself_until_thawed() -> None:
    world = world_of(30)
    apply(Decision("freeze", "anna", START_NS - 20 * DAY_NS), world.edges, world.hosts)
    world.age(15, flow("10.0.4.1", "10.0.0.77", 104, app="dicom"))
    new = world.edges.find("10.0.4.1", "10.0.0.77", APP_CODE["dicom"])
    old = world.edges.find("10.0.4.1", PACS, APP_CODE["dicom"])
    assert new is not None and old is not None
    assert (new.state, old.state) == (PENDING, ACCEPTED)
    assert review(world.edges, world.hosts)["phase"] == "frozen"
    apply(Decision("thaw", "anna", START_NS), world.edges, world.hosts)
    assert world.edges.find("10.0.4.1", "10.0.0.77", APP_CODE["dicom"]).state == ACCEPTED  # type: ignore[union-attr]


def test_a_host_learnt_anew_is_unknown_again_and_others_are_not(tmp_path: Path) -> None:
    world = world_of(10)
    assert apply(Decision("relearn", "anna", 0, host="10.0.4.1"), world.edges, world.hosts) == 1
    assert world.edges.find("10.0.4.1", PACS, APP_CODE["dicom"]) is None
    assert world.edges.find("10.0.4.2", PACS, APP_CODE["dicom"]) is not None
    world.edges.frozen_ns = 5
    world.edges.save(tmp_path / "edges.npz")
    assert EdgeMemory.load(tmp_path / "edges.npz", world.hosts).frozen_ns == 5


def test_decisions_are_taken_over_once_and_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "m.db").open()
    store.decide(Decision("freeze", "anna", 1, "intrusion?"))
    engine = engine_with(BusyWindow(), window_s=10)

    def stretch(second: int) -> Observations:
        end = NOON + (second + 30) * SECOND
        return Observations(flows_at([second, second]), (), end, CollectorHealth())

    edges_file = tmp_path / "edges.npz"
    for _ in Round(engine, store, None, edges_file).walk([stretch(0)]):
        pass
    assert engine.edges.frozen_ns
    assert store.note("baseline")["phase"] == "frozen"
    engine.edges.frozen_ns = 0
    for _ in Round(engine, store, None, edges_file).walk([stretch(60)]):
        pass
    assert engine.edges.frozen_ns == 0  # the same decision is not taken over twice
    store.close()


def file_of(folder: Path, words: str) -> Path:
    path = folder / "edges.npz"
    path.write_text(words)
    return path


def test_snapshots_are_daily_chained_and_restored(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path / "baselines")
    for day in range(3):
        assert kept.take(file_of(tmp_path, f"day {day}"), START_NS + day * DAY_NS) is not None
        assert kept.take(file_of(tmp_path, "later"), START_NS + day * DAY_NS + 1) is None
    assert [link.day for link in kept.links()] == ["2024-01-08", "2024-01-09", "2024-01-10"]
    assert kept.faults() == []
    kept.restore("2024-01-09", tmp_path / "edges.npz")
    assert (tmp_path / "edges.npz").read_text() == "day 1"
    assert (tmp_path / "edges.npz.before-restore").read_text() == "later"
    with pytest.raises(KeyError, match="2024-01-08, 2024-01-09, 2024-01-10"):
        kept.restore("2024-02-01", tmp_path / "edges.npz")


def test_a_changed_snapshot_and_a_cut_chain_are_told(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path)
    for day in range(3):
        kept.take(file_of(tmp_path, f"day {day}"), START_NS + day * DAY_NS)
    (tmp_path / "edges-2024-01-09.npz").write_text("poison")
    assert kept.faults() == ["2024-01-09: edges-2024-01-09.npz was changed after it was kept"]
    with pytest.raises(ValueError, match="changed"):
        kept.restore("2024-01-09", tmp_path / "edges.npz")
    lines = (tmp_path / "chain.jsonl").read_text().splitlines()
    (tmp_path / "chain.jsonl").write_text("\n".join([lines[0], lines[2]]))
    assert kept.faults() == ["2024-01-10: the chain is broken before this day"]


def test_old_snapshots_thin_out_to_one_a_month(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path)
    for day in range(100):
        kept.take(file_of(tmp_path, f"{day}"), START_NS + day * DAY_NS)
    files = sorted(p.name for p in tmp_path.glob("edges-*.npz"))
    assert len(files) == 14 + 4
    assert "edges-2024-01-31.npz" in files
    assert kept.faults() == []


def test_a_torn_chain_is_told_and_stops_no_detector(tmp_path: Path) -> None:
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "chain.jsonl").write_text('{"day": "2026-11-')
    engine = engine_with(BusyWindow(), window_s=10)
    seen = Observations(flows_at([0, 0]), (), NOON + 30 * SECOND, CollectorHealth())
    for _ in Round(engine, None, None, tmp_path / "edges.npz").walk([seen]):
        pass
    assert [told for told in engine.failures if "not a chain of snapshots" in told]
