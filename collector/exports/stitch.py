"""Two one-way records of one connection become one flow with both directions."""

from __future__ import annotations

import numpy as np

from collector.exports.kernels import pair_directions, part_pairs
from collector.fastlane.layout import OUTPUT_DTYPE
from collector.flows import FLOW_DTYPE, FlowBatch

_NEVER = (1 << 63) - 1


def stitch(flows: FlowBatch, within_s: float) -> FlowBatch:
    """Join one-way records whose addresses, ports and protocol mirror each other.

    Two records are joined when one began no more than `within_s` after the other. The originator
    is the side that sent a SYN without ACK, else the one that began first, else the one with the
    higher port. What finds no partner stays as it is. Rows come in order of `reported_ns`.
    """
    if len(flows) < 2:
        return flows
    rows = np.ascontiguousarray(flows.rows).view(OUTPUT_DTYPE)
    order = np.argsort(rows["first_ns"], kind="stable")
    partner = pair_directions(rows, order, int(within_s * 1e9))
    joined = np.empty(len(rows), OUTPUT_DTYPE)
    joined = joined[: part_pairs(rows, partner, _NEVER, joined, joined[:0])[0]]
    # Input in another order than it was reported is put right; usually there is nothing to do.
    if (np.diff(joined["reported_ns"]) < 0).any():
        joined = joined[np.argsort(joined["reported_ns"], kind="stable")]
    return FlowBatch(joined.view(FLOW_DTYPE), flows.sensors)
