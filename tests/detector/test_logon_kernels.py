"""Logon sessions gathered in compiled loops are those that plain Python gathers."""

from itertools import groupby

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE
from detector.lateral.logon_kernels import count_recent, gather_sessions
from detector.sift_kernels import LOGON

SSH, SSH_SENT, SHORT_NS = 2, 60, 50
MOST_BYTES = np.array([10, 20, 30, 40])
#: Source, target, application, start, length, bytes sent and received, whether it is a logon.
FLOWS = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.integers(0, 3), st.integers(0, 20),
        st.integers(40, 60), st.integers(50, 70), st.integers(0, 45), st.booleans(),
    ),
    max_size=50,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(FLOWS)
def test_sessions_are_those_of_sorted_rows(told: list[tuple[int, ...]]) -> None:
    table = np.array(told, np.int64).reshape(-1, 8)
    rows = np.zeros(len(table), FLOW_DTYPE)
    rows["app"], rows["first_ns"] = table[:, 2], table[:, 3]
    rows["last_ns"] = table[:, 3] + table[:, 4]
    rows["bytes"], rows["reply_bytes"] = table[:, 5], table[:, 6]
    chosen, kept, starts, has_short = gather_sessions(
        rows.view(OUTPUT_DTYPE), table[:, 0].astype(np.uint32), table[:, 1].astype(np.uint32),
        (table[:, 7] * LOGON).astype(np.uint32), MOST_BYTES, SSH, SSH_SENT, SHORT_NS,
    )  # fmt: skip

    order = sorted((n for n, one in enumerate(told) if one[7]), key=lambda n: told[n][:4])
    expected = []
    for n in order:
        _, _, app, start, length, sent, received, _ = told[n]
        is_short = received <= MOST_BYTES[app] and (app != SSH or sent <= SSH_SENT)
        expected.append([start, sent, received, int(is_short and length <= SHORT_NS)])
    assert chosen.tolist() == order
    assert kept.tolist() == expected
    groups = [list(g) for _, g in groupby(range(len(order)), key=lambda at: told[order[at]][:3])]
    assert starts.tolist() == [group[0] for group in groups]
    assert has_short.tolist() == [any(expected[at][3] for at in group) for group in groups]


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 1)), min_size=1), st.integers(1, 50))
def test_recent_ones_are_counted_as_numpy_counts(told: list[tuple[int, int]], span: int) -> None:
    kept = np.zeros((len(told), 4), np.int64)
    kept[:, 0], kept[:, 3] = np.array(told).T
    latest = kept[:, 0].max()
    recent = kept[:, 0] > latest - span
    assert count_recent(kept, span) == (latest, recent.sum(), (recent & (kept[:, 3] != 0)).sum())
