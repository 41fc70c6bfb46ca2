"""No bytes crash a decoder, and time order and cutting do not change what is told."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.decoders import DECODERS
from collector.packet import Pick
from collector.sighting_lane import SightingLane
from tests.collector.feeder import frames_of, packet_rows, picks_of

SAMPLES = (
    "rogue-network/ndpi_iphone.pcap", "rogue-network/ndpi_alexa-app.pcapng",
    "benign/ndpi_http_ipv6.pcap", "protocol/ifp_netbios.pcap", "protocol/ifp_dns.pcap",
    "benign/ndpi_quic_0RTT.pcap", "remote-tool-vpn/ndpi_rdp.pcap",
    "remote-tool-vpn/ndpi_anydesk.pcapng", "exploit/zeek_tls_heartbleed.pcap",
)  # fmt: skip


def test_each_kind_but_the_other_lanes_has_one_decoder() -> None:
    others = {Pick.NONE, Pick.DEEP, Pick.EXPORT}
    assert sorted(d.pick for d in DECODERS) == sorted(set(Pick) - others)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda d: d.pick.name)
@given(
    payload=st.binary(max_size=400),
    protocol=st.sampled_from([1, 6, 17, 58]),
    port=st.sampled_from([53, 137, 138]),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_random_bytes(decoder, payload, protocol, port) -> None:
    lane = SightingLane()
    rows = packet_rows(payload, kind=decoder.pick, protocol=protocol, peer_port=port)
    for sighting in lane.decode(*rows):
        sighting.to_json()
    assert not lane.failed


def test_real_packets_with_broken_bytes(captures) -> None:
    dice = random.Random(7)
    lane, told = SightingLane(), 0
    for name in SAMPLES:
        buffer, picks = picks_of(frames_of(captures / name))
        data = np.frombuffer(buffer, np.uint8).copy()
        for _ in range(30):
            broken, rows = data.copy(), picks.copy()
            for row in rows:
                at, length = int(row["payload_offset"]), int(row["payload_length"])
                for _ in range(dice.randrange(4)):
                    if length:
                        broken[at + dice.randrange(min(length, 120))] = dice.randrange(256)
                if dice.random() < 0.3:
                    row["payload_length"] = dice.randrange(length + 1)
            told += len(lane.decode(broken, rows))
    assert told > 1000
    assert lane.malformed
    assert not lane.failed


def test_order_and_cutting_do_not_matter(captures) -> None:
    buffer, picks = picks_of(frames_of(captures / SAMPLES[0]))
    whole = SightingLane().decode(buffer, picks)
    assert [s.time_ns for s in whole] == sorted(s.time_ns for s in whole)
    lane = SightingLane()
    parts = [s for row in range(len(picks)) for s in lane.decode(buffer, picks[row : row + 1])]
    assert sorted(parts, key=lambda s: s.time_ns) == whole
