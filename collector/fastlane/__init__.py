"""The fast lane: every packet of a capture or a ring, in compiled loops over columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.fastlane.settings import FastLaneSettings

if TYPE_CHECKING:
    from collector.fastlane.lane import FastLane, FastLaneCounters, FastLaneOutput

__all__ = ["FastLane", "FastLaneCounters", "FastLaneOutput", "FastLaneSettings"]


def __getattr__(name: str) -> Any:
    # The lane brings numba (0.4 s); who only wants the settings does not wait for it.
    if name in __all__:
        from collector.fastlane import lane

        return getattr(lane, name)
    raise AttributeError(name)
