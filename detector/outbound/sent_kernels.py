"""What leaves the hospital: one pass over a window's flows for `exfiltration`."""

# mypy: disable-error-code="no-any-return, return-value"
# (numba's njit carries no types)

from __future__ import annotations

from typing import Any

from numba import njit

from detector.window_kernels import IN_PLAN, TO_ONE

_LARGE = 100_000
_MUCH_READ = 1_000_000


@njit(cache=True, nogil=True)
def add_sent(
    rows: Any, source: Any, destination: Any, marks: Any, traits: Any, is_store: Any, sums: Any,
    large: Any, stores: Any,
) -> Any:  # pragma: no cover - compiled  # fmt: skip
    """Add bytes out and in to `sums` by host number; below 0 stands for a host not met yet.

    `large` gets the rows that send 100 kB or more outside, `stores` those that read more than
    1 MB from a store inside (`is_store` by application). Returns how many of each.
    """
    sent = read = 0
    for at in range(len(rows)):
        row = rows[at]
        if traits[source[at]] & IN_PLAN == 0:
            continue
        if traits[destination[at]] & IN_PLAN:
            if row.reply_bytes > _MUCH_READ and is_store[row.app]:
                stores[read] = at
                read += 1
        elif marks[at] & TO_ONE:
            sum_of = sums[source[at]]
            sum_of[0] = max(sum_of[0], 0.0) + row.bytes
            sum_of[1] = max(sum_of[1], 0.0) + row.reply_bytes
            if row.bytes >= _LARGE:
                large[sent] = at
                sent += 1
    return sent, read
