"""A template as a list of steps for the compiled loop, where all of its elements are plain ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.exports import elements as e
from collector.exports.templates import Template

# What a step fills.
(
    SOURCE_V6, DESTINATION_V6, SOURCE_V4, DESTINATION_V4, PROTOCOL, SOURCE_PORT, DESTINATION_PORT,
    FLAGS, BYTES, PACKETS, REPLY_BYTES, REPLY_PACKETS, SOURCE_MAC, DESTINATION_MAC, VLAN, TTL_MIN,
    TTL_MAX, REPLY_FLAGS, REPLY_TTL_MIN, REPLY_TTL_MAX, REASON, ICMP_BOTH, FIREWALL, FIRST, LAST,
) = range(25)  # fmt: skip
# How a time is told.
MILLISECONDS, SECONDS, UPTIME = range(3)

#: Clocks, samplers and ICMP fields that only few exporters use are left to `records`.
_RARE: Final = frozenset({
    e.FIRST_US, e.LAST_US, e.FIRST_NS, e.LAST_NS, e.FIRST_BEFORE_US, e.LAST_BEFORE_US, e.BOOT_MS,
    e.DURATION_MS, e.DURATION_US, *e.SAMPLER, *e.RATE, e.PACKET_INTERVAL, e.PACKET_SPACE,
    e.SAMPLE_SIZE, e.SAMPLE_POPULATION, *e.ICMP_TYPE, *e.ICMP_CODE,
})  # fmt: skip
_FIRST: Final = ((e.FIRST_MS, MILLISECONDS), (e.FIRST_S, SECONDS), (e.FIRST_UPTIME, UPTIME))
_LAST: Final = ((e.LAST_MS, MILLISECONDS), (e.LAST_S, SECONDS), (e.LAST_UPTIME, UPTIME))
_EVENT: Final = tuple((element, MILLISECONDS) for element in e.EVENT_MS)


def plan_of(template: Template) -> NDArray[np.int64] | None:
    """Steps (what, offset, length, how), in the order in which they hold; None if not plain."""
    names = template.dtype.names or ()
    if {str(element) for element in _RARE} & set(names):
        return None
    for v4, v6 in ((e.SOURCE_V4, e.SOURCE_V6), (e.DESTINATION_V4, e.DESTINATION_V6)):
        if not {str(v4), str(v6)} & set(names):
            return None
        if str(v6) in names and _field(template, str(v6))[1] != 16:
            return None
    steps = [
        (what, *_field(template, name), 0) for what, name in _steps(set(names)) if name in names
    ]
    for what, clocks in ((FIRST, _FIRST), (LAST, (*_LAST, *_EVENT))):
        for element, how in clocks:
            if str(element) in names:
                steps.append((what, *_field(template, str(element)), how))
                break
    return np.array(steps, np.int64).reshape(-1, 4)


def _steps(names: set[str]) -> list[tuple[int, str]]:
    def first(what: int, wanted: Any, prefix: str = "") -> list[tuple[int, str]]:
        """Of several elements that say the same, the first that the template has."""
        return [(what, f"{prefix}{n}") for n in wanted if f"{prefix}{n}" in names][:1]

    def every(what: int, wanted: Any) -> list[tuple[int, str]]:
        """Of several elements, the first that is not zero in the record."""
        return [(what, str(n)) for n in wanted]

    return [
        (SOURCE_V6, str(e.SOURCE_V6)),
        (DESTINATION_V6, str(e.DESTINATION_V6)),
        (SOURCE_V4, str(e.SOURCE_V4)),
        (DESTINATION_V4, str(e.DESTINATION_V4)),
        (PROTOCOL, str(e.PROTOCOL)),
        *every(SOURCE_PORT, e.SOURCE_PORTS),
        *every(DESTINATION_PORT, e.DESTINATION_PORTS),
        *every(ICMP_BOTH, e.ICMP_TYPE_CODE),
        (FLAGS, str(e.TCP_FLAGS)),
        (REPLY_FLAGS, f"r{e.TCP_FLAGS}"),
        *first(BYTES, e.BYTES),
        *first(PACKETS, e.PACKETS),
        *(first(REPLY_BYTES, e.BYTES, "r") or first(REPLY_BYTES, e.REPLY_BYTES)),
        *(first(REPLY_PACKETS, e.PACKETS, "r") or first(REPLY_PACKETS, e.REPLY_PACKETS)),
        *first(SOURCE_MAC, e.SOURCE_MACS),
        *first(DESTINATION_MAC, e.DESTINATION_MACS),
        *every(VLAN, e.VLANS),
        *first(TTL_MIN, (e.TTL_MIN, e.TTL)),
        *first(TTL_MAX, (e.TTL_MAX, e.TTL)),
        *first(REPLY_TTL_MIN, (e.TTL_MIN, e.TTL), "r"),
        *first(REPLY_TTL_MAX, (e.TTL_MAX, e.TTL), "r"),
        (REASON, str(e.END_REASON)),
        (FIREWALL, str(e.FIREWALL_EVENT)),
    ]


def _field(template: Template, name: str) -> tuple[int, int]:
    """(offset, length) of a column in the record."""
    layout: Mapping[str, Any] = template.dtype.fields or {}
    kind, offset = layout[name][:2]
    return int(offset), int(kind.itemsize)
