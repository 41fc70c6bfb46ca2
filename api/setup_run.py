"""Day-0 set-up from captures: the pipeline without any plan, and what it proposes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from api.configuration import Configuration
from collector.capture.finding import find_captures
from collector.replay import Progress, Replay
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hospital import Hospital
from detector.hosts import HostTable
from detector.lines.line_register import LineRegister
from detector.setup.proposal import Proposal, propose


def propose_from(
    configuration: Configuration,
    captures: Sequence[Path],
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Proposal, list[Any], list[str]]:
    """What these captures propose, which could not be read, and what else is to be said."""
    hospital = Hospital(timezone=configuration.hospital.timezone)
    hosts = HostTable(hospital)
    settings = configuration.detector.engine
    engine = Engine(hospital, (LineRegister(),), settings, hosts, EdgeMemory())
    replay = Replay(configuration.collecting(), on_progress)
    with closing(replay.read(find_captures(captures))) as reading:  # a fault leaves no tshark
        for seen in reading:
            engine.feed(seen)
    engine.finish()
    return engine_proposal(engine), list(replay.faults), list(replay.health.notes)


def engine_proposal(engine: Engine) -> Proposal:
    """What a running engine that has no plan yet would propose; ValueError if it has one."""
    if engine.setup is None:
        raise ValueError("a plan is in use; there is nothing to propose")
    return propose(engine.setup, engine.hosts, engine.observed_lines())
