"""Host numbers are bounded: what is beyond is counted, and nothing breaks."""

from __future__ import annotations

import numpy as np
import pytest

from collector.flows import FlowBatch, address_number
from collector.numbering import NO_NUMBER
from collector.observations import CollectorHealth, Observations
from detector.detectors import DETECTORS
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostsFull, HostTable
from tests.detector.windows import START_NS, S, flow


def addresses(*texts: str) -> np.ndarray:
    return np.array([address_number(t) for t in texts], np.uint64)


def test_a_full_table_knows_whom_it_knew() -> None:
    hosts = HostTable(Hospital(), most=2)
    assert hosts.number(addresses("10.0.0.1", "10.0.0.2", "10.0.0.3")).tolist() == [0, 1, NO_NUMBER]
    assert hosts.number(addresses("10.0.0.2", "10.0.0.4")).tolist() == [1, NO_NUMBER]
    assert (len(hosts), hosts.is_full) == (2, True)


def test_names_still_find_a_number_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.hosts._SPARE", 1)
    hosts = HostTable(Hospital(), most=1)
    hosts.number(addresses("10.0.0.1"))
    assert hosts.number_of("10.0.0.2") == 1
    with pytest.raises(HostsFull, match="most_hosts"):
        hosts.number_of("10.0.0.3")


def test_flows_of_hosts_without_a_number_are_counted() -> None:
    hosts = HostTable(Hospital(), most=1000)
    settings = EngineSettings(most_hosts=1000)
    engine = Engine(Hospital(), DETECTORS, settings, hosts, EdgeMemory())
    rows = [flow("10.0.0.0", "10.9.9.9", 443)]
    rows += [flow(f"10.0.{n >> 8}.{n & 255}", "10.9.9.9", 443, at=60) for n in range(1, 1500)]
    batch = FlowBatch(np.concatenate(rows))
    engine.feed(Observations(batch, (), START_NS + 100 * S, CollectorHealth()))
    engine.finish()
    assert len(hosts) == 1000
    assert engine.shed["flows of new hosts"] == 501
    assert not engine.failures


def test_what_is_seen_of_a_host_stands_in_the_table() -> None:
    hosts = HostTable(Hospital())
    host = hosts.at("10.0.0.1")
    hosts.seen["last_ns"][host.number] = 7
    assert (host.last_ns, host.first_ns, host.vlan) == (7, 0, 0)
