"""Days make an edge familiar, volume does not; some edges wait for a person."""

from pathlib import Path

import numpy as np
import pytest

from collector.apps import APP_CODE
from detector.edges import ACCEPTED, PENDING, RETIRED, STALE, EdgeMemory, service_of
from detector.hospital import Hospital, RegisteredLine
from detector.hosts import HostTable
from tests.detector.windows import World, flow

CT, PACS = "10.0.1.5", "10.0.2.10"
DICOM = APP_CODE["dicom"]


def store(at: float = 0.0, **columns: object) -> np.ndarray:
    return flow(CT, PACS, 104, at, app="dicom", **columns)


def state(world: World, source: str, destination: str, service: int) -> int:
    edge = world.edges.find(source, destination, service)
    return edge.state if edge else 0


def test_volume_cannot_buy_familiarity() -> None:
    world = World()
    world.edges.observe(world.window([store(at=i / 100) for i in range(500)]))
    assert state(world, CT, PACS, DICOM) == PENDING


def test_three_days_over_a_week_make_it_familiar() -> None:
    world = World()
    world.age(9, store())
    edge = world.edges.find(CT, PACS, DICOM)
    assert edge is not None and (edge.state, edge.active_days) == (ACCEPTED, 9)
    assert world.edges.active_days == 9


def test_three_days_in_a_row_are_not_enough() -> None:
    world = World()
    world.age(3, store())
    assert state(world, CT, PACS, DICOM) == PENDING


@pytest.mark.parametrize(
    ("source", "destination", "app"),
    [(CT, PACS, "rdp"), (CT, "203.0.113.9", "tls"), ("10.9.9.9", PACS, "dicom")],
)
def test_admin_outside_and_vendor_edges_wait_for_a_person(
    source: str, destination: str, app: str
) -> None:
    line = RegisteredLine(id="L1", vendor="V", line_type="LTE/5G", landing=("10.9.9.0/24",))
    world = World(Hospital(lines=(line,)))
    world.age(20, flow(source, destination, 104, app=app))
    assert state(world, source, destination, APP_CODE[app]) == PENDING
    world.edges.approve(source, destination, APP_CODE[app])
    assert state(world, source, destination, APP_CODE[app]) == ACCEPTED


def test_unanswered_knocks_teach_nothing() -> None:
    world = World()
    world.edges.observe(world.window([flow(CT, PACS, 445, state="S0"), store(state="REJ")]))
    assert len(world.edges) == 0


def test_familiarity_fades() -> None:
    world = World()
    world.age(9, store())
    world.edges.observe(world.window(start_s=70 * 86400))
    assert state(world, CT, PACS, DICOM) == STALE
    world.edges.observe(world.window(start_s=500 * 86400))
    assert state(world, CT, PACS, DICOM) == RETIRED


def test_lookups_take_columns() -> None:
    world = World()
    world.age(1, store(), flow(PACS, CT, 445, app="smb"))
    window = world.window([store(), flow(CT, PACS, 445, app="smb"), flow(PACS, CT, 9999)])
    service = service_of(window.flows)
    known = world.edges.knows(window.source, window.destination, service)
    assert known.tolist() == [True, False, False]
    assert world.edges.has_spoken(window.source, window.destination).all()


def test_a_thing_that_peers_do_surprises_less() -> None:
    world = World()
    viewers = [f"10.0.3.{i}" for i in range(1, 9)]
    world.age(5, *[flow(v, PACS, 104, app="dicom") for v in viewers[:7]], store())
    world.age(5, *[flow(f"10.0.4.{i}", PACS, 443, app="tls") for i in range(1, 20)])
    number = world.hosts.number_of
    usual = world.edges.surprise(number(viewers[7]), number(PACS), DICOM)
    odd = world.edges.surprise(number(viewers[7]), number(CT), APP_CODE["rdp"])
    own = world.edges.surprise(number(viewers[0]), number(PACS), DICOM)
    assert own < usual < odd


def test_saved_by_address_and_read_into_other_numbers(tmp_path: Path) -> None:
    world = World()
    world.age(9, store(), flow(PACS, CT, 445, app="smb"))
    world.edges.save(tmp_path / "edges.npz")
    hosts = HostTable(Hospital())
    hosts.number_of("192.168.1.1")  # so that the numbers differ
    loaded = EdgeMemory.load(tmp_path / "edges.npz", hosts)
    assert loaded.find(CT, PACS, DICOM) == world.edges.find(CT, PACS, DICOM)
    assert loaded.active_days == 9


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    world = World()
    world.age(1, store())
    world.edges.save(tmp_path / "edges.npz")
    with np.load(tmp_path / "edges.npz") as saved:
        parts = dict(saved)
    parts["head"] = np.frombuffer(b'{"version": 99, "days": [], "now_ns": 0}', np.uint8)
    np.savez(tmp_path / "other.npz", **parts)
    with pytest.raises(ValueError, match="version 99"):
        EdgeMemory.load(tmp_path / "other.npz", HostTable(Hospital()))


def test_bounded_and_says_what_it_forgot() -> None:
    world = World()
    world.edges = EdgeMemory(capacity=10)
    world.edges.observe(world.window([flow(f"10.0.0.{i}", PACS, 104) for i in range(1, 31)]))
    assert (len(world.edges), world.edges.forgotten) == (10, 20)
