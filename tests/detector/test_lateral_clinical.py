"""Image archives, HL7 engines and databases asked by whom they never served."""

from collector.sightings import Dicom, Hl7
from detector.detection import Finding
from detector.lateral.clinical import ClinicalAbuse
from tests.detector.windows import START_NS, S, World, flow

VIEWER, PACS, STRANGER = "10.0.2.5", "10.0.0.4", "10.0.1.66"


def image(message: str, ip: str = VIEWER, at: float = 0, peer: str = PACS, **fields) -> Dicom:
    ports = {"port": 50000, "peer_port": 104}
    return Dicom(time_ns=START_NS + int(at * S), ip=ip, peer_ip=peer, message=message,
                 **{**ports, **fields})  # fmt: skip


def opened(calling: str, ip: str = VIEWER, at: float = 0) -> Dicom:
    return image("associate_rq", ip, at, calling_ae=calling, called_ae="PACS")


def warm(days: int = 15) -> World:
    world = World()
    world.age(days, flow(VIEWER, PACS, 104, app="dicom"))
    return world


def find(world: World, *sightings, at: float = 0) -> list[Finding]:
    return world.run(ClinicalAbuse(), world.window([], sightings, start_s=at))


def finds(count: int, at: float = 0, ip: str = VIEWER) -> list[Dicom]:
    return [image("c_find", ip, at + n / 10) for n in range(count)]


def test_a_sweep_of_queries_and_the_worklist() -> None:
    world = World()
    (told,) = find(world, opened("VIEW1"), *finds(250))
    assert (told.variant, told.facts["title"]) == ("sweep", "VIEW1")
    assert find(World(), opened("VIEW1"), *finds(60)) == []


def test_a_busy_viewer_raises_its_own_limit() -> None:
    world = World()
    assert find(world, *finds(150)) == []
    assert find(world, *finds(190, at=1000), at=1000) == []
    (told,) = find(world, *finds(1000, at=3000), at=3000)
    assert told.facts["usual"] == 190


def test_titles_that_are_tried_out() -> None:
    def refused(n: int) -> list[Dicom]:
        asked = image("associate_rq", STRANGER, n, port=50000 + n, calling_ae=f"TRY{n}")
        answer = Dicom(time_ns=START_NS + n * S + 1, ip=PACS, peer_ip=STRANGER, port=104,
                       peer_port=50000 + n, message="associate_rj")  # fmt: skip
        return [asked, answer]

    told = find(World(), *(s for n in range(5) for s in refused(n)))
    assert told[-1].variant == "refused"
    assert told[-1].source == STRANGER
    assert find(World(), *refused(1)) == []


def test_another_machines_title_once_the_memory_is_warm() -> None:
    world = warm()
    assert [f.variant for f in find(world, opened("VIEW1"))] == ["new_title"]
    (told,) = find(world, opened("VIEW1", STRANGER, 5))
    assert (told.variant, told.facts["others"]) == ("stolen_title", [VIEWER])
    assert find(world, opened("VIEW1", at=9)) == []


def test_a_new_hl7_sender() -> None:
    def order(ip: str) -> Hl7:
        return Hl7(time_ns=START_NS, ip=ip, port=50000, peer_ip="10.0.0.6", peer_port=2575,
                   sending_application="LIS", message_type="ORU^R01")  # fmt: skip

    world = World()
    assert find(world, order(VIEWER)) == []
    world = warm()
    (told,) = find(world, order(STRANGER))
    assert told.facts["sender"] == "LIS"
    assert find(world, order(STRANGER)) == []


def test_a_new_client_that_draws_much_from_a_database() -> None:
    def dump(ip: str, reply_bytes: int):
        return flow(ip, "10.0.0.7", 1521, app="oracle", reply_bytes=reply_bytes)

    world = warm()
    world.age(5, dump(VIEWER, 4000))
    detector = ClinicalAbuse()
    (told,) = world.run(detector, world.window([dump(STRANGER, 80_000_000)]))
    assert (told.variant, told.source) == ("database", STRANGER)
    assert world.run(detector, world.window([dump(VIEWER, 80_000_000)])) == []
    assert world.run(detector, world.window([dump(STRANGER, 900_000)])) == []
