"""What leaves the hospital, counted in one pass and by columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.apps import APP_CODE
from collector.fastlane.layout import OUTPUT_DTYPE
from detector.detection import app_table
from detector.outbound.sent_kernels import add_sent
from detector.window_kernels import TO_ONE
from tests.detector.windows import World, flow

ENDS = ("10.0.1.7", "10.0.9.9", "203.0.113.5", "198.51.100.7", "224.0.0.251")


@given(st.integers(0, 1 << 30))
def test_sums_and_rows_are_those_of_columns(seed: int) -> None:
    random = np.random.default_rng(seed)
    window = World().window(
        flow(
            str(random.choice(ENDS)), str(random.choice(ENDS)), 445,
            app=str(random.choice(["smb", "tls"])), bytes=int(random.choice([500, 200_000])),
            reply_bytes=int(random.choice([500, 2_000_000])),
        )
        for _ in range(30)
    )  # fmt: skip
    flows, is_store = window.flows, app_table(("smb",))
    ours, theirs = (window.hosts.inside(n) for n in (window.source, window.destination))
    out = ours & ~theirs & (window.marks & TO_ONE != 0)
    stores = ours & theirs & (flows.app == APP_CODE["smb"]) & (flows.reply_bytes > 1_000_000)
    sums = np.full((len(window.hosts), 2), -1.0)
    large, read = np.empty(len(flows), np.int64), np.empty(len(flows), np.int64)
    counts = add_sent(
        flows.rows.view(OUTPUT_DTYPE), window.source, window.destination, window.marks,
        window.hosts.traits, is_store, sums, large, read,
    )  # fmt: skip
    assert large[: counts[0]].tolist() == np.flatnonzero(out & (flows.bytes >= 100_000)).tolist()
    assert read[: counts[1]].tolist() == np.flatnonzero(stores).tolist()
    for number in range(len(window.hosts)):
        mine = out & (window.source == number)
        expected = [flows.bytes[mine].sum(), flows.reply_bytes[mine].sum()] if mine.any() else -1
        assert (sums[number] == expected).all()
