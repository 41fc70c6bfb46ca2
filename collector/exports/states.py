"""Connection states from what an export tells: the union of each side's TCP flags."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.flows import STATE_CODE

_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_TCP: Final = 6


def states_of(flows: NDArray[Any]) -> NDArray[np.uint8]:
    """Zeek's state of each row of FLOW_DTYPE, as far as unions of flags can show it."""
    ours, theirs = flows["flags"], flows["reply_flags"]
    is_answered = flows["reply_packets"] > 0
    has_syn, has_fin, has_rst = (ours & bit != 0 for bit in (_SYN, _FIN, _RST))
    got_syn, got_fin, got_rst = (theirs & bit != 0 for bit in (_SYN, _FIN, _RST))
    is_tcp = flows["protocol"] == _TCP
    # Where only one direction is exported, an ACK from the originator shows that it was answered.
    is_open = has_syn & np.where(flows["one_way"] == 1, ours & _ACK != 0, got_syn)
    is_one_way = flows["one_way"] == 1
    cases = (
        (~is_tcp & is_answered, "SF"),
        (~is_tcp & ~is_one_way, "S0"),
        (~is_tcp, "OTH"),
        (has_syn & got_rst & ~got_syn, "REJ"),
        (is_open & has_rst, "RSTO"),
        (is_open & got_rst, "RSTR"),
        (is_open & has_fin & (got_fin | is_one_way), "SF"),
        (is_open & has_fin, "S2"),
        (is_open & got_fin, "S3"),
        (is_open, "S1"),
        (has_syn & ~is_answered & has_fin, "SH"),
        (has_syn & ~is_answered & has_rst, "RSTOS0"),
        (has_syn & ~is_answered, "S0"),
    )
    conditions = [condition for condition, _ in cases]
    codes = [np.uint8(STATE_CODE[name]) for _, name in cases]
    return np.select(conditions, codes, np.uint8(STATE_CODE["OTH"]))
