"""An engine as an earlier run left it, or a new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collector.fastlane.starting import start_numba
from detector.detection import Detector
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.memories import Kept, MemoryUnfit, load_memories

EDGES_FILE = "edges.npz"
MEMORIES_FILE = "memories.bin"


def open_engine(
    hospital: Hospital,
    detectors: Sequence[Detector],
    settings: EngineSettings,
    folder: Path | None,
    from_ns: int | None = None,
) -> Engine:
    """The engine with the edges and memories that lie in the folder; None: with nothing.

    Memories are those of their moment: where the input begins before it (`from_ns`), as when old
    captures are replayed, detectors begin anew. What does not fit is counted as a failure.
    """
    start_numba()  # where another process reads the packets, kernels first run here
    kept, hosts, fault = None, HostTable(hospital, settings.most_hosts), ""
    if folder is not None and (folder / MEMORIES_FILE).exists():
        kept, fault = _kept(folder / MEMORIES_FILE, hosts)
        if kept is None or (from_ns is not None and from_ns < kept.until_ns):
            kept, hosts = None, HostTable(hospital, settings.most_hosts)
    edges, edges_fault = _edges(folder, hosts)
    engine = Engine(hospital, detectors, settings, hosts, edges)
    if kept is not None:
        engine.remember_all(kept)
    engine.failures.update(filter(None, [fault, edges_fault]))
    return engine


def _edges(folder: Path | None, hosts: HostTable) -> tuple[EdgeMemory, str]:
    """What was learnt; a file that cannot be read stands aside and is told: watching goes on."""
    file = folder / EDGES_FILE if folder is not None else None
    if file is None or not file.exists():
        return EdgeMemory(), ""
    try:
        return EdgeMemory.load(file, hosts), ""
    except ValueError as fault:
        aside = file.with_suffix(".npz.unread")
        file.replace(aside)
        return EdgeMemory(), (
            f"{fault}; learning begins anew, it was moved to {aside.name}: stop the detector and"
            " run `mimawari baseline restore DAY` to go back to a snapshot"
        )


def _kept(file: Path, hosts: HostTable) -> tuple[Kept | None, str]:
    try:
        return load_memories(file, hosts), ""
    except (MemoryUnfit, OSError, ValueError, KeyError, TypeError) as fault:
        return None, str(fault)
