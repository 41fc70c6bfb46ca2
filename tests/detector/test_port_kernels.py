"""What may belong to a port scan is what plain numpy finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE
from detector.lateral.fans import ANY, Fans
from detector.lateral.port_kernels import PROTOCOLS, SUSPICIOUS, choose_tries
from detector.sift_kernels import IN_VAIN, TRIES

#: Source, target, port, protocol, and whether it is a try and in vain.
TRIED = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 2), st.integers(0, 9), st.sampled_from((1, 6, 17, 50)),
        st.booleans(), st.booleans(),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(tried=TRIED, before=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=20))
def test_tries_are_those_that_numpy_chooses(
    tried: list[tuple[int, int, int, int, bool, bool]], before: list[tuple[int, int]]
) -> None:
    told = np.array(tried, np.int64).reshape(-1, 6)
    rows = np.zeros(len(told), FLOW_DTYPE)
    rows["destination_port"], rows["protocol"] = told[:, 2], told[:, 3]
    rows["first_ns"] = np.arange(len(told)) * 7
    source, target = told[:, 0].astype(np.uint32), told[:, 1].astype(np.uint32)
    whose = (told[:, 4] * TRIES | told[:, 5] * IN_VAIN).astype(np.uint32)
    fans = Fans(100, 100, ANY)
    keys = np.array([s << 32 | 1 for s, _ in before], np.uint64)
    ports = np.array([port for _, port in before], np.uint64)
    fans.note(keys, ports, np.zeros(len(keys), np.int64), np.ones(len(keys), np.uint8))

    pair = source.astype(np.uint64) << np.uint64(32) | target
    is_try, vain = told[:, 4] > 0, (told[:, 4] > 0) & (told[:, 5] > 0)
    failures = np.array([int((vain & (pair == one)).sum()) for one in pair])
    met = np.array([len(fans.read(int(one))) for one in pair])
    chosen = is_try & (vain | (failures >= SUSPICIOUS) | (met >= SUSPICIOUS))
    expected = np.flatnonzero(chosen)
    expected = expected[np.argsort(pair[expected], kind="stable")]

    found, pairs, asked, whens, failed, starts = choose_tries(
        fans.tables, rows.view(OUTPUT_DTYPE), source, target, whose
    )
    assert found.tolist() == expected.tolist()
    assert pairs.tolist() == pair[expected].tolist()
    has_ports = np.isin(told[:, 3], (6, 17, 132))
    assert (
        asked.tolist() == np.where(has_ports, told[:, 2], PROTOCOLS + told[:, 3])[expected].tolist()
    )
    assert whens.tolist() == rows["first_ns"][expected].tolist()
    assert failed.tolist() == vain[expected].tolist()
    assert starts.tolist() == np.unique(pair[expected], return_index=True)[1].tolist()
