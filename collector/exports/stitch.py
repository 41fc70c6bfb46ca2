"""Two one-way records of one connection become one flow with both directions."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.exports.kernels import pair_directions
from collector.exports.states import states_of
from collector.flows import FlowBatch

_SYN, _ACK = 2, 16
_ICMP: Final = (1, 58)
#: ICMP answers carry another type than their questions (RFC 792, RFC 4443).
_ANSWER_TYPES: Final = {0: 8, 14: 13, 16: 15, 18: 17, 129: 128}


def stitch(flows: FlowBatch, within_s: float) -> FlowBatch:
    """Join one-way records whose addresses, ports and protocol mirror each other.

    Two records are joined when one began no more than `within_s` after the other. The originator
    is the side that sent a SYN without ACK, else the one that began first, else the one with the
    higher port. What finds no partner stays as it is.
    """
    rows = flows.rows
    chosen = np.flatnonzero(rows["one_way"] == 1)
    if len(chosen) < 2:
        return flows
    group, direction = _keys(rows[chosen])
    order = np.lexsort((chosen, rows["first_ns"][chosen], group))
    partner = pair_directions(
        group[order], direction[order], rows["first_ns"][chosen][order], int(within_s * 1e9)
    )
    earlier = np.flatnonzero(partner > np.arange(len(partner)))
    left, right = chosen[order[earlier]], chosen[order[partner[earlier]]]
    is_left = _starts(rows[left], rows[right])
    ours, theirs = np.where(is_left, left, right), np.where(is_left, right, left)
    joined = _joined(rows[ours], rows[theirs])
    keep = np.ones(len(rows), bool)
    keep[left] = keep[right] = False
    merged = np.concatenate([rows[keep], joined])
    return FlowBatch(merged[np.argsort(merged["reported_ns"], kind="stable")], flows.sensors)


def _keys(rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(group, direction): mirrored tuples share the group and differ in direction 0 or 1."""
    ports = rows["source_port"].astype(np.uint64), rows["destination_port"].astype(np.uint64)
    is_icmp = np.isin(rows["protocol"], _ICMP)
    kind = ports[0].copy()
    for answer, question in _ANSWER_TYPES.items():
        kind[is_icmp & (kind == answer)] = question
    near, far = np.where(is_icmp, kind, ports[0]), np.where(is_icmp, kind, ports[1])
    source = np.column_stack([rows["source"], near])
    destination = np.column_stack([rows["destination"], far])
    is_swapped = _greater(source, destination)
    low = np.where(is_swapped[:, None], destination, source)
    high = np.where(is_swapped[:, None], source, destination)
    fixed = np.column_stack([rows["protocol"], rows["sensor"]]).astype(np.uint64)
    _, group = np.unique(np.column_stack([low, high, fixed]), axis=0, return_inverse=True)
    return group.reshape(-1).astype(np.int64), is_swapped.astype(np.int64)


def _greater(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """Row-wise comparison, first column first."""
    result = np.zeros(len(left), bool)
    for column in range(left.shape[1] - 1, -1, -1):
        differs = left[:, column] != right[:, column]
        result = np.where(differs, left[:, column] > right[:, column], result)
    return result


def _starts(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """True where `left` is the originator's half."""
    asks = [(half["flags"] & (_SYN | _ACK)) == _SYN for half in (left, right)]
    # A whole connection's union shows SYN and ACK on both sides; then time decides, then ports.
    by_port = left["source_port"] >= right["source_port"]
    by_time = np.where(
        left["first_ns"] == right["first_ns"], by_port, left["first_ns"] < right["first_ns"]
    )
    return np.where(asks[0] != asks[1], asks[0], by_time)


def _joined(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
    joined = ours.copy()
    joined["first_ns"] = np.minimum(ours["first_ns"], theirs["first_ns"])
    for column in ("last_ns", "reported_ns", "sampling"):
        joined[column] = np.maximum(ours[column], theirs[column])
    joined["reply_packets"], joined["reply_bytes"] = theirs["packets"], theirs["bytes"]
    joined["reply_flags"] = theirs["flags"]
    joined["reply_ttl_min"], joined["reply_ttl_max"] = theirs["ttl_min"], theirs["ttl_max"]
    for column, mirrored in (
        ("source_mac", "destination_mac"),
        ("destination_mac", "source_mac"),
        ("vlan", "vlan"),
    ):
        joined[column] = np.where(ours[column] == 0, theirs[mirrored], ours[column])
    better = theirs["app_confidence"] > ours["app_confidence"]
    for column in ("app", "app_confidence"):
        joined[column] = np.where(better, theirs[column], ours[column])
    joined["one_way"] = 0
    joined["state"] = states_of(joined)
    return joined
