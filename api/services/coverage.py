"""Use case of coverage: what the sensor sees of each VLAN, and what it therefore cannot find."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from api.faults import Unavailable
from api.people import Person
from api.services.gate import Gate

#: Rows as `detector.coverage.coverage` returns them.
Coverage = Callable[[], list[dict[str, Any]]]
_WAIT_S: Final = 10


class CoverageService:
    """Reads the last day of the lake; one at a time, for each reads a whole day."""

    def __init__(self, coverage: Coverage | None, gate: Gate) -> None:
        self._coverage = coverage
        self._gate = gate
        self._turn = Lock()

    def report(self, person: Person | None) -> list[dict[str, Any]]:
        """One row a VLAN: counts, and the kinds `seen` and `blind`. Needs lines.read."""
        self._gate.look(person, "lines.read", "coverage.read")
        if self._coverage is None:
            raise Unavailable("no flow lake is kept here")
        if not self._turn.acquire(timeout=_WAIT_S):
            raise Unavailable("others are reading the coverage; try again", retry_after_s=_WAIT_S)
        try:
            return self._coverage()
        finally:
            self._turn.release()
