"""Host numbers are bounded: what is beyond is counted, and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.flows import FlowBatch, address_number
from collector.numbering import NO_NUMBER
from collector.observations import CollectorHealth, Observations
from collector.sightings import Arp
from detector.alerts import Party, party
from detector.detection import Detector, Finding, Window
from detector.detectors import DETECTORS
from detector.edges import EdgeMemory
from detector.engine import Engine, EngineSettings
from detector.hospital import Hospital
from detector.hosts import HostsFull, HostTable
from detector.words import Text, Wording
from tests.detector.windows import START_NS, S, flow


def addresses(*texts: str) -> np.ndarray:
    return np.array([address_number(t) for t in texts], np.uint64)


def speaks(ip: str) -> Arp:
    mac = "02:00:00:00:00:01"
    return Arp(
        time_ns=START_NS + 60 * S, operation=2, sender_mac=mac, sender_ip=ip, target_mac=mac,
        target_ip=ip,
    )  # fmt: skip


def test_a_full_table_knows_whom_it_knew() -> None:
    hosts = HostTable(Hospital(), most=2)
    assert hosts.number(addresses("10.0.0.1", "10.0.0.2", "10.0.0.3")).tolist() == [0, 1, NO_NUMBER]
    assert hosts.number(addresses("10.0.0.2", "10.0.0.4")).tolist() == [1, NO_NUMBER]
    assert (len(hosts), hosts.is_full) == (2, True)


def test_names_find_a_number_for_a_while_then_that_of_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("detector.hosts._SPARE", 1)
    hosts = HostTable(Hospital(), most=1)
    hosts.number(addresses("10.0.0.1"))
    assert hosts.number_of("10.0.0.2") == 1
    nobody = hosts.number_of("10.0.0.3")
    assert hosts.is_nobody(nobody)
    assert hosts.number_of("10.0.0.4") == nobody
    assert (hosts.turned_away, hosts.number_of("10.0.0.1")) == (2, 0)
    assert not hosts.inside(np.array([nobody], np.uint32)).any()
    assert party("10.0.0.4", hosts) == Party("10.0.0.4")
    with pytest.raises(HostsFull, match="most_hosts"):
        hosts.give("10.0.0.4")


def test_a_detector_goes_on_for_known_hosts_when_the_table_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sightings of hosts without a number neither stop a detector nor tell of nobody."""
    monkeypatch.setattr("detector.hosts._SPARE", 0)

    class Names(Detector):
        id: ClassVar = "names"
        category: ClassVar = "asset"
        wordings: ClassVar = {"": Wording(Text("名", "name"), Text("", ""), Text("", ""))}

        def find(self, window: Window, memory: object) -> Iterator[Finding]:
            for said in window.of(Arp):
                number = window.hosts.number_of(said.sender_ip)
                ip, time_ns = window.hosts.ip(number), said.time_ns
                yield Finding(ip, (), 50.0, 1.0, time_ns, time_ns)

    hosts = HostTable(Hospital(), most=1000)
    engine = Engine(Hospital(), [Names()], EngineSettings(), hosts, EdgeMemory())
    flood = [flow(f"10.1.{n >> 8}.{n & 255}", "10.9.9.9", 443) for n in range(1500)]
    known = flow("10.0.0.1", "10.9.9.9", 443)
    said = [speaks(ip) for ip in ("10.0.0.7", "10.0.0.1")]
    batch = FlowBatch(np.concatenate([known, *flood]))
    engine.feed(Observations(batch, tuple(said), START_NS + 100 * S, CollectorHealth()))
    engine.finish()
    assert [a.source.ip for a in engine.alerts.values()] == ["10.0.0.1"]
    assert not engine.failures
    assert engine.shedding()["hosts: no number left"] > 0
    assert engine.shed["findings about hosts without a number"] == 1


def test_idle_numbers_are_given_back_and_their_next_host_is_a_new_one() -> None:
    hosts = HostTable(Hospital(), most=4)
    hosts.turn(100)
    hosts.number(addresses("10.0.0.1", "198.51.100.1", "198.51.100.2", "198.51.100.3"))
    hosts.at("10.0.0.1").machine = "02:00:00:00:00:01"
    hosts.turn(102)
    hosts.number(addresses("198.51.100.2"))
    assert hosts.give_back(np.zeros(0, np.uint32)) == 0
    assert hosts.turn(108)
    assert hosts.is_crowded
    # .1 was met on one day, and days ago; .3 as well, but an edge names it.
    assert hosts.give_back(np.array([3], np.uint32)) == 1
    before = hosts.moves
    told = hosts.number(addresses("198.51.100.9", "198.51.100.8", "198.51.100.2", "198.51.100.1"))
    assert told.tolist() == [1, NO_NUMBER, 2, NO_NUMBER]
    assert (hosts.moves, hosts.ip(1)) == (before + 1, "198.51.100.9")
    assert [hosts.number_of(ip) for ip in ("10.0.0.1", "198.51.100.3")] == [0, 3]


def test_numbers_given_back_outlive_a_restart() -> None:
    hosts = HostTable(Hospital(), most=3)
    hosts.turn(100)
    hosts.number(addresses("198.51.100.1", "198.51.100.2"))
    hosts.turn(200)
    hosts.number(addresses("198.51.100.2"))
    assert hosts.give_back(np.zeros(0, np.uint32)) == 1
    again = HostTable(Hospital(), most=3)
    assert again.begin(hosts.table())
    told = again.number(addresses("198.51.100.2", "198.51.100.4", "198.51.100.5"))
    assert sorted(told.tolist()) == [0, 1, 2]
    assert told[0] == 1


def test_who_sends_from_the_place_of_numbers_that_are_free_gets_none() -> None:
    hosts = HostTable(Hospital())
    assert hosts.number(addresses("100:0:0:1::5", "10.0.0.1")).tolist() == [NO_NUMBER, 0]


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=60))
def test_an_address_keeps_its_number_until_it_is_given_back(
    steps: list[tuple[int, bool]],
) -> None:
    hosts = HostTable(Hospital(), most=16)
    held: dict[str, int] = {}
    for day, (last, turns) in enumerate(steps, 1):
        if turns and hosts.turn(day):
            hosts.give_back(np.zeros(0, np.uint32))
        ip = f"198.51.100.{last}"
        told = int(hosts.number(addresses(ip))[0])
        if told != NO_NUMBER:
            held = {other: number for other, number in held.items() if number != told}
            held[ip] = told
            assert hosts.ip(told) == ip
    assert len(set(held.values())) == len(held)


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


def test_many_addresses_get_the_numbers_that_each_would_get() -> None:
    told = ["10.0.0.1", "2001:db8::1", "10.0.0.2", "10.0.0.1", "::ffff:10.0.0.2"]
    one_by_one, at_once = HostTable(Hospital()), HostTable(Hospital())
    at_once.number_of("10.0.0.2")
    one_by_one.number_of("10.0.0.2")
    assert at_once.numbers_of(told) == [one_by_one.number_of(ip) for ip in told]
    assert [at_once.ip(number) for number in range(3)] == ["10.0.0.2", "10.0.0.1", "2001:db8::1"]


@pytest.mark.parametrize("text", ["", "10.0.0", "010.0.0.1", "10.0.0.1 ", "1\0", "::g", "ward-3"])
def test_what_is_no_address_gets_no_number(text: str) -> None:
    with pytest.raises(ValueError):
        HostTable(Hospital()).numbers_of([text])
