"""Ransomware's wider signs: printers, many servers, rewriting, backups."""

from collector.sightings import Smb
from detector.detection import Finding
from detector.hospital import Asset, Hospital
from detector.impact.mass_effect import MassEffect
from tests.detector.windows import START_NS, S, World, flow

PC = "10.0.1.7"
HOSPITAL = Hospital(assets=(Asset(ip="10.0.0.8", role="backup"), Asset(ip="10.0.0.9", role="wsus")))


def warm(*usual) -> World:
    world = World(HOSPITAL)
    world.age(5, flow(PC, "10.0.0.1", 53, app="dns"), *usual)
    return world


def find(world: World, flows=(), sightings=()) -> list[Finding]:
    return world.run(MassEffect(), world.window(flows, sightings))


def prints(count: int, source: str = PC) -> list:
    return [flow(source, f"10.0.5.{n}", 9100, n, app="printer") for n in range(1, count + 1)]


def test_a_print_storm_and_a_print_server() -> None:
    (told,) = find(warm(), prints(12))
    assert (told.variant, told.facts["count"]) == ("printers", 12)
    assert find(warm(*prints(12)), prints(12)) == []
    assert find(warm(), prints(4)) == []


def writes(source: str, count: int) -> list[Smb]:
    return [
        Smb(time_ns=START_NS + n * S, ip=source, port=50000, peer_ip=f"10.0.0.{20 + n}",
            peer_port=445, dialect=2, command=9, is_response=False, tree="\\\\s\\data",
            file="a\\update.exe", write_length=1000)
        for n in range(count)
    ]  # fmt: skip


def test_files_written_to_many_servers() -> None:
    (told,) = find(warm(), sightings=writes(PC, 6))
    assert (told.variant, told.facts["count"]) == ("servers", 6)
    assert find(warm(), sightings=writes(PC, 3)) == []
    assert find(warm(), sightings=writes("10.0.0.9", 6)) == []  # distributes software by trade


def test_reading_and_writing_alike_for_long() -> None:
    def share(sent: int, read: int, seconds: int = 300):
        return flow(
            PC, "10.0.0.3", 445, 0, app="smb", seconds=seconds, bytes=sent, reply_bytes=read
        )

    (told,) = find(warm(), [share(3_000_000_000, 3_100_000_000)])
    assert (told.variant, told.facts["minutes"]) == ("rewriting", 5)
    for harmless in (share(3_000_000_000, 90_000_000), share(300_000_000, 310_000_000)):
        assert find(warm(), [harmless]) == []


def parts(count: int, every_s: float = 60, sent: int = 600_000_000, read: int = 630_000_000):
    """A living connection as an exporter reports it: once a minute."""
    return [
        flow(PC, "10.0.0.3", 445, n * every_s, "S1", app="smb", seconds=59, bytes=sent,
             reply_bytes=read, part=n)
        for n in range(count)
    ]  # fmt: skip


def test_the_parts_of_a_connection_count_together() -> None:
    world = warm()
    told = [find(world, [part]) for part in parts(5)]
    assert [len(found) for found in told] == [0, 0, 0, 1, 1]
    assert told[3][0].facts == {"mb": 2400, "read_mb": 2520, "minutes": 4}
    assert find(warm(), parts(5)) == told[4]  # whatever the windows


def test_slow_encryption_is_told_when_much_goes_both_ways_alike() -> None:
    world, slow = warm(), {"sent": 81_000_000, "read": 80_000_000}
    told = [find(world, [part]) for part in parts(10, **slow)]
    assert [len(found) for found in told] == [0] * 5 + [1] * 5
    assert told[5][0].score == 68.0 and find(warm(), parts(10))[0].score == 70.0
    assert find(warm(), parts(10, sent=81_000_000, read=60_000_000)) == []  # they do not agree
    assert find(warm(), parts(10, every_s=120, **slow)) == []  # half as much
    assert find(warm(), parts(2, sent=280_000_000, read=280_000_000)) == []  # too soon to say


def test_a_controller_that_rewrites_is_told_a_backup_server_is_not() -> None:
    for role, told in (("domain_controller", 1), ("backup", 0), ("file_server", 0)):
        world = World(Hospital(assets=(Asset(ip=PC, role=role),)))
        assert len(find(world, parts(5))) == told


def test_minutes_apart_one_sided_or_at_once_are_no_rewriting() -> None:
    assert find(warm(), parts(8, every_s=300)) == []  # a minute in five
    assert find(warm(), parts(8, read=90_000_000)) == []  # a folder is written
    assert find(warm(), parts(8, sent=20_000_000, read=21_000_000)) == []  # a mail file
    assert find(warm(), parts(8, every_s=0.1)) == []  # eight connections in one minute


def test_a_first_visit_to_the_backup_console() -> None:
    visit = flow(PC, "10.0.0.8", 9392, reply_bytes=4000)
    (told,) = find(warm(), [visit])
    assert told.variant == "backup"
    assert find(warm(visit), [visit]) == []
    assert find(warm(), [flow(PC, "10.0.0.8", 9392, reply_bytes=60)]) == []
