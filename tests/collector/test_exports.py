"""NetFlow, IPFIX and sFlow datagrams become flows: clocks, sampling, order, bounds, stitching."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.exports.decoder import ExportDecoder, ExportSettings
from collector.exports.stitcher import Stitcher
from collector.flows import STATES, FlowBatch, address_number, address_text
from tests.collector.exports_input import Payload, datagrams_of

EXPORTER = address_number("192.0.2.1")
NOW_S = 1_700_000_000
CLIENT, SERVER = b"\x0a\x01\x01\x05", b"\x0a\x02\x02\x07"
Field = tuple[int, int] | tuple[int, int, int]  # element, length, enterprise

TUPLE: list[Field] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (1, 4), (2, 4)]


def v5(records: bytes, count: int, sequence: int = 0, sampling: int = 0) -> bytes:
    return (
        struct.pack(">HHIIIIBBH", 5, count, 100_000, NOW_S, 0, sequence, 0, 0, sampling) + records
    )


def v5_record(first_ms: int = 40_000, last_ms: int = 90_000) -> bytes:
    return struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH",
        CLIENT, SERVER, bytes(4), 1, 2, 10, 1500, first_ms, last_ms, 50000, 445, 0, 0x1B, 6, 0,
        0, 0, 24, 24, 0,
    )  # fmt: skip


def template_set(set_id: int, number: int, fields: list[Field]) -> bytes:
    body = struct.pack(">HH", number, len(fields))
    for field in fields:
        if len(field) == 3:
            body += struct.pack(">HHI", field[0] | 0x8000, field[1], field[2])
        else:
            body += struct.pack(">HH", *field)
    return struct.pack(">HH", set_id, 4 + len(body)) + body


def data_set(number: int, records: bytes) -> bytes:
    return struct.pack(">HH", number, 4 + len(records)) + records


def ipfix(*sets: bytes, sequence: int = 0, domain: int = 1) -> bytes:
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), NOW_S, sequence, domain) + body


def v9(*sets: bytes, sequence: int = 0, uptime_ms: int = 100_000) -> bytes:
    return struct.pack(">HHIIII", 9, len(sets), uptime_ms, NOW_S, sequence, 1) + b"".join(sets)


def record(
    size: int = 1500, packets: int = 10, port: int = 50000, flags: int = 0x1B, extra: bytes = b""
) -> bytes:
    return CLIENT + SERVER + struct.pack(">HHBBII", port, 445, 6, flags, size, packets) + extra


def reply(size: int = 9000, packets: int = 8, port: int = 50000, flags: int = 0x1B) -> bytes:
    return SERVER + CLIENT + struct.pack(">HHBBII", 445, port, 6, flags, size, packets)


def stitch(flows: FlowBatch, within_s: float) -> FlowBatch:
    stitcher = Stitcher(within_s)
    done = stitcher.feed(flows, 0)
    return FlowBatch.join([done, stitcher.finish()])


def payload(message: bytes, time_s: int = NOW_S) -> Payload:
    return time_s * 10**9, EXPORTER, 2055, message


def decode(*messages: bytes, decoder: ExportDecoder | None = None) -> FlowBatch:
    decoder = decoder or ExportDecoder()
    return decoder.decode(datagrams_of([payload(message) for message in messages]))


def test_v5_tells_tuple_counts_times_and_state() -> None:
    flow = decode(v5(v5_record(), 1)).rows[0]
    assert address_text(*flow["source"]) == "10.1.1.5"
    assert (flow["destination_port"], flow["packets"], flow["bytes"]) == (445, 10, 1500)
    assert flow["first_ns"] == (NOW_S - 60) * 10**9
    assert flow["last_ns"] == (NOW_S - 10) * 10**9
    assert (flow["one_way"], flow["sampling"], STATES[flow["state"]]) == (1, 1, "SF")


def test_uptime_that_wrapped_is_still_in_the_past() -> None:
    flow = decode(v5(v5_record((1 << 32) - 5_000, 90_000), 1)).rows[0]
    assert flow["first_ns"] == (NOW_S - 105) * 10**9


def test_v5_sampling_multiplies_counts_and_is_marked() -> None:
    flow = decode(v5(v5_record(), 1, sampling=0x4000 | 100)).rows[0]
    assert (flow["sampling"], flow["packets"], flow["bytes"]) == (100, 1000, 150_000)


NTP_S = NOW_S + 2_208_988_800
CLOCKS: list[tuple[list[Field], bytes]] = [
    ([(152, 8), (153, 8)], struct.pack(">QQ", (NOW_S - 60) * 1000, (NOW_S - 10) * 1000)),
    ([(150, 4), (151, 4)], struct.pack(">II", NOW_S - 60, NOW_S - 10)),
    ([(154, 8), (155, 8)], struct.pack(">QQ", NTP_S - 60 << 32, NTP_S - 10 << 32)),
    ([(156, 8), (157, 8)], struct.pack(">QQ", NTP_S - 60 << 32, NTP_S - 10 << 32)),
    ([(158, 4), (159, 4)], struct.pack(">II", 60_000_000, 10_000_000)),
    (
        [(22, 4), (21, 4), (160, 8)],
        struct.pack(">IIQ", 40_000, 90_000, (NOW_S - 100) * 1000),
    ),
    ([(153, 8), (161, 4)], struct.pack(">QI", (NOW_S - 10) * 1000, 50_000)),
]


@pytest.mark.parametrize(("fields", "value"), CLOCKS, ids=lambda x: str(x)[:18])
def test_each_clock_tells_the_same_times(fields: list[Field], value: bytes) -> None:
    message = ipfix(template_set(2, 300, TUPLE + fields), data_set(300, record(extra=value)))
    flow = decode(message).rows[0]
    assert (flow["first_ns"], flow["last_ns"]) == ((NOW_S - 60) * 10**9, (NOW_S - 10) * 10**9)


def test_without_clock_the_export_time_counts() -> None:
    flow = decode(ipfix(template_set(2, 300, TUPLE), data_set(300, record()))).rows[0]
    assert flow["first_ns"] == flow["last_ns"] == NOW_S * 10**9


def test_a_start_of_the_clock_told_by_option_holds_for_later_records() -> None:
    options = struct.pack(">HHHHH", 3, 4 + 6 + 8, 400, 2, 1) + struct.pack(">HHHH", 149, 4, 160, 8)
    told = data_set(400, struct.pack(">IQ", 1, (NOW_S - 100) * 1000))
    clock: list[Field] = [(22, 4), (21, 4)]
    data = data_set(300, record(extra=struct.pack(">II", 40_000, 90_000)))
    flow = decode(ipfix(options, told, template_set(2, 300, TUPLE + clock), data)).rows[0]
    assert flow["first_ns"] == (NOW_S - 60) * 10**9


def test_a_samplers_rate_told_by_option_is_applied() -> None:
    options = struct.pack(">HHHHH", 1, 4 + 6 + 12, 400, 4, 8) + struct.pack(
        ">HHHHHH", 1, 4, 48, 1, 50, 4
    )
    told = data_set(400, struct.pack(">IBI", 1, 7, 512))
    fields: list[Field] = [*TUPLE, (48, 1)]
    template = template_set(0, 300, fields)
    flows = decode(v9(options, template, told, data_set(300, record(extra=b"\x07"))))
    assert (flows.sampling[0], flows.packets[0]) == (512, 5120)


def test_data_before_its_template_waits() -> None:
    decoder = ExportDecoder()
    assert len(decode(ipfix(data_set(300, record() * 3)), decoder=decoder)) == 0
    assert decoder.waiting_bytes > 0
    assert len(decode(ipfix(template_set(2, 300, TUPLE)), decoder=decoder)) == 3
    assert decoder.waiting_bytes == 0


def test_a_withdrawn_template_is_forgotten() -> None:
    decoder = ExportDecoder()
    decode(ipfix(template_set(2, 300, TUPLE)), decoder=decoder)
    withdrawal = struct.pack(">HHHH", 2, 8, 300, 0)
    flows = decode(ipfix(withdrawal, data_set(300, record())), decoder=decoder)
    assert len(flows) == 0


SWAPPED: list[Field] = [(12, 4), (8, 4), (11, 2), (7, 2), *TUPLE[4:]]


def told(flows: FlowBatch) -> list[str]:
    return [address_text(*row) for row in flows.source]


def test_data_of_an_exporter_that_began_anew_waits_for_its_new_template() -> None:
    """NetFlow v9 tells its uptime, IPFIX counts records from 0 again; batches or not."""
    for messages in (
        [
            v9(template_set(0, 300, TUPLE), data_set(300, record()), uptime_ms=90_000_000),
            v9(data_set(300, record()), uptime_ms=1_000),
            v9(template_set(0, 300, SWAPPED), uptime_ms=2_000, sequence=1),
            v9(data_set(300, record()), uptime_ms=3_000, sequence=2),
        ],
        [
            ipfix(template_set(2, 300, TUPLE), data_set(300, record()), sequence=700),
            ipfix(data_set(300, record()), sequence=0),
            ipfix(template_set(2, 300, SWAPPED), sequence=1),
            ipfix(data_set(300, record()), sequence=1),
        ],
    ):
        one, many = ExportDecoder(), ExportDecoder()
        whole = decode(*messages, decoder=one)
        assert told(whole) == ["10.1.1.5", "10.2.2.7", "10.2.2.7"]
        parts = FlowBatch.join([decode(message, decoder=many) for message in messages])
        assert np.array_equal(whole.rows, parts.rows)
        assert one.exporters["192.0.2.1"].restarts == many.exporters["192.0.2.1"].restarts == 1


def test_what_comes_late_or_comes_round_is_no_restart() -> None:
    for messages in (
        [v9(template_set(0, 300, TUPLE), uptime_ms=50_000), v9(uptime_ms=45_000)],
        [ipfix(template_set(2, 300, TUPLE), sequence=9_000), ipfix(sequence=8_900)],
        [ipfix(template_set(2, 300, TUPLE), sequence=(1 << 32) - 5), ipfix(sequence=25)],
        [ipfix(template_set(2, 300, TUPLE), sequence=0), ipfix(sequence=0)],
    ):
        decoder = ExportDecoder()
        data = data_set(300, record())
        late = messages[1][:2] + struct.pack(">H", len(messages[1]) + len(data)) + messages[1][4:]
        head = late if messages[1][1] == 10 else messages[1]
        assert len(decode(messages[0], head + data, decoder=decoder)) == 1
        assert decoder.exporters["192.0.2.1"].restarts == 0


def test_processes_that_count_apart_under_one_number_are_no_restarts() -> None:
    """Two cards of a router, each with its own uptime, go back and forth: data must not wait."""
    decoder = ExportDecoder()
    announced = template_set(0, 300, TUPLE)
    for _ in range(3):
        for uptime_ms in (90_000_000, 1_000):
            decode(v9(announced, data_set(300, record()), uptime_ms=uptime_ms), decoder=decoder)
    for uptime_ms in (90_000_000, 1_000) * 4:
        assert len(decode(v9(data_set(300, record()), uptime_ms=uptime_ms), decoder=decoder)) == 1
    assert decoder.exporters["192.0.2.1"].restarts == 2


def test_two_exporters_may_use_one_template_number() -> None:
    decoder = ExportDecoder()
    other = address_number("192.0.2.2")
    swapped: list[Field] = [(12, 4), (8, 4), *TUPLE[2:]]
    messages = [
        payload(ipfix(template_set(2, 300, TUPLE))),
        (0, other, 2055, ipfix(template_set(2, 300, swapped))),
        payload(ipfix(data_set(300, record()))),
        (0, other, 2055, ipfix(data_set(300, record()))),
    ]
    flows = decoder.decode(datagrams_of(messages))
    assert [address_text(*row) for row in flows.source] == ["10.1.1.5", "10.2.2.7"]


def test_fields_of_variable_length_and_of_other_makers_are_stepped_over() -> None:
    fields: list[Field] = [(96, 65535), *TUPLE, (110, 65535, 35632), (1234, 3, 9)]
    first = b"\x04name" + record() + b"\xff\x00\x05hello" + b"abc"
    second = b"\x00" + record(port=50001) + b"\x00" + b"abc"
    flows = decode(ipfix(template_set(2, 300, fields), data_set(300, first + second + b"\0")))
    assert list(flows.source_port) == [50000, 50001]


def test_a_biflow_has_both_directions() -> None:
    fields: list[Field] = [*TUPLE, (1, 8, 29305), (2, 8, 29305), (6, 1, 29305)]
    data = record(extra=struct.pack(">QQB", 7000, 9, 0x1B))
    flow = decode(ipfix(template_set(2, 300, fields), data_set(300, data))).rows[0]
    assert (flow["reply_bytes"], flow["reply_packets"], flow["one_way"]) == (7000, 9, 0)


def test_numbers_may_be_shortened_to_any_size() -> None:
    fields: list[Field] = [*TUPLE[:6], (1, 3), (2, 5)]
    data = record()[:14] + (70_000).to_bytes(3, "big") + (12).to_bytes(5, "big")
    flow = decode(ipfix(template_set(2, 300, fields), data_set(300, data))).rows[0]
    assert (flow["bytes"], flow["packets"]) == (70_000, 12)


def test_gaps_in_sequence_numbers_are_counted() -> None:
    decoder = ExportDecoder()
    decode(v5(v5_record(), 1, 0), v5(v5_record(), 1, 1), v5(v5_record(), 1, 7), decoder=decoder)
    assert decoder.exporters["192.0.2.1"].lost == 5
    decoder = ExportDecoder()
    template = template_set(2, 300, TUPLE)
    decode(ipfix(template, data_set(300, record() * 2)), decoder=decoder)
    decode(ipfix(data_set(300, record()), sequence=2), decoder=decoder)
    decode(ipfix(data_set(300, record()), sequence=9), decoder=decoder)
    assert decoder.exporters["192.0.2.1"].lost == 6


def test_malformed_sets_are_counted_and_the_rest_is_read() -> None:
    decoder = ExportDecoder()
    good = ipfix(template_set(2, 300, TUPLE), data_set(300, record()))
    bad = ipfix(struct.pack(">HH", 300, 900))
    flows = decode(good, bad, b"\0\x09", v5(v5_record(), 2), decoder=decoder)
    assert len(flows) == 2
    assert dict(decoder.exporters["192.0.2.1"].malformed) == {
        "set length does not fit": 1,
        "datagram cut short": 2,
    }


def test_batching_changes_nothing() -> None:
    options = struct.pack(">HHHHH", 1, 4 + 6 + 8, 400, 4, 4) + struct.pack(">HHHH", 1, 4, 34, 4)
    messages = [
        v9(template_set(0, 300, TUPLE), data_set(300, record() * 2)),
        v9(options, data_set(400, struct.pack(">II", 1, 10)), sequence=1),
        v9(data_set(300, record(port=50001)), sequence=2),
        v5(v5_record(), 1),
        v9(data_set(400, struct.pack(">II", 1, 20)), data_set(300, record()), sequence=3),
    ]
    one, many = ExportDecoder(), ExportDecoder()
    whole = decode(*messages, decoder=one)
    parts = FlowBatch.join([decode(message, decoder=many) for message in messages])
    assert np.array_equal(whole.rows, parts.rows)
    assert list(whole.sampling) == [1, 1, 10, 1, 20]


def test_memory_stays_in_bounds() -> None:
    limits = ExportSettings(most_exporters=4, most_templates=8, most_waiting_bytes=10_000)
    decoder = ExportDecoder(limits)
    for number in range(256, 400):
        decode(ipfix(data_set(number, record() * 20), domain=number % 9), decoder=decoder)
        decode(ipfix(template_set(2, number, TUPLE), domain=3), decoder=decoder)
    assert decoder.waiting_bytes <= 10_000
    assert set(decoder.shed) == {
        "exports: exporters forgotten",
        "exports: templates forgotten",
        "exports: data without template",
    }


def test_two_directions_become_one_flow() -> None:
    template = template_set(2, 300, TUPLE)
    one_way = decode(ipfix(template, data_set(300, reply() + record() + record(port=50009))))
    flows = stitch(one_way, within_s=60)
    assert sorted(flows.one_way) == [0, 1]
    flow = flows.rows[np.flatnonzero(flows.one_way == 0)[0]]
    assert address_text(*flow["source"]) == "10.1.1.5"
    assert (flow["bytes"], flow["reply_bytes"], flow["reply_packets"]) == (1500, 9000, 8)
    assert STATES[flow["state"]] == "SF"


def test_a_refused_syn_is_a_rejected_connection() -> None:
    template = template_set(2, 300, TUPLE)
    syn, reset = record(60, 1, flags=0x02), reply(40, 1, flags=0x14)
    flows = stitch(decode(ipfix(template, data_set(300, reset + syn))), within_s=60)
    assert [STATES[state] for state in flows.state] == ["REJ"]
    assert address_text(*flows.source[0]) == "10.1.1.5"


def test_directions_far_apart_in_time_are_two_connections() -> None:
    decoder = ExportDecoder()
    early = decode(ipfix(template_set(2, 300, TUPLE), data_set(300, record())), decoder=decoder)
    late = decode(ipfix(data_set(300, reply())), decoder=decoder)
    late.rows["first_ns"] += 600 * 10**9
    assert list(stitch(FlowBatch.join([early, late]), within_s=60).one_way) == [1, 1]


SEEDS = [
    v5(v5_record() * 2, 2),
    v9(template_set(0, 300, TUPLE), data_set(300, record() * 3)),
    ipfix(template_set(2, 300, [(96, 65535), *TUPLE]), data_set(300, b"\x02ab" + record())),
    ipfix(template_set(2, 300, [(315, 65535), (312, 2)]), data_set(300, b"\x04abcd\x00\x40")),
    struct.pack(">7I", 5, 1, 0x7F000001, 0, 1, 1, 1)
    + struct.pack(">2I", 1, 0x50)
    + struct.pack(">8I", 1, 1, 100, 0, 0, 1, 2, 1)
    + struct.pack(">6I", 1, 0x28, 1, 60, 4, 24)
    + bytes(24),
]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(SEEDS),
            st.integers(0, 300),
            st.lists(st.tuples(st.integers(0, 299), st.integers(0, 255)), max_size=6),
        ),
        max_size=8,
    )
)
def test_no_bytes_crash_the_decoder(
    messages: list[tuple[bytes, int, list[tuple[int, int]]]],
) -> None:
    decoder = ExportDecoder(ExportSettings(most_waiting_bytes=1000))
    broken = []
    for seed, size, changes in messages:
        message = bytearray(seed[:size])
        for at, value in changes:
            if at < len(message):
                message[at] = value
        broken.append(bytes(message))
    flows = decode(*broken, decoder=decoder)
    assert decoder.waiting_bytes <= 1000
    assert (flows.first_ns <= flows.last_ns).all()
    assert len(stitch(flows, 60)) <= len(flows)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=6))
def test_noise_behind_a_valid_version_does_not_crash_it(messages: list[bytes]) -> None:
    starts = (b"\0\x05", b"\0\x09", b"\0\x0a", b"\0\0\0\x05")
    decode(*(starts[i % 4] + message for i, message in enumerate(messages)))


def test_a_samplers_new_rate_leaves_earlier_records_alone() -> None:
    options = struct.pack(">HHHHH", 1, 4 + 6 + 12, 400, 4, 8) + struct.pack(
        ">HHHHHH", 1, 4, 48, 1, 50, 4
    )
    fields: list[Field] = [*TUPLE, (48, 1)]
    data = data_set(300, record(extra=b"\x07"))
    first, second = (data_set(400, struct.pack(">IBI", 1, 7, rate)) for rate in (10, 20))
    flows = decode(v9(options, template_set(0, 300, fields), first, data, second, data))
    assert list(flows.sampling) == [10, 20]


def test_data_that_waits_for_templates_is_bounded() -> None:
    decoder = ExportDecoder(ExportSettings(most_waiting_bytes=1000))
    for _ in range(5):
        decode(ipfix(data_set(300, record() * 20)), decoder=decoder)
    assert decoder.waiting_bytes == 2 * len(record() * 20)
    assert decoder.shed == {"exports: data without template": 3}


def test_who_sent_the_syn_is_the_originator_whatever_the_clock_says() -> None:
    template = template_set(2, 300, [*TUPLE, (152, 8), (153, 8)])
    early, late = (struct.pack(">QQ", (NOW_S - ago) * 1000, NOW_S * 1000) for ago in (9, 5))
    syn, reset = record(60, 1, flags=0x02) + late, reply(40, 1, flags=0x14) + early
    flows = stitch(decode(ipfix(template, data_set(300, reset + syn))), within_s=60)
    assert address_text(*flows.source[0]) == "10.1.1.5"
