"""The compiled pass over plain records says the same as the columns of `records`."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.exports import elements as e
from collector.exports import fill
from collector.exports.exporters import Domain, ExporterCounts
from collector.exports.records import Context, Records, flow_rows
from collector.exports.runs import Run
from collector.exports.templates import REVERSE, VARIABLE, FieldSpec, Template
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE
from collector.identify.kernels import identify_ports

PLAIN = sorted(
    e.FORWARD
    - {
        e.FIRST_US, e.LAST_US, e.FIRST_NS, e.LAST_NS, e.FIRST_BEFORE_US, e.LAST_BEFORE_US,
        e.BOOT_MS, e.DURATION_MS, e.DURATION_US, *e.SAMPLER, *e.RATE, e.PACKET_INTERVAL,
        e.PACKET_SPACE, e.SAMPLE_SIZE, e.SAMPLE_POPULATION, *e.ICMP_TYPE, *e.ICMP_CODE,
        e.SOURCE_V6, e.DESTINATION_V6,
    }
)  # fmt: skip

fields = st.one_of(
    st.builds(FieldSpec, st.sampled_from(PLAIN), st.sampled_from([1, 2, 3, 4, 6, 8, 11])),
    st.builds(FieldSpec, st.sampled_from([27, 28]), st.just(16)),
    st.builds(FieldSpec, st.sampled_from(sorted(e.BACKWARD)), st.just(8), st.just(REVERSE)),
    st.builds(FieldSpec, st.integers(400, 500), st.integers(0, 5), st.just(9)),
)
addresses = st.sampled_from(
    [
        (FieldSpec(8, 4), FieldSpec(12, 4)),
        (FieldSpec(27, 16), FieldSpec(28, 16)),
        (FieldSpec(8, 4), FieldSpec(12, 4), FieldSpec(27, 16), FieldSpec(28, 16)),
    ]
)
context = st.tuples(
    st.integers(0, 1 << 61),
    st.integers(0, 1 << 61),
    st.sampled_from([-1, 0, 5_000, (1 << 32) - 1]),
    st.sampled_from([-1, 0, 1_700_000_000_000]),
    st.integers(1, 1 << 32),
)


@settings(max_examples=300)
@given(
    addresses, st.lists(fields, max_size=14), st.lists(context, min_size=1, max_size=3),
    st.integers(0, 2**32), st.booleans(),
)  # fmt: skip
def test_compiled_rows_are_those_of_the_columns(
    ends: tuple[FieldSpec, ...],
    more: list[FieldSpec],
    contexts: list[tuple[int, ...]],
    seed: int,
    scales: bool,
) -> None:
    random = np.random.default_rng(seed)
    specs = [*ends, *more]
    random.shuffle(specs)  # type: ignore[arg-type]  # a list is shuffled in place
    template = Template(tuple(specs))
    assert template.plan is not None
    size = template.dtype.itemsize
    counts = random.integers(0, 4, len(contexts))
    body = random.integers(0, 256, int(counts.sum()) * size, dtype=np.uint8)
    body[random.random(len(body)) < 0.4] = 0
    at = (np.cumsum(counts) - counts) * size
    run = Run(
        Domain(ExporterCounts()), template, body, at, counts * size, np.array(contexts, np.int64)
    )
    out = np.empty(int(counts.sum()), OUTPUT_DTYPE)
    run.write(out, np.cumsum(counts) - counts, scales)
    told = [Context(0, *row) for row in contexts]
    records = Records(np.frombuffer(body.tobytes(), template.dtype), told, counts.tolist())
    wanted = flow_rows(records, scales)
    ports = ("protocol", "source_port", "destination_port", "app", "app_confidence")
    identify_ports(*(wanted[name] for name in ports))
    got = out.view(FLOW_DTYPE)
    for name in FLOW_DTYPE.names or ():
        assert got[name].tolist() == wanted[name].tolist(), name


@given(st.binary(max_size=200), st.lists(st.sampled_from([1, 2, 4, VARIABLE]), min_size=1))
def test_packing_reads_what_a_plain_loop_reads(body: bytes, lengths: list[int]) -> None:
    template = Template(tuple(FieldSpec(400 + n, size) for n, size in enumerate(lengths)))
    if template.shortest == 0 or not template.is_variable:
        return
    raw = np.frombuffer(body, np.uint8)
    packed = np.zeros((len(body) // template.shortest, template.dtype.itemsize), np.uint8)
    counts, whole = np.zeros(1, np.int64), np.zeros(1, np.int64)
    start, length = np.zeros(1, np.int64), np.array([len(body)], np.int64)
    fill.pack(raw, start, length, template.lengths, template.shortest, packed, counts, whole)
    wanted, is_whole = _packed(body, lengths, template.shortest)
    width = sum(size for size in lengths if size != VARIABLE)
    assert [bytes(row[:width]) for row in packed[: counts[0]]] == wanted
    assert bool(whole[0]) == is_whole


def _packed(body: bytes, lengths: list[int], shortest: int) -> tuple[list[bytes], bool]:
    at, records = 0, []
    while len(body) - at >= shortest:
        record = b""
        for size in lengths:
            if size != VARIABLE:
                record += body[at : at + size]
                at += size
                continue
            told = body[at] if at < len(body) else 0
            at += 1
            if told == 255:
                told = int.from_bytes(body[at : at + 2], "big") if at + 2 <= len(body) else 1 << 16
                at += 2
            at += told
        if at > len(body):
            return records, False
        records.append(record)
    return records, True
