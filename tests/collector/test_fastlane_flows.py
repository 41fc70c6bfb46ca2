"""Flows: who began, which state, when they end."""

import pytest

from collector.fastlane.lane import FastLane
from collector.flows import STATES
from tests.collector.fastlane_frames import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    chunk,
    cut,
    ends,
    ethernet,
    icmp,
    ipv4,
    run,
    tcp,
    udp,
)  # fmt: skip

A, B = "10.0.0.1", "10.0.0.2"
OUT, BACK = True, False
#: Packets (direction, flags, payload bytes) → Zeek's state.
CONNECTIONS = {
    "S0": [(OUT, SYN, 0), (OUT, SYN, 0)],
    "S1": [(OUT, SYN, 0), (BACK, SYN | ACK, 0), (OUT, ACK, 0), (OUT, PSH | ACK, 9)],
    "SF": [(OUT, SYN, 0), (BACK, SYN | ACK, 0), (OUT, ACK, 0), (OUT, FIN | ACK, 0),
           (BACK, FIN | ACK, 0), (OUT, ACK, 0)],
    "REJ": [(OUT, SYN, 0), (BACK, RST | ACK, 0)],
    "S2": [(OUT, SYN, 0), (BACK, SYN | ACK, 0), (OUT, FIN | ACK, 0), (BACK, ACK, 0)],
    "S3": [(OUT, SYN, 0), (BACK, SYN | ACK, 0), (OUT, ACK, 0), (BACK, FIN | ACK, 0)],
    "RSTO": [(OUT, SYN, 0), (BACK, SYN | ACK, 0), (OUT, ACK, 0), (OUT, PSH | ACK, 5),
             (OUT, RST, 0)],
    "RSTR": [(OUT, SYN, 0), (BACK, SYN | ACK, 0), (OUT, PSH | ACK, 5), (BACK, RST, 0)],
    "RSTOS0": [(OUT, SYN, 0), (OUT, RST, 0)],
    "SH": [(OUT, SYN, 0), (OUT, FIN, 0)],
    "SHR": [(BACK, SYN | ACK, 0), (BACK, FIN, 0)],
    "RSTRH": [(BACK, SYN | ACK, 0), (BACK, RST, 0)],
    "OTH": [(OUT, ACK, 9), (BACK, ACK, 9)],
}  # fmt: skip


@pytest.mark.parametrize("state", CONNECTIONS)
def test_names_the_state_as_zeek_does(state: str) -> None:
    frames = []
    sent = {OUT: 1000, BACK: 5000}
    for number, (way, flags, size) in enumerate(CONNECTIONS[state]):
        seq, ack = sent[way], sent[not way] if flags & ACK else 0
        ports, hosts = ((40000, 80), (A, B)) if way else ((80, 40000), (B, A))
        segment = tcp(*ports, flags, b"x" * size, seq, ack)
        frames.append((number / 100, ethernet(ipv4(*hosts, 6, segment))))
        if not (state == "S0" and number == 0):
            sent[way] += size + (flags & (SYN | FIN) != 0)
    flows = run([chunk(frames)])
    out = sum(way for way, _, _ in CONNECTIONS[state])
    replies = len(frames) - out
    assert ends(flows) == [f"{A}:40000 > {B}:80 {out}/{replies} {state}"]
    assert STATES[flows.state[0]] == state


def test_a_new_syn_on_known_ports_is_a_new_connection() -> None:
    def connect(at: float, seq: int) -> list[tuple[float, bytes]]:
        return [
            (at, ethernet(ipv4(A, B, 6, tcp(40000, 80, SYN, seq=seq)))),
            (at + 0.1, ethernet(ipv4(B, A, 6, tcp(80, 40000, SYN | ACK, seq=9, ack=seq + 1)))),
        ]

    flows = run([chunk(connect(0, 100) + connect(1, 100) + connect(2, 7777))])
    assert ends(flows) == [f"{A}:40000 > {B}:80 2/2 S1", f"{A}:40000 > {B}:80 1/1 S1"]


def test_udp_flows_end_after_a_minute_without_packets() -> None:
    frames = [(at, ethernet(ipv4(A, B, 17, udp(4000, 4001, b"x")))) for at in (0, 59, 130, 131)]
    flows = run([chunk(frames)])
    assert flows.packets.tolist() == [2, 2]
    assert (flows.last_ns - flows.first_ns).tolist() == [59 * 10**9, 10**9]


def dns(at: float, ident: int = 1) -> tuple[float, bytes]:
    return at, ethernet(ipv4(A, B, 17, udp(4000 + ident, 53, b"x")))


