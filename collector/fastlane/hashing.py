"""Hashes of a packet's two ends."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

MIX_1, MIX_2, MIX_3 = (
    np.uint64(0x9E37_79B9_7F4A_7C15),
    np.uint64(0xBF58_476D_1CE4_E5B9),
    np.uint64(0x94D0_49BB_1331_11EB),
)
_S27, _S30, _S31, _S16 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(16)


@njit(cache=True, nogil=True, forceinline=True)
def mix(value: Any) -> Any:
    """Spread 64 bits (the finaliser of SplitMix64)."""
    value = (value ^ (value >> _S30)) * MIX_2
    value = (value ^ (value >> _S27)) * MIX_3
    return value ^ (value >> _S31)


@njit(cache=True, nogil=True, forceinline=True)
def hash_pair(row: Any, seed: Any) -> Any:
    """Hash of a header row's two ends and protocol, the same for both directions."""
    one = mix(row.source_low * MIX_1 + row.source_high + (np.uint64(row.source_port) << _S16))
    two = mix(
        row.destination_low * MIX_1
        + row.destination_high
        + (np.uint64(row.destination_port) << _S16)
    )
    return mix(one + two + np.uint64(row.protocol) * MIX_1 + seed)
