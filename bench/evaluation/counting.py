"""What small counts can and cannot say."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final

_Z: Final = 1.959964  # two-sided 95 % of the normal distribution


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927), 0-1; it says little where `whole` is small.

    Raises:
        ValueError: `whole` is not positive, or `part` is not within it.
    """
    if whole <= 0 or not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole} is no share")
    share, spread = part / whole, _Z * _Z / whole
    middle = share + spread / 2
    reach = _Z * sqrt(share * (1 - share) / whole + spread / (4 * whole))
    return max(0.0, (middle - reach) / (1 + spread)), min(1.0, (middle + reach) / (1 + spread))


def share_text(part: int, whole: int) -> str:
    """`6/6 (61-100 %)`; `-` of nothing."""
    if not whole:
        return "-"
    low, high = wilson(part, whole)
    return f"{part}/{whole} ({low:.0%} to {high:.0%})".replace("%", " %")


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed; -1 of none."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)] if values else -1.0


def span(seconds: float) -> str:
    """Seconds as a person says them; `-` of what never came."""
    if seconds < 0:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
