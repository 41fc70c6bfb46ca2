"""The doctor's round: the machine, what the running collector said, and the map of blind spots."""

from __future__ import annotations

from api.configuration import Configuration
from collector.doctor import Finding, cover, examine, what_sources_said
from collector.lake import Lake
from detector.coverage import coverage
from detector.store import Store


def examine_machine(configuration: Configuration) -> list[Finding]:
    """Everything that the doctor has to say, in a fixed order."""
    folder = configuration.state_dir
    found = list(examine(configuration.collector, folder))
    if (folder / "mimawari.db").exists():
        store = Store(folder / "mimawari.db").open()
        try:
            found += what_sources_said(store.note("collector_health"))
            hospital = store.hospital(configuration.hospital)
            found += cover(coverage(store, Lake(folder / "lake"), hospital))
        finally:
            store.close()
    return found
