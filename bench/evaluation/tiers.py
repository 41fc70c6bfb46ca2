"""One truth, four kinds of sensor: what each would have seen of the same days."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from collector.exports.states import states_of
from collector.flows import FlowBatch
from collector.foreign.columns import name_by_port
from collector.sightings import Sighting
from sample_pcaps.simulated.attacks import BROADCAST

#: span: mirrored core switch · listener: a port in every VLAN · netflow: the core's exports,
#: every packet counted · sampled: the same, one packet in 100.
TIERS: Final = ("span", "netflow", "sampled", "listener")
_RATE: Final = 100


def seen_flows(flows: FlowBatch, tier: str, seed: int) -> FlowBatch:
    """The flows of a tier; what it cannot see is gone, what it cannot tell is blank."""
    if tier == "span":
        return flows
    if tier == "listener":  # no unicast
        return flows.take(np.zeros(len(flows), bool))
    # Routed traffic only: the core exports what it routes.
    routed = flows.take(_is_routed(flows))
    rows = routed.rows.copy()
    for column in (
        "source_mac",
        "destination_mac",
        "syn_window",
        "syn_mss",
        "syn_layout",
        "ttl_min",
        "ttl_max",
        "reply_ttl_min",
        "reply_ttl_max",
        "app",
    ):
        rows[column] = 0
    rows["syn_wscale"] = 255
    rows["vlan"] = 0
    rows["state"] = states_of(rows)
    if tier == "sampled":
        rows = _sampled(rows, seed)
    name_by_port(rows)
    return FlowBatch(rows)


def sees(sighting: Sighting, tier: str) -> bool:
    """Flow exports tell nothing but flows; the listener hears what is sent to everybody."""
    return tier == "span" or (tier == "listener" and sighting.kind in BROADCAST)


def _is_routed(flows: FlowBatch) -> Any:
    """By the third octet: each segment of the simulated hospital has its own, but for two /23."""
    third = [
        (column[:, 1] >> np.uint64(8)) & np.uint64(0xFFFFFE)
        for column in (flows.source, flows.destination)
    ]
    return third[0] != third[1]


def _sampled(rows: Any, seed: int) -> Any:
    """Packets drawn each way; a flow of which none was drawn is not exported."""
    rng = np.random.default_rng([seed, 3])
    sent = rng.binomial(np.minimum(rows["packets"], 1 << 40).astype(np.int64), 1 / _RATE)
    got = rng.binomial(np.minimum(rows["reply_packets"], 1 << 40).astype(np.int64), 1 / _RATE)
    kept = (sent + got) > 0
    thin = rows[kept].copy()
    for packets, volume, drawn in (
        ("packets", "bytes", sent[kept]),
        ("reply_packets", "reply_bytes", got[kept]),
    ):
        share = thin[volume] / np.maximum(thin[packets], 1)
        thin[packets] = drawn * _RATE
        thin[volume] = share * drawn * _RATE
    thin["sampling"], thin["one_way"] = _RATE, 1
    return thin
