"""What stands inside envelopes and tunnels is seen, however they are stacked."""

import pytest

from collector.fastlane import FastLane
from tests.collector.fastlane_envelopes import ENVELOPES
from tests.collector.fastlane_frames import SYN, chunk, ends, ethernet, ipv4, run, tcp

A, B = "10.0.0.1", "10.0.0.2"
INNER = ipv4(A, B, 6, tcp(40000, 445, SYN, b"x" * 40))


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_yields_the_packet_inside(name: str) -> None:
    lane = FastLane()
    lane.feed(chunk([(0, ENVELOPES[name](INNER))]))
    flows = lane.finish().flows
    inner = flows.take(flows.destination_port == 445)
    times = 2 if "several" in name else 1
    assert ends(inner) == [f"{A}:40000 > {B}:445 {times}/0 S0"]
    assert inner.bytes.tolist() == [times * len(INNER)]
    assert lane.counters.malformed == {}


@pytest.mark.parametrize("name", ENVELOPES)
def test_a_cut_envelope_is_no_fault_of_ours(name: str) -> None:
    frame = ENVELOPES[name](INNER)
    flows = run([chunk((0, frame[:size]) for size in range(len(frame)))])
    assert int(flows.packets.sum()) <= 3 * len(frame)


def test_the_depth_of_tunnels_is_bounded_and_told() -> None:
    packet = INNER
    for _ in range(6):
        packet = ENVELOPES["VXLAN"](packet)[14:]
    lane = FastLane()
    lane.feed(chunk([(0, ethernet(packet))]))
    assert len(lane.finish().flows) == 1  # the same outer ends each time
    assert lane.counters.malformed == {"nested_too_deep": 1}
