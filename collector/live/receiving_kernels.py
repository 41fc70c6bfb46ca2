"""The loop that takes datagrams from the kernel, many with one call, without Python's lock."""

# mypy: disable-error-code="no-any-return"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

#: Cells of a ring's state. Counts only grow; places are counts modulo the room.
STOP, WRITTEN, TAKEN, BYTES_WRITTEN, BYTES_TAKEN, TRUNCATED = range(6)
_WAIT_FOR_ONE, _TRUNCATED_FLAG = 0x10000, 0x20
_NAP_US, _FEW = 1000, 64

_recvmmsg = types.ExternalFunction(
    "recvmmsg", types.int32(types.int32, types.intp, types.uint32, types.int32, types.intp)
)
_usleep = types.ExternalFunction("usleep", types.int32(types.uint32))
_sched_yield = types.ExternalFunction("sched_yield", types.int32())


@njit(cache=True, nogil=True)
def receive_all(
    descriptor: int, messages: Any, at: int, slots: Any, names: Any, ring: Any, index: Any,
    senders: Any, state: Any,
) -> None:  # fmt: skip
    """Copy datagrams into the ring until `state[STOP]`; where it is full the kernel's buffer fills.

    `messages` are struct mmsghdr at address `at`, each with a row of `slots` and `names`; `index`
    (offset, length, end) and `senders` are read by another thread, up to WRITTEN.
    """
    longest = slots.shape[1]
    while state[STOP] == 0:
        has_room = state[BYTES_WRITTEN] - state[BYTES_TAKEN] + (len(messages) + 1) * longest <= len(
            ring
        ) and state[WRITTEN] - state[TAKEN] + len(messages) <= len(index)
        if not has_room:
            _usleep(np.uint32(_NAP_US))
            continue
        count = _recvmmsg(
            np.int32(descriptor), at, np.uint32(len(messages)), np.int32(_WAIT_FOR_ONE), 0
        )
        written, written_bytes = state[WRITTEN], state[BYTES_WRITTEN]
        for number in range(count):
            length = np.int64(messages[number].length)
            place = written_bytes % len(ring)
            if place + length > len(ring):  # a datagram never wraps
                written_bytes += len(ring) - place
                place = 0
            ring[place : place + length] = slots[number, :length]
            entry = written % len(index)
            written_bytes += length
            index[entry, 0], index[entry, 1], index[entry, 2] = place, length, written_bytes
            senders[entry] = names[number]
            if messages[number].flags & _TRUNCATED_FLAG:
                state[TRUNCATED] += 1
            messages[number].name_length = names.shape[1]
            written += 1
        _sched_yield()  # what was written stands before it is told of
        state[BYTES_WRITTEN] = written_bytes
        state[WRITTEN] = written
        if 0 < count < _FEW:  # so that the next call brings many
            _usleep(np.uint32(_NAP_US))
