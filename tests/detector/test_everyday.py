"""What hospital networks do all day is quiet, though nothing was learnt yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from api.configuration import Configuration
from collector.flows import FlowBatch
from collector.observations import CollectorHealth, Observations
from detector.alerts import Alert
from detector.edges import EdgeMemory
from detector.engine import Engine
from detector.hosts import HostTable
from tests.detector.everyday import EVERYDAY, Rows, delivery_optimization
from tests.detector.windows import flow

Work = Callable[[np.random.Generator], Rows]


def loud(rows: Sequence[np.ndarray[Any, Any]], rng: np.random.Generator) -> list[Alert]:
    """What all detectors tell of these flows: medium and graver."""
    alerts = told(FlowBatch(np.concatenate(rows)), rng)
    return [a for a in alerts if a.severity in ("medium", "high", "critical")]


def told(batch: FlowBatch, rng: np.random.Generator) -> list[Alert]:
    """What all detectors tell, as they come, of these flows, and nothing was known before."""
    configuration = Configuration.model_validate({})
    hospital = configuration.hospital
    engine = Engine(
        hospital,
        configuration.detectors(),
        configuration.detector.engine,
        HostTable(hospital),
        EdgeMemory(),
    )
    flows = batch.rows[np.argsort(batch.rows["reported_ns"], kind="stable")]
    ordinary = flows["source_port"] == 50_000
    flows["source_port"][ordinary] = rng.integers(49_152, 65_000, int(ordinary.sum()))
    batch = FlowBatch(flows, batch.sensors)
    engine.feed(Observations(batch, (), int(batch.reported_ns.max()), CollectorHealth()))
    engine.finish()
    assert not engine.failures
    return list(engine.alerts.values())


@pytest.mark.parametrize("work", EVERYDAY, ids=lambda work: work.__name__)
def test_everyday_work_is_quiet(work: Work) -> None:
    rng = np.random.default_rng(5)
    assert [(a.detector, a.variant, a.title.en) for a in loud(list(work(rng)), rng)] == []


def test_all_of_it_together_is_quiet() -> None:
    rng = np.random.default_rng(6)
    rows = [row for work in EVERYDAY for row in work(rng)]
    assert [(a.detector, a.variant, a.title.en) for a in loud(rows, rng)] == []


def test_a_scan_among_it_is_heard() -> None:
    rng = np.random.default_rng(7)
    sweep = [flow("10.1.20.40", f"10.1.1.{n}", 445, 600 + n, "S0") for n in range(210, 235)]
    rows = [*delivery_optimization(rng), *sweep]
    assert {(a.detector, a.source.ip) for a in loud(rows, rng)} == {("host_scan", "10.1.20.40")}
