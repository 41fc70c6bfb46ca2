"""Live flows and those just finished, kept where a killed process leaves them to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from collector.fastlane import layout
from collector.fastlane.lane import FastLane
from collector.flows import FLOW_DTYPE, FlowBatch
from collector.journal import Journal
from collector.lasting import LastingMemory, LastingPool

#: What makes a live flow one and the same.
_ENDS: Final = (
    "source_high", "source_low", "destination_high", "destination_low", "source_port",
    "destination_port", "protocol", "one_way", "vlan",
)  # fmt: skip
#: A record of a flow that is still live is one whose writing the kill cut short.
_RECORD: Final = (*(name for name in _ENDS if name != "one_way"), "first_ns", "part")


class OpenFlows:
    """Puts one fast lane's flows into lasting memory, and takes up what was left there."""

    def __init__(
        self, memory: LastingMemory, parts: Sequence[str], lane: FastLane, most: int
    ) -> None:
        """`parts[0]` is this lane's name; flows of the other parts, which run no more, it takes on.

        `most`: the lane's `max_flows`. After this, `left` is to be journaled, then `settle` called.
        """
        self._memory, self._names = memory, [_file_name(part) for part in parts]
        live = _join(
            [memory.kept(f"{n}.rows", layout.FLOW_ROW_DTYPE, "is_live") for n in self._names]
        )
        done = _join(
            [memory.kept(f"{n}.records", layout.OUTPUT_DTYPE, "family") for n in self._names]
        )
        self._left = _whole(live), done[~_is_in(done, live, _RECORD)]
        rows = memory.new(f"{self._names[0]}.rows", layout.FLOW_ROW_DTYPE, most + 1)
        self._records = LastingPool(memory, f"{self._names[0]}.records", layout.OUTPUT_DTYPE)
        lane.keep_in(rows, self._records)
        self._lane = lane

    def resume(self, journal: Journal) -> FlowBatch:
        """The lane goes on with live flows; returns finished ones that the journal has not."""
        live, done = self._left
        self.resumed = self._lane.adopt(live)
        finished = done[~journal.holds(done.view(FLOW_DTYPE))].view(FLOW_DTYPE)
        return FlowBatch(finished[np.argsort(finished["reported_ns"], kind="stable")])

    def settle(self) -> None:
        """What was left is taken up and journaled."""
        for kind in ("rows", "records"):
            self._memory.settle(f"{self._names[0]}.{kind}")
            for name in self._names[1:]:
                self._memory.remove(f"{name}.{kind}")

    def forget(self, finished: FlowBatch) -> None:
        """These, the lane's last output, are in the journal."""
        self._records.forget(len(finished))


def parts_of(memory: LastingMemory, source: str) -> set[str]:
    """Parts of a source (`name/number`) of which something was left."""
    start = _file_name(f"{source}/")
    found = (name.rsplit(".", 1)[0] for name in memory.names() if name.startswith(start))
    return {f"{source}/{name.removeprefix(start)}" for name in found}


def _whole(live: NDArray[Any]) -> NDArray[Any]:
    """Each flow once, without those of which the kill left nothing but the beginning."""
    is_whole = ((live["family"] == 4) | (live["family"] == 6)) & (live["first_ns"] > 0)
    live = live[is_whole & (live["last_ns"] >= live["first_ns"])]
    _, first = np.unique(_keys(live, _ENDS), return_index=True)
    return live[np.sort(first)]


def _is_in(rows: NDArray[Any], others: NDArray[Any], names: Sequence[str]) -> NDArray[np.bool_]:
    if not len(rows) or not len(others):
        return np.zeros(len(rows), bool)
    return np.isin(_keys(rows, names), _keys(others, names))


def _keys(rows: NDArray[Any], names: Sequence[str]) -> NDArray[Any]:
    """These columns as one value a row, so that rows can be compared."""
    packed = np.zeros(len(rows), [(name, "u8") for name in names])
    for name in names:
        packed[name] = rows[name]
    return packed.view(f"V{packed.dtype.itemsize}").reshape(-1)


def _join(found: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(found)


def _file_name(part: str) -> str:
    return re.sub(r"[^\w.-]", "_", part)