@pytest.mark.parametrize(
    ("times", "packets"),
    [
        ((0, 9, 14), [3]),  # looked at at 14, the first packet after 10: 5 s of silence
        ((0, 3, 14), [2, 1]),  # looked at at 14: 11 s
        ((0, 9.5, 12, 21), [4]),
    ],
)
def test_dns_ends_when_a_look_every_ten_seconds_finds_it_silent(
    times: tuple[float, ...], packets: list[int]
) -> None:
    assert run([chunk([dns(at) for at in times])]).packets.tolist() == packets


def test_another_flows_packet_lets_the_clock_look_at_a_dns_flow() -> None:
    frames = [dns(0), dns(8), dns(12, ident=2), dns(19)]
    flows = run([chunk(frames)])
    assert sorted(flows.packets.tolist()) == [1, 3]


def test_the_likely_server_answers_even_if_seen_first() -> None:
    frames = [
        (0, ethernet(ipv4(B, A, 17, udp(53, 4000, b"x")))),
        (1, ethernet(ipv4(B, A, 6, tcp(443, 50000, ACK, b"x")))),
    ]
    assert ends(run([chunk(frames)])) == [
        f"{A}:4000 > {B}:53 0/1 SHR",
        f"{A}:50000 > {B}:443 0/1 OTH",
    ]


def test_icmp_pairs_request_and_reply_with_type_and_code_as_ports() -> None:
    frames = [
        (0, ethernet(ipv4(A, B, 1, icmp(8)))),
        (1, ethernet(ipv4(B, A, 1, icmp(0)))),
        (2, ethernet(ipv4(B, A, 1, icmp(3, 1)))),
        (3, ethernet(ipv4(A, B, 1, icmp(3, 1)))),
    ]
    assert ends(run([chunk(frames)])) == [
        f"{A}:8 > {B}:0 1/1 OTH",
        f"{B}:3 > {A}:1 1/0 OTH",
        f"{A}:3 > {B}:1 1/0 OTH",
    ]


def test_an_active_timeout_reports_in_parts_that_add_up() -> None:
    frames = [
        (at, ethernet(ipv4(A, B, 17, udp(4000, 4001, b"x" * at)))) for at in range(0, 200, 10)
    ]
    whole = run([chunk(frames)])
    parts = run([chunk(frames)], active_s=60)
    assert parts.part.tolist() == [0, 1, 2, 3]
    assert parts.end_reason.tolist() == [2, 2, 2, 4]
    assert int(parts.packets.sum()) == int(whole.packets[0]) == 20
    assert int(parts.bytes.sum()) == int(whole.bytes[0])
    assert set(parts.state.tolist()) == set(whole.state.tolist())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_chunks_do_not_change_flows(size: int) -> None:
    frames = [
        (at * 3.7 % 211 + at, ethernet(ipv4(A, B, 17, udp(4000 + at % 7, 53, b"x"))))
        for at in range(300)
    ]
    whole = chunk(frames)
    assert run(cut(whole, size)).rows.tobytes() == run([whole]).rows.tobytes()


def test_past_the_limit_flows_are_evicted_and_counted() -> None:
    frames = [
        (at / 1000, ethernet(ipv4(A, B, 17, udp(1024 + at, 9999, b"x")))) for at in range(100)
    ]
    flows = run([chunk(frames)], max_flows=16)
    assert len(flows) == 100
    assert flows.end_reason.tolist() == [5] * 84 + [4] * 16


def test_time_that_runs_backwards_keeps_reports_in_order() -> None:
    times = [0, 500, 3, 1000, 2, 999, 10**9, 5, 6]
    frames = [(at, ethernet(ipv4(A, B, 17, udp(4000, 4001, b"x")))) for at in times]
    flows = run(cut(chunk(frames), 1))
    assert (flows.reported_ns[1:] >= flows.reported_ns[:-1]).all()
    assert int(flows.packets.sum()) == len(times)
    assert (flows.first_ns <= flows.last_ns).all()


def test_the_table_grows_while_flows_live() -> None:
    """More live flows than the table starts with: none is lost, and each keeps its answers."""
    hosts = [f"10.{n >> 12}.{n >> 6 & 63}.{n & 63}" for n in range(70_000)]
    asked = [
        (n / 1e4, ethernet(ipv4(A, host, 17, udp(4000, 5000)))) for n, host in enumerate(hosts)
    ]
    answered = [
        (8 + n / 1e4, ethernet(ipv4(host, A, 17, udp(5000, 4000)))) for n, host in enumerate(hosts)
    ]
    flows = run(cut(chunk([*asked, *answered]), 1000))
    assert len(flows) == len(hosts)
    assert set(zip(flows.packets.tolist(), flows.reply_packets.tolist(), strict=True)) == {(1, 1)}
    first, second = FastLane(), FastLane()
    for piece in cut(chunk(asked), 1000):
        first.feed(piece)
    assert second.adopt(first.live_rows()) == len(hosts)
    assert len(second.finish().flows) == len(hosts)
