"""Hosts that speak in one voice, told from those that may be several: a pass over the flows."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from detector.lines.addresses import INSIDE

#: One voice by host number: the only TTL and form of SYN of its hour, and how often they came.
VOICE_DTYPE: Final = np.dtype(
    [
        ("since_ns", "i8"),
        ("mac", "u8"),
        ("flows", "u4"),
        ("syns", "u4"),
        ("layout", "u4"),
        ("sensor", "u2"),
        ("ttl", "u1"),  # 0: it has not spoken
        ("is_several", "?"),  # it has had two voices: the caller keeps it
    ],
    align=True,
)
_SYN = 2
_HOUR_NS = 3_600_000_000_000


@njit(cache=True, nogil=True)
def hear(
    rows: Any, source: Any, bits: Any, voices: Any, others: Any
) -> int:  # pragma: no cover - compiled
    """Count the flows of hosts with one voice; `others` gets the rows that the caller must judge.

    Returns how many those are. A host whose flow differs in TTL, form, MAC or sensor is marked as
    several from then on.
    """
    count = 0
    for at in range(len(rows)):
        row = rows[at]
        if row.ttl_min <= 32 or row.ttl_min != row.ttl_max or row.part != 0:
            continue
        if bits[source[at]] & INSIDE == 0:
            continue
        voice = voices[source[at]]
        if not voice.is_several:
            is_syn = row.flags & _SYN != 0 and row.syn_window > 0 and row.ttl_min <= 128
            if voice.ttl == 0 or row.first_ns - voice.since_ns > _HOUR_NS:
                voice.since_ns, voice.mac, voice.sensor = row.first_ns, row.source_mac, row.sensor
                voice.ttl, voice.flows, voice.syns = row.ttl_min, 1, 0
                if is_syn:
                    voice.syns, voice.layout = 1, row.syn_layout
                continue
            is_same = voice.mac == row.source_mac and voice.sensor == row.sensor
            is_same = is_same and voice.ttl == row.ttl_min
            if is_same and not (is_syn and voice.syns > 0 and voice.layout != row.syn_layout):
                voice.flows += 1
                if is_syn:
                    voice.syns += 1
                    voice.layout = row.syn_layout
                continue
            voice.is_several = True
        others[count] = at
        count += 1
    return count


@njit(cache=True, nogil=True)
def see_vlans(rows: Any, is_seen: Any, seen: Any) -> int:  # pragma: no cover - compiled
    """Write kind << 16 | VLAN of the flows, each once; kinds: 0 to a group, 1 unicast, 2 no MAC.

    `is_seen` must be clear by code; returns how many were written.
    """
    count = 0
    for at in range(len(rows)):
        row = rows[at]
        if row.destination_mac >> np.uint64(40) & np.uint64(1):
            kind = 0
        elif row.destination_mac != 0:
            kind = 1
        elif row.source_mac == 0:
            kind = 2
        else:
            continue
        code = kind << 16 | row.vlan
        if not is_seen[code]:
            is_seen[code] = True
            seen[count] = code
            count += 1
    return count


@njit(cache=True, nogil=True)
def hear_macs(rows: Any, source: Any, macs: Any, others: Any) -> int:  # pragma: no cover - compiled
    """Write the rows whose host spoke from another MAC than in `macs`, by its number, to `others`.

    `macs` then holds the new one; rows without a MAC are passed over. Returns how many.
    """
    count = 0
    for at in range(len(rows)):
        mac = rows[at].source_mac
        if mac != 0 and macs[source[at]] != mac:
            macs[source[at]] = mac
            others[count] = at
            count += 1
    return count


@njit(cache=True, nogil=True)
def meet_macs(rows: Any, source: Any, macs: Any) -> None:  # pragma: no cover - compiled
    """Note in `macs`, by host number, the first MAC that a host without one speaks from."""
    for at in range(len(rows)):
        if macs[source[at]] == 0:
            macs[source[at]] = rows[at].source_mac
