"""The simulated hospital: what a small one looks like, and that the seed decides everything."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from api.configuration import read_configuration
from bench.evaluation.running import run_tier
from bench.evaluation.scoring import score
from bench.evaluation.tiers import seen_flows, sees
from collector.arrow import from_table, to_table
from collector.flows import FlowBatch
from collector.sightings import Arp, Smb
from detector.alerts import severity_of
from detector.detection import Finding
from detector.impact.sealed_rewriting import SealedRewriting
from sample_pcaps.simulated.attacks import Scenario, Stage
from sample_pcaps.simulated.calendar import DAY_S, hours, is_day_off, midnight_ns
from sample_pcaps.simulated.emit import Day
from sample_pcaps.simulated.house import build_house
from sample_pcaps.simulated.making import Order, read_truth, simulate
from sample_pcaps.simulated.sealed import Step, encrypting, moving, opening, reading, say
from sample_pcaps.simulated.told import Told, read_sightings
from sample_pcaps.simulated.work import neighbours
from tests.detector.windows import World

SMALL = Order(days=5, seed=3, scenarios=("S8", "S10", "T1"), warm_days=1, beds=40, volume=0.02)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hospital")
    simulate(SMALL, folder)
    return folder


def read_flows(folder: Path) -> FlowBatch:
    import pyarrow.parquet as pq

    files = sorted(folder.glob("lake/day=*/*.parquet"), key=lambda p: int(p.name.split("-")[1]))
    return FlowBatch.join([from_table(pq.read_table(path, partitioning=None)) for path in files])


def test_four_hundred_beds_have_1150_hosts() -> None:
    house = build_house()
    assert len(house) == 1150
    assert len(set(house.address)) == len(set(house.mac)) == 1150


def test_nights_weekends_and_holidays_are_quiet() -> None:
    assert hours("clinic", 0)[3] < 0.05 < hours("clinic", 0)[12] < hours("clinic", 0)[10]
    assert is_day_off(5) and is_day_off(23)  # a Saturday, and 29 April
    assert hours("clinic", 5).sum() < 0.1 * hours("clinic", 0).sum()


def test_flows_stand_in_the_order_of_event_time(hospital: Path) -> None:
    flows = read_flows(hospital)
    assert len(flows) == read_truth(hospital)["flows"] > 10_000
    assert (np.diff(flows.reported_ns) >= 0).all()
    assert int(flows.reported_ns[0]) >= midnight_ns(0)
    assert (flows.last_ns >= flows.first_ns).all() and (flows.packets > 0).all()


def test_the_papers_can_be_read(hospital: Path) -> None:
    """Its own plan, ledger and register, as a hospital would hand them in."""
    read = read_configuration(hospital / "mimawari.toml").hospital
    assert len(read.segments) == 14 and len(read.lines) == 13
    assert len(read.assets) == len(build_house(40))
    consoles = [asset for asset in read.assets if asset.name.startswith(("CT", "MR"))]
    assert {asset.private_nics for asset in consoles} == {("192.168.100.1",)}


def test_the_seed_decides_everything(hospital: Path, tmp_path: Path) -> None:
    simulate(SMALL, tmp_path)
    assert (read_flows(tmp_path).rows == read_flows(hospital).rows).all()
    assert read_truth(tmp_path) == read_truth(hospital)


def test_truth_says_when_each_sensor_could_see(hospital: Path) -> None:
    told = {s["id"]: s for s in read_truth(hospital)["scenarios"]}
    assert set(told) == {"S8", "S10", "T1"}
    (step,) = told["S8"]["steps"]
    assert step["technique"] == "T1199" and step["visible_ns"]["netflow"] >= step["start_ns"]
    assert "listener" not in step["visible_ns"]
    flows = read_flows(hospital)
    there = np.abs(flows.first_ns - step["visible_ns"]["span"]) < 10_000
    assert (flows.destination_port[there] == 3389).any()


def test_a_move_names_the_addresses_of_its_day() -> None:
    house = build_house(20)
    stage = Stage(house, np.random.default_rng(1), {}, Scenario("S0", "", True))
    pc, server = int(house.of("OFFICE")[0]), int(house.of("DC")[0])
    for day in range(2):
        stage.step("moves", "T1021", "lateral_movement", (day + 0.5) * DAY_S, pc, [server], "also")
    before = house.ip(pc)
    stage.settle(0)
    house.address[pc] += 1  # another lease, after the scenario was laid out
    stage.settle(1)
    first, second = stage.scenario.steps
    assert first.actors == (before, "also")
    assert second.actors == (house.ip(pc), "also") != first.actors
    assert second.targets == (house.ip(server),)


def test_sightings_come_back_as_they_were(hospital: Path) -> None:
    path = sorted((hospital / "sightings").glob("*.parquet"))[0]
    sightings = list(read_sightings(path))
    assert {"dhcp", "kerberos", "dicom"} <= {s.kind for s in sightings}
    assert [s.time_ns for s in sightings] == sorted(s.time_ns for s in sightings)


def test_tiers_see_less(hospital: Path) -> None:
    flows = read_flows(hospital)
    netflow, sampled = (seen_flows(flows, tier, 1) for tier in ("netflow", "sampled"))
    assert len(sampled) < len(netflow) <= len(flows)
    assert not netflow.source_mac.any() and not netflow.ttl_max.any()
    assert (sampled.sampling == 100).all() and len(seen_flows(flows, "listener", 1)) == 0
    path = sorted((hospital / "sightings").glob("*.parquet"))[0]
    heard = {s.kind for s in read_sightings(path) if sees(s, "listener")}
    assert heard and heard <= {"arp", "dhcp", "name"}


def test_arrow_and_back(hospital: Path) -> None:
    flows = read_flows(hospital).take(slice(0, 500))
    assert (from_table(to_table(flows)).rows == flows.rows).all()


def test_scenarios_need_a_day(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ask for 38 or more"):
        simulate(Order(days=20, seed=1), tmp_path)
    with pytest.raises(ValueError, match="no scenario S99"):
        simulate(Order(days=60, seed=1, scenarios=("S99",)), tmp_path)


def test_evaluation_counts_scenarios(hospital: Path) -> None:
    """A vendor outside its contract and DCSync are told from day one."""
    settings = hospital / "mimawari.toml"
    if "window_s" not in settings.read_text():  # fewer windows: the test counts, it does not time
        settings.write_text(settings.read_text() + "\n[detector.engine]\nwindow_s = 300\n")
    told = score(run_tier(hospital, "span"))
    caught = {c.id: c for c in told.caught}
    assert caught["S8"].is_told and "landing_pivot" in caught["S8"].detectors
    assert 0 <= caught["S8"].seconds_from_visible <= 400
    assert caught["S8"].landing_s == (caught["S8"].seconds_from_visible,)
    assert told.run.roles["domain_controller", "domain_controller"] == 2
    assert caught["S10"].is_told and told.run.failures == {}
    assert json.dumps([c.__dict__ for c in told.caught])


def test_encryption_inside_smb3_shows_lengths_and_people_at_work_are_not_it() -> None:
    """The lengths that a wire shows; `sealed_rewriting` reads them as it would there."""
    told = Told(build_house(8), 0, np.random.default_rng(1))
    fs, pc = int(told.house.of("FS")[0]), int(told.house.of("WARD")[0])
    rng = np.random.default_rng(5)
    for n in range(20):
        say(told.tell, told.answer, (pc, fs), 60 + n * 0.3, encrypting(rng, "whole"), 0.003)
    sealed = [s for s in told.sightings if isinstance(s, Smb)]
    assert [s.sealed_bytes for s in sealed[:4]] == [148, 152, 105, 200]
    assert {f.variant for f in _rewriting(sealed)} == {""}
    at_work = Told(told.house, 0, np.random.default_rng(1))
    for n in range(20):
        steps = opening(rng, is_saved=True)
        say(at_work.tell, at_work.answer, (pc, fs), 60 + n * 40.0, steps, 0.003)
    assert not _rewriting([s for s in at_work.sightings if isinstance(s, Smb)])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("file", "variants"),
    [
        (partial(encrypting, how="whole"), {""}),
        (partial(encrypting, how="start"), {""}),
        (partial(encrypting, how="chained"), {""}),
        (moving, {"moved"}),
        (partial(moving, is_chained=True), {"moved"}),
        (reading, set()),
    ],
    ids=["whole", "start", "chained", "moved", "moved by chains", "read"],
)
def test_each_shape_of_work_inside_smb3_is_told_for_what_it_is(
    file: Callable[[np.random.Generator], list[Step]], variants: set[str], seed: int
) -> None:
    told = Told(build_house(8), 0, np.random.default_rng(1))
    fs, pc = int(told.house.of("FS")[0]), int(told.house.of("WARD")[0])
    rng = np.random.default_rng(seed)
    for n in range(100):
        say(told.tell, told.answer, (pc, fs), 60 + n * 0.4, file(rng), 0.003)
    found = _rewriting([s for s in told.sightings if isinstance(s, Smb)])
    assert {f.variant for f in found} == variants
    severities = {severity_of(f.score * f.confidence) for f in found}
    assert severities == ({"low"} if variants == {"moved"} else {"medium"} if variants else set())


def _rewriting(sealed: list[Smb]) -> list[Finding]:
    detector, world = SealedRewriting(), World()
    memory = detector.remember()
    ordered = tuple(sorted(sealed, key=lambda s: s.time_ns))
    return list(detector.find(world.window([], ordered), memory))


def test_whoever_is_hung_in_later_is_no_neighbour_from_the_morning_on() -> None:
    """A mobile router of the evening is not asked for by the gateway all day."""
    house = build_house(40)
    house.add("a mobile router", "attacker", "192.168.8.1", vlan=128)
    rng = np.random.default_rng(1)
    told = Told(house, 0, rng)
    neighbours(Day(house, 0, rng), told)
    arps = [said for said in told.sightings if isinstance(said, Arp)]
    assert not {"192.168.8.1"} & {ip for arp in arps for ip in (arp.sender_ip, arp.target_ip)}
    printer = house.ip(int(house.of("PRT")[0]))
    asked = {arp.target_ip for arp in arps if arp.sender_ip == printer and arp.operation == 1}
    assert asked == {"10.30.60.254"}
