"""Use case of health: what the sensor sees, what it shed, where it is blind."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog

from api.people import Person
from api.services.gate import Gate
from detector.database import Database
from detector.store import Store

_log = structlog.get_logger("health")

#: The note in the store that the pipeline writes: its counts, what was shed, where it is blind.
COLLECTOR_NOTE = "collector_health"


@dataclass(frozen=True)
class Health:
    """`collector` is what the pipeline noted last; empty if it has never run."""

    version: str
    now_ns: int
    started_ns: int
    collector: Mapping[str, Any]
    alert_counts: Mapping[tuple[str, str], int]

    @property
    def has_collector(self) -> bool:
        return bool(self.collector)


class HealthService:
    """Report health to people, and readiness to what supervises the service."""

    def __init__(
        self, store: Store, database: Database, gate: Gate, now_ns: Callable[[], int]
    ) -> None:
        self._store = store
        self._database = database
        self._gate = gate
        self._now_ns = now_ns
        self._started_ns = now_ns()

    def report(self, person: Person | None) -> Health:
        """How the sensor is. Needs health.read."""
        self._gate.look(person, "health.read", "health.read")
        return self._health()

    def metrics(self, person: Person | None) -> Health:
        """The same for a machine that scrapes. Needs metrics.read."""
        self._gate.look(person, "metrics.read", "metrics.read")
        return self._health()

    def readiness(self) -> dict[str, bool]:
        """Which parts answer; for everybody, so it says no more than that."""
        return {
            "store": _answers("store", self._store.last_change),
            "people": _answers("people", self._ask_people),
        }

    def _ask_people(self) -> object:
        return self._database.read("SELECT 1")

    def _health(self) -> Health:
        return Health(
            version=mimawari_version(),
            now_ns=self._now_ns(),
            started_ns=self._started_ns,
            collector=self._store.note(COLLECTOR_NOTE),
            alert_counts=self._store.alert_counts(),
        )


def mimawari_version() -> str:
    """The version of the distribution; "development" when run from a checkout."""
    try:
        return version("mimawari")
    except PackageNotFoundError:
        return "development"


def _answers(part: str, ask: Callable[[], object]) -> bool:
    try:
        ask()
    except (sqlite3.Error, RuntimeError) as fault:  # RuntimeError: it is not open
        _log.warning("a part does not answer", part=part, fault=str(fault))
        return False
    return True
