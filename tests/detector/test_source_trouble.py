"""The sensor's own trouble becomes an alert about health, and recovery does not."""

from collector.sightings import SourceState
from detector.detection import Finding
from detector.source_trouble import SourceTrouble
from tests.detector.windows import START_NS, World


def state(name: str, lost: int = 0) -> SourceState:
    return SourceState(time_ns=START_NS, source="interface eth1", state=name, why="why", lost=lost)


def found(seen: list[SourceState]) -> list[Finding]:
    world = World()
    return world.run(SourceTrouble(), world.window(sightings=seen))


def test_a_silent_mirror_port_is_told_once() -> None:
    seen = [state("silent"), state("up")]
    (finding,) = found(seen)
    assert finding.variant == "silent"
    assert finding.source == "local interface eth1"


def test_lost_packets_are_told_with_their_number() -> None:
    (finding,) = found([state("losing", lost=12)])
    assert finding.facts["lost"] == 12


def test_a_source_that_works_is_no_alert() -> None:
    assert found([state("up")]) == []
