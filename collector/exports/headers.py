"""Sampled packet headers, in sFlow or in IPFIX, become flows of one packet by the fast lane."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from collector.capture.chunk import INDEX_DTYPE
from collector.exports.states import states_of
from collector.exports.templates import VARIABLE, Template
from collector.fastlane.decode import decode_frame
from collector.fastlane.fragments import Fragments, new_fragments
from collector.fastlane.layout import (
    HEADER_DTYPE,
    MALFORMED,
    MAX_LAYERS,
    zeros_aligned,
)
from collector.fastlane.steps import COUNT_OFFLOADED
from collector.flows import FLOW_DTYPE

ETHERNET, RAW_IP = 1, 101  # LINKTYPE_*
#: Link type of the elements that hold a part of a packet; and its length on the wire.
_LINK_TYPES: Final = {315: ETHERNET, 313: RAW_IP}
_FRAME_SIZE: Final = 312
_MOST_BYTES: Final = 65535


@dataclass(frozen=True, slots=True)
class SampledHeader:
    """The first bytes of one packet of `rate`."""

    raw: bytes
    wire: int
    link_type: int
    rate: int
    order: int
    time_ns: int
    reported_ns: int


def header_rows(headers: Sequence[SampledHeader]) -> NDArray[Any]:
    """Rows of FLOW_DTYPE in the headers' order; headers without IP yield rows of family 0."""
    buffer = np.frombuffer(b"".join(header.raw for header in headers), np.uint8)
    index = zeros_aligned(len(headers), INDEX_DTYPE)
    index["captured"] = [len(header.raw) for header in headers]
    index["wire"] = [min(header.wire, _MOST_BYTES) for header in headers]
    index["link_type"] = [header.link_type for header in headers]
    index["offset"] = np.cumsum(index["captured"], dtype=np.int64) - index["captured"]
    heads = zeros_aligned(len(headers), HEADER_DTYPE)
    _innermost(
        buffer,
        index,
        zeros_aligned(MAX_LAYERS + 1, HEADER_DTYPE),
        new_fragments(64),
        np.zeros(len(MALFORMED), np.int64),
        np.uint64(0),
        heads,
    )
    flows = np.zeros(len(headers), FLOW_DTYPE)
    for side in ("source", "destination"):
        flows[side][:, 0], flows[side][:, 1] = heads[f"{side}_high"], heads[f"{side}_low"]
    for column in (
        "family", "protocol", "source_port", "destination_port", "vlan", "flags", "source_mac",
        "destination_mac",
    ):  # fmt: skip
        flows[column] = heads[column]
    flows["bytes"] = np.maximum(heads["ip_bytes"], 0)
    flows["ttl_min"] = flows["ttl_max"] = heads["ttl"]
    flows["first_ns"] = flows["last_ns"] = [header.time_ns for header in headers]
    flows["reported_ns"] = [header.reported_ns for header in headers]
    flows["sampling"] = [header.rate for header in headers]
    flows["packets"], flows["one_way"], flows["syn_wscale"] = 1, 1, 255
    flows["state"] = states_of(flows)
    return flows


@njit(cache=True, nogil=True)
def _innermost(
    buffer: NDArray[Any],
    index: NDArray[Any],
    layers: NDArray[Any],
    fragments: Fragments,
    malformed: NDArray[Any],
    seed: Any,
    heads: NDArray[Any],
) -> None:
    """Keep the last IP header of each packet (family 0 where there is none)."""
    options = COUNT_OFFLOADED
    for number in range(len(index)):
        layers[0].family = 0
        count = decode_frame(buffer, index[number], layers, 0, fragments, malformed, options, seed)
        if count > 0 and layers[count - 1].family != 0:
            heads[number] = layers[count - 1]


def sections_of(template: Template, body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(bytes, length on the wire, link type) of the packet section in each record of a set."""
    at = 0
    while len(body) - at >= template.shortest:
        section, wire, link_type = b"", 0, ETHERNET
        for field in template.fields:
            length = field.length
            if length == VARIABLE:
                length, at = _variable_length(body, at)
            value = body[at : at + length]
            at += length
            if field.enterprise == 0 and field.element in _LINK_TYPES:
                section, link_type = value, _LINK_TYPES[field.element]
            elif field.enterprise == 0 and field.element == _FRAME_SIZE:
                wire = int.from_bytes(value, "big")
        if at > len(body):
            return
        if section:
            yield section, max(wire, len(section)), link_type


def _variable_length(body: bytes, at: int) -> tuple[int, int]:
    """RFC 7011 §7: one byte, or 255 and two; returns the length and where the value starts."""
    if body[at : at + 1] == b"\xff":
        return int.from_bytes(body[at + 1 : at + 3], "big"), at + 3
    return int.from_bytes(body[at : at + 1], "big"), at + 1
